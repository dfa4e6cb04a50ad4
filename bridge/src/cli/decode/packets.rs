//! Capture files, pcap and pcapng, read packet by packet: a capture may be larger than memory, or still be written.

use std::io::{ErrorKind, Read};

/// The largest packet that is taken; tcpdump's own limit is 256 KiB.
const MOST_PACKET: u32 = 16 << 20;
/// The most interfaces that a section may describe.
const MOST_INTERFACES: usize = 4096;

/// Whether a file that begins so is a capture.
pub(super) fn is_capture(start: &[u8]) -> bool {
    matches!(
        start.get(..4),
        Some(
            [0xd4, 0xc3, 0xb2, 0xa1]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0xa1, 0xb2, 0x3c, 0x4d]
                | [0x0a, 0x0d, 0x0d, 0x0a]
        )
    )
}

/// One packet as captured.
#[derive(Debug)]
pub(super) struct Packet {
    /// The link type of the interface.
    pub(super) link: u32,
    /// Nanoseconds since the epoch; 0 where the file says nothing.
    pub(super) nanos: u64,
    /// What was captured of it.
    pub(super) data: Vec<u8>,
    /// Its length on the wire.
    pub(super) length: usize,
}

/// How times of an interface count.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u32,
    snap: u32,
    ticks: Ticks,
    /// Seconds to be added.
    offset: u64,
}

#[derive(Debug, Clone, Copy)]
enum Ticks {
    /// That many a second.
    Decimal(u64),
    /// 2 to that power a second.
    Binary(u32),
}

impl Interface {
    fn nanos(&self, ticks: u64) -> u64 {
        let nanos = match self.ticks {
            Ticks::Decimal(per_second) => u128::from(ticks) * 1_000_000_000 / u128::from(per_second.max(1)),
            Ticks::Binary(power) => (u128::from(ticks) * 1_000_000_000) >> power.min(127),
        };
        u64::try_from(nanos)
            .unwrap_or(u64::MAX)
            .saturating_add(self.offset.saturating_mul(1_000_000_000))
    }
}

enum Format {
    Pcap(Interface),
    Pcapng(Vec<Interface>),
}

/// The packets of a capture.
pub(super) struct Packets<R> {
    input: R,
    little: bool,
    format: Format,
    /// Bytes read so far.
    at: u64,
}

impl<R: Read> Packets<R> {
    /// Reads the head of a capture.
    pub(super) fn open(input: R) -> Result<Self, String> {
        let mut packets = Self {
            input,
            little: false,
            format: Format::Pcapng(Vec::new()),
            at: 0,
        };
        let Some(magic) = packets.array::<4>("the file's head")? else {
            return Err("the capture is empty".to_owned());
        };
        if magic == [0x0a, 0x0d, 0x0d, 0x0a] {
            packets.section()?;
            return Ok(packets);
        }
        packets.little = matches!(magic, [0xd4 | 0x4d, ..]);
        let nanos = matches!(magic, [0x4d, ..] | [.., 0x4d]);
        let head = packets.exactly(20, "the file's head")?;
        packets.format = Format::Pcap(Interface {
            // The upper bits say how long the frame check sequence is.
            link: packets.u32(&head, 16) & 0xffff,
            snap: 0,
            ticks: Ticks::Decimal(if nanos { 1_000_000_000 } else { 1_000_000 }),
            offset: 0,
        });
        Ok(packets)
    }

