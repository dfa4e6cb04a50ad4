//! Captures (the classic pcap format): TCP connections put together, each direction shown as what it begins with.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Tree, auto};

/// Bytes kept of one direction of a connection; what comes after is counted.
const MOST: usize = 16 << 20;

/// Whether bytes are a capture file.
pub(super) fn is_capture(bytes: &[u8]) -> bool {
    matches!(
        bytes.get(..4),
        Some(
            [0xd4, 0xc3, 0xb2, 0xa1]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0xa1, 0xb2, 0x3c, 0x4d]
        )
    )
}

/// One direction of a connection.
type Flow = (IpAddr, u16, IpAddr, u16);

#[derive(Default)]
struct Stream {
    /// The sequence number of the next byte.
    next: Option<u32>,
    bytes: Vec<u8>,
    /// Segments that came early.
    early: BTreeMap<u32, Vec<u8>>,
    lost: bool,
}

impl Stream {
    fn take(&mut self, sequence: u32, is_start: bool, data: &[u8]) {
        if is_start {
            self.next = Some(sequence.wrapping_add(1));
            return;
        }
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        if ahead == 0 {
            self.append(data);
        } else if ahead < 1 << 31 {
            // Of a hole that is never filled only a bounded rest is kept.
            if self.early.len() < 1024 {
                self.early.insert(sequence, data.to_vec());
            }
        } else {
            // Sent again: what is new of it.
            let known = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            self.append(data.get(known..).unwrap_or_default());
        }
        while let Some(data) = self.next.and_then(|next| self.early.remove(&next)) {
            self.append(&data);
        }
    }

    fn append(&mut self, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap_or(0);
        self.next = self.next.map(|next| next.wrapping_add(length));
        let room = MOST.saturating_sub(self.bytes.len());
        self.lost |= data.len() > room;
        self.bytes
            .extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
    }
}

/// Shows every direction of every connection.
pub(super) fn decode(bytes: &[u8], tree: &mut Tree) -> Result<(), String> {
    let little = matches!(bytes.first(), Some(0xd4 | 0x4d));
    let number = |at: usize| -> Option<u32> {
        let raw: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(raw)
        } else {
            u32::from_be_bytes(raw)
        })
    };
    let link = number(20).ok_or("the capture's header is not whole")?;
    let mut flows: BTreeMap<Flow, Stream> = BTreeMap::new();
    let mut order = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let length = number(at + 8).ok_or("a packet's header is not whole")?;
        let length = usize::try_from(length).map_err(|error| error.to_string())?;
        let packet = bytes.get(at + 16..at + 16 + length);
        let packet = packet.ok_or_else(|| format!("the packet at {at:#x} is not whole"))?;
        at += 16 + length;
        let Some((flow, sequence, flags, data)) = segment(link, packet) else {
            continue;
        };
        let stream = flows.entry(flow).or_insert_with(|| {
            order.push(flow);
            Stream::default()
        });
        stream.take(sequence, flags & 2 != 0, data);
    }
    for flow in order {
        let Some(stream) = flows.get(&flow).filter(|stream| !stream.bytes.is_empty()) else {
            continue;
        };
        let (from, from_port, to, to_port) = flow;
        let hole = if stream.lost || !stream.early.is_empty() {
            ", not whole"
        } else {
            ""
        };
        tree.text.push_str(&format!(
            "{from}:{from_port} → {to}:{to_port}  {} bytes{hole}\n",
            stream.bytes.len()
        ));
        auto(&stream.bytes, tree);
    }
    Ok(())
}

/// The TCP segment in a packet.
fn segment(link: u32, packet: &[u8]) -> Option<(Flow, u32, u8, &[u8])> {
    let ip = match link {
        // loopback of BSD, Ethernet, raw IP, Linux "any" in both versions
        0 => packet.get(4..)?,
        1 => match packet.get(12..14)? {
            [0x81, 0x00] => packet.get(18..)?,
            _ => packet.get(14..)?,
        },
        101 => packet,
        113 => packet.get(16..)?,
        276 => packet.get(20..)?,
        _ => return None,
    };
    let (from, to, tcp) = match ip.first()? >> 4 {
        4 => {
            let header = usize::from(ip.first()? & 0x0f) * 4;
            let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
            if *ip.get(9)? != 6 {
                return None;
            }
            let from: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
            let to: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
            // A total of 0 is written where the network card cuts the segments.
            let end = if total == 0 { ip.len() } else { total.min(ip.len()) };
            (IpAddr::from(from), IpAddr::from(to), ip.get(header..end)?)
        }
        6 => {
            if *ip.get(6)? != 6 {
                return None;
            }
            let from: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
            let to: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
            (IpAddr::from(from), IpAddr::from(to), ip.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
    let flow = (from, port(0)?, to, port(2)?);
    let sequence = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    let header = usize::from(tcp.get(12)? >> 4) * 4;
    Some((flow, sequence, *tcp.get(13)?, tcp.get(header..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_put_in_order_and_repeats_dropped() {
        let mut stream = Stream::default();
        stream.take(99, true, b"");
        stream.take(103, false, b"de");
        stream.take(100, false, b"abc");
        stream.take(101, false, b"bcdef");
        assert_eq!(stream.bytes, b"abcdef");
    }

    #[test]
    fn a_frame_in_a_capture_is_found() {
        let heartbeat = [0xda, 0xbb, 0xe2, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0x4e];
        let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        ip.extend_from_slice(&[
            0x10, 0, 0x51, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0,
        ]);
        ip.extend_from_slice(&heartbeat);
        let mut file = vec![
            0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0,
        ];
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&u32::try_from(ip.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&u32::try_from(ip.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&ip);
        assert!(is_capture(&file));
        let mut tree = Tree::default();
        decode(&file, &mut tree).unwrap();
        assert!(
            tree.text
                .starts_with("127.0.0.1:4096 → 127.0.0.1:20880  17 bytes\n"),
            "{}",
            tree.text
        );
        assert!(
            tree.text.contains("Dubbo2 event, answer wanted  id 5"),
            "{}",
            tree.text
        );
    }
}