    /// What the packets come from.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// The next packet; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, String> {
        match &self.format {
            Format::Pcap(interface) => {
                let interface = *interface;
                let Some(head) = self.array::<16>("a packet's head")? else {
                    return Ok(None);
                };
                let (seconds, fraction) = (self.u32(&head, 0), self.u32(&head, 4));
                let (captured, length) = (self.u32(&head, 8), self.u32(&head, 12));
                let data = self.packet(captured)?;
                let Ticks::Decimal(per_second) = interface.ticks else {
                    return Ok(None);
                };
                let nanos = interface.nanos(u64::from(seconds) * per_second + u64::from(fraction));
                Ok(Some(packet(interface.link, nanos, data, length)))
            }
            Format::Pcapng(_) => self.next_block(),
        }
    }

    fn next_block(&mut self) -> Result<Option<Packet>, String> {
        loop {
            let Some(kind) = self.array::<4>("a block's head")? else {
                return Ok(None);
            };
            if kind == [0x0a, 0x0d, 0x0d, 0x0a] {
                self.section()?;
                continue;
            }
            let kind = self.u32(&kind, 0);
            let total = self.exactly(4, "a block's length")?;
            let total = self.u32(&total, 0);
            let Some(body) = total.checked_sub(12).filter(|_| total.is_multiple_of(4)) else {
                return Err(format!(
                    "the block before byte {:#x} has the length {total}",
                    self.at
                ));
            };
            let found = match kind {
                1 => {
                    let body = self.block(body)?;
                    self.interface(&body)?;
                    None
                }
                2 | 3 | 6 => {
                    let body = self.block(body)?;
                    Some(self.packet_block(kind, body)?)
                }
                _ => {
                    self.skip(u64::from(body))?;
                    None
                }
            };
            self.skip(4)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// A section's head behind its first four bytes; its interfaces are its own.
    fn section(&mut self) -> Result<(), String> {
        let head = self.exactly(8, "a section's head")?;
        self.little = match head.get(4..8) {
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => true,
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => false,
            _ => return Err(format!("no section of a capture before byte {:#x}", self.at)),
        };
        let total = self.u32(&head, 0);
        let rest = total
            .checked_sub(12)
            .ok_or_else(|| format!("the section before byte {:#x} has the length {total}", self.at))?;
        self.skip(u64::from(rest))?;
        self.format = Format::Pcapng(Vec::new());
        Ok(())
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), String> {
        let mut interface = Interface {
            link: u32::from(self.u16(body, 0)),
            snap: self.u32(body, 4),
            ticks: Ticks::Decimal(1_000_000),
            offset: 0,
        };
        let mut options = body.get(8..).unwrap_or_default();
        while options.len() >= 4 {
            let (code, length) = (self.u16(options, 0), usize::from(self.u16(options, 2)));
            let value = options.get(4..4 + length).unwrap_or_default();
            match (code, value) {
                (0, _) => break,
                (9, [resolution]) if resolution & 0x80 != 0 => {
                    interface.ticks = Ticks::Binary(u32::from(resolution & 0x7f));
                }
                (9, [resolution]) => {
                    let per_second = 10u64.checked_pow(u32::from(*resolution));
                    interface.ticks = Ticks::Decimal(per_second.unwrap_or(u64::MAX));
                }
                (14, value) if value.len() == 8 => {
                    let (first, second) = (self.u32(value, 0), self.u32(value, 4));
                    let (high, low) = if self.little {
                        (second, first)
                    } else {
                        (first, second)
                    };
                    interface.offset = u64::from(high) << 32 | u64::from(low);
                }
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        match &mut self.format {
            Format::Pcapng(interfaces) if interfaces.len() < MOST_INTERFACES => {
                interfaces.push(interface);
                Ok(())
            }
            _ => Err(format!(
                "the capture describes more than {MOST_INTERFACES} interfaces"
            )),
        }
    }

    fn packet_block(&self, kind: u32, mut body: Vec<u8>) -> Result<Packet, String> {
        let (number, head) = match kind {
            6 => (self.u32(&body, 0), 20),
            2 => (u32::from(self.u16(&body, 0)), 20),
            _ => (0, 4),
        };
        let interface = match &self.format {
            Format::Pcapng(interfaces) => usize::try_from(number)
                .ok()
                .and_then(|number| interfaces.get(number)),
            Format::Pcap(_) => None,
        };
        let interface = interface.ok_or_else(|| {
            format!(
                "the packet before byte {:#x} names the interface {number}, which was not described",
                self.at
            )
        })?;
        let (ticks, captured, length) = if kind == 3 {
            let length = self.u32(&body, 0);
            let snap = if interface.snap == 0 {
                length
            } else {
                interface.snap
            };
            (0, length.min(snap), length)
        } else {
            let ticks = u64::from(self.u32(&body, 4)) << 32 | u64::from(self.u32(&body, 8));
            (ticks, self.u32(&body, 12), self.u32(&body, 16))
        };
        let captured = usize::try_from(captured).unwrap_or(usize::MAX);
        if captured > body.len().saturating_sub(head) {
            return Err(format!(
                "the packet before byte {:#x} announces {captured} bytes, more than its block holds",
                self.at
            ));
        }
        body.drain(..head);
        body.truncate(captured);
        let nanos = if kind == 3 { 0 } else { interface.nanos(ticks) };
        Ok(packet(interface.link, nanos, body, length))
    }

    fn packet(&mut self, captured: u32) -> Result<Vec<u8>, String> {
        if captured > MOST_PACKET {
            return Err(format!(
                "the packet at byte {:#x} announces {captured} bytes: the capture is damaged",
                self.at
            ));
        }
        self.exactly(captured, "a packet")
    }

    fn block(&mut self, body: u32) -> Result<Vec<u8>, String> {
        if body > MOST_PACKET {
            return Err(format!(
                "the block at byte {:#x} announces {body} bytes: the capture is damaged",
                self.at
            ));
        }
        self.exactly(body, "a block")
    }

    /// The next `N` bytes; `None` when the input ends before the first of them.
    fn array<const N: usize>(&mut self, what: &str) -> Result<Option<[u8; N]>, String> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.input.read(room) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(self.ends(what)),
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("read the capture: {error}")),
            }
        }
        self.at = self.at.saturating_add(N as u64);
        Ok(Some(bytes))
    }

    /// The next `length` bytes, of which no more is allocated than arrives.
    fn exactly(&mut self, length: u32, what: &str) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self
            .input
            .by_ref()
            .take(u64::from(length))
            .read_to_end(&mut bytes)
            .map_err(|error| format!("read the capture: {error}"))?;
        if read as u64 != u64::from(length) {
            return Err(self.ends(what));
        }
        self.at = self.at.saturating_add(u64::from(length));
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), String> {
        let passed = std::io::copy(&mut self.input.by_ref().take(length), &mut std::io::sink());
        let passed = passed.map_err(|error| format!("read the capture: {error}"))?;
        self.at = self.at.saturating_add(passed);
        if passed == length {
            Ok(())
        } else {
            Err(self.ends("a block"))
        }
    }

    fn ends(&self, what: &str) -> String {
        format!(
            "the capture ends inside {what} at byte {:#x}; what came before is shown",
            self.at
        )
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        let raw = chunk(bytes, at);
        if self.little {
            u32::from_le_bytes(raw)
        } else {
            u32::from_be_bytes(raw)
        }
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        let raw = chunk(bytes, at);
        if self.little {
            u16::from_le_bytes(raw)
        } else {
            u16::from_be_bytes(raw)
        }
    }
}

/// The bytes of a number; zeros where the block is too short.
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or([0; N])
}

fn packet(link: u32, nanos: u64, data: Vec<u8>, length: u32) -> Packet {
    let length = usize::try_from(length).unwrap_or(usize::MAX).max(data.len());
    Packet {
        link,
        nanos,
        data,
        length,
    }
}

#[cfg(test)]
mod tests {
    use super::super::write::{pcap, pcapng};
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<Packet>, Option<String>) {
        assert!(is_capture(bytes));
        let mut packets = match Packets::open(bytes) {
            Ok(packets) => packets,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut all = Vec::new();
        loop {
            match packets.next() {
                Ok(Some(packet)) => all.push(packet),
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[test]
    fn both_formats_of_both_orders_and_units_give_the_same_packets() {
        let packets = [
            (1_700_000_000_123_456_000, b"one".to_vec()),
            (1_700_000_001_000_000_000, b"three".to_vec()),
        ];
        for little in [false, true] {
            for file in [
                pcap(1, little, false, &packets),
                pcap(1, little, true, &packets),
                pcapng(1, little, &packets),
            ] {
                let (read, error) = all(&file);
                assert_eq!(error, None);
                assert_eq!(read.len(), 2);
                for (packet, (nanos, data)) in read.iter().zip(&packets) {
                    assert_eq!((packet.link, packet.nanos, &packet.data), (1, *nanos, data));
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_gives_what_is_whole() {
        let packets = [(0, b"one".to_vec()), (1, b"three".to_vec())];
        for file in [pcap(101, true, false, &packets), pcapng(101, false, &packets)] {
            for cut in 0..file.len() {
                let (read, error) = match cut {
                    0..4 => continue,
                    cut => all(&file[..cut]),
                };
                assert!(
                    read.len() < 2 || error.is_some() || cut + 4 >= file.len(),
                    "{cut}"
                );
                if let Some(error) = &error {
                    assert!(error.contains("ends inside"), "{error}");
                }
            }
        }
    }

    #[test]
    fn damage_is_named_and_costs_no_memory() {
        let mut file = pcap(1, true, false, &[(0, b"one".to_vec())]);
        file[32..36].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        assert!(all(&file).1.unwrap().contains("announces 2147483647 bytes"));
        let mut file = pcapng(1, true, &[(0, b"one".to_vec())]);
        let packet = file.len() - 36;
        file[packet + 8] = 9;
        assert!(all(&file).1.unwrap().contains("names the interface 9"));
        file[packet + 4..packet + 8].copy_from_slice(&7u32.to_le_bytes());
        assert!(all(&file).1.unwrap().contains("has the length 7"));
    }
}
