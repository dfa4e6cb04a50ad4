//! From a captured packet to its TCP segment: link types, VLAN tags, tunnels, both IPs.

use std::net::{IpAddr, SocketAddr};

/// How deep packets in packets are followed: VLAN tags, IP in IP, VXLAN.
const MOST_LAYERS: u32 = 8;

/// A TCP segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segment<'p> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) ack: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
    pub(super) data: &'p [u8],
    /// Bytes of its data that were sent but not captured.
    pub(super) missing: usize,
}

/// Why a packet holds no segment that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Other {
    /// Not TCP over IP: ARP, UDP, …
    NotTcp,
    /// A fragment of an IP packet.
    Fragment,
    /// The capture kept too little of it for its headers.
    Cut,
    /// A link type that is not read.
    Link(u32),
}

/// The segment in a packet of this link type, of `length` bytes on the wire.
pub(super) fn read(link: u32, packet: &[u8], length: usize) -> Result<Segment<'_>, Other> {
    let layers = Layers { packet, length };
    match link {
        // Loopback of BSD: 4 bytes for the family, in either order.
        0 | 108 => layers.ip(packet.get(4..).ok_or(Other::Cut)?, MOST_LAYERS),
        1 => layers.ethernet(packet, MOST_LAYERS),
        12 | 14 | 101 | 228 | 229 => layers.ip(packet, MOST_LAYERS),
        // Linux "any", in both versions.
        113 => layers.typed(
            half(packet, 14)?,
            packet.get(16..).ok_or(Other::Cut)?,
            MOST_LAYERS,
        ),
        276 => layers.typed(half(packet, 0)?, packet.get(20..).ok_or(Other::Cut)?, MOST_LAYERS),
        link => Err(Other::Link(link)),
    }
}

fn half(bytes: &[u8], at: usize) -> Result<u16, Other> {
    let raw = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    raw.map(|raw| u16::from_be_bytes(*raw)).ok_or(Other::Cut)
}

struct Layers<'p> {
    packet: &'p [u8],
    length: usize,
}

impl<'p> Layers<'p> {
    fn ethernet(&self, frame: &'p [u8], depth: u32) -> Result<Segment<'p>, Other> {
        self.typed(half(frame, 12)?, frame.get(14..).ok_or(Other::Cut)?, depth)
    }

    /// What follows an EtherType.
    fn typed(&self, kind: u16, rest: &'p [u8], depth: u32) -> Result<Segment<'p>, Other> {
        let depth = depth.checked_sub(1).ok_or(Other::NotTcp)?;
        match kind {
            0x0800 | 0x86dd => self.ip(rest, depth),
            // VLAN tags, stacked ones too.
            0x8100 | 0x88a8 | 0x9100 => self.typed(half(rest, 2)?, rest.get(4..).ok_or(Other::Cut)?, depth),
            // PPPoE
            0x8864 => match half(rest, 6)? {
                0x0021 | 0x0057 => self.ip(rest.get(8..).ok_or(Other::Cut)?, depth),
                _ => Err(Other::NotTcp),
            },
            _ => Err(Other::NotTcp),
        }
    }

    fn ip(&self, ip: &'p [u8], depth: u32) -> Result<Segment<'p>, Other> {
        let depth = depth.checked_sub(1).ok_or(Other::NotTcp)?;
        match ip.first().ok_or(Other::Cut)? >> 4 {
            4 => {
                let header = usize::from(ip.first().ok_or(Other::Cut)? & 0x0f) * 4;
                let total = usize::from(half(ip, 2)?);
                if half(ip, 6)? & 0x3fff != 0 {
                    return Err(Other::Fragment);
                }
                let protocol = *ip.get(9).ok_or(Other::Cut)?;
                let from = IpAddr::from(
                    *ip.get(12..)
                        .and_then(|ip| ip.first_chunk::<4>())
                        .ok_or(Other::Cut)?,
                );
                let to = IpAddr::from(
                    *ip.get(16..)
                        .and_then(|ip| ip.first_chunk::<4>())
                        .ok_or(Other::Cut)?,
                );
                // A total of 0 is written where the network card cuts the segments.
                let total = if total == 0 { self.rest(ip) } else { total };
                self.payload(protocol, (from, to), ip, header, total, depth)
            }
            6 => {
                let length = usize::from(half(ip, 4)?);
                let total = if length == 0 { self.rest(ip) } else { length + 40 };
                let from = IpAddr::from(
                    *ip.get(8..)
                        .and_then(|ip| ip.first_chunk::<16>())
                        .ok_or(Other::Cut)?,
                );
                let to = IpAddr::from(
                    *ip.get(24..)
                        .and_then(|ip| ip.first_chunk::<16>())
                        .ok_or(Other::Cut)?,
                );
                let (mut next, mut at) = (*ip.get(6).ok_or(Other::Cut)?, 40);
                // Headers of options, routing and destination; a packet has few.
                for _ in 0..MOST_LAYERS {
                    let size = usize::from(*ip.get(at + 1).ok_or(Other::Cut)?);
                    let size = match next {
                        0 | 43 | 60 => (size + 1) * 8,
                        51 => (size + 2) * 4,
                        44 => return Err(Other::Fragment),
                        _ => break,
                    };
                    next = *ip.get(at).ok_or(Other::Cut)?;
                    at += size;
                }
                self.payload(next, (from, to), ip, at, total, depth)
            }
            _ => Err(Other::NotTcp),
        }
    }

    /// Bytes on the wire from `ip` on.
    fn rest(&self, ip: &[u8]) -> usize {
        self.length
            .saturating_sub(self.packet.len().saturating_sub(ip.len()))
    }

    /// What an IP packet of `total` bytes carries behind its headers.
    fn payload(
        &self,
        protocol: u8,
        (from, to): (IpAddr, IpAddr),
        ip: &'p [u8],
        header: usize,
        total: usize,
        depth: u32,
    ) -> Result<Segment<'p>, Other> {
        // Ethernet fills short packets up.
        let ip = ip.get(..total.min(ip.len())).unwrap_or(ip);
        let payload = ip.get(header..).ok_or(Other::Cut)?;
        match protocol {
            6 => tcp(from, to, payload, total.saturating_sub(header)),
            // IP in IP; VXLAN on its own port and on Linux's old one.
            4 | 41 => self.ip(payload, depth),
            17 if matches!(half(payload, 2)?, 4789 | 8472) => {
                self.ethernet(payload.get(16..).ok_or(Other::Cut)?, depth)
            }
            _ => Err(Other::NotTcp),
        }
    }
}

fn tcp(from: IpAddr, to: IpAddr, tcp: &[u8], length: usize) -> Result<Segment<'_>, Other> {
    let word = |at: usize| {
        let raw = tcp.get(at..).and_then(|bytes| bytes.first_chunk());
        raw.map(|raw| u32::from_be_bytes(*raw)).ok_or(Other::Cut)
    };
    let header = usize::from(tcp.get(12).ok_or(Other::Cut)? >> 4) * 4;
    let flags = *tcp.get(13).ok_or(Other::Cut)?;
    if header < 20 {
        return Err(Other::NotTcp);
    }
    let data = tcp.get(header..).unwrap_or_default();
    Ok(Segment {
        from: SocketAddr::new(from, half(tcp, 0)?),
        to: SocketAddr::new(to, half(tcp, 2)?),
        sequence: word(4)?,
        ack: (flags & 0x10 != 0).then_some(word(8)?),
        syn: flags & 2 != 0,
        fin: flags & 1 != 0,
        reset: flags & 4 != 0,
        data,
        missing: length.saturating_sub(header).saturating_sub(data.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::write::{ip, segment};
    use super::*;

    fn four() -> (SocketAddr, SocketAddr) {
        (
            "10.0.0.1:4000".parse().unwrap(),
            "10.0.0.2:20880".parse().unwrap(),
        )
    }

    fn joined(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn segments_are_found_under_every_link_and_tunnel() {
        let (from, to) = four();
        let packet = segment(from, to, 7, 9, 0x18, b"data");
        let (from6, to6) = (
            "[fd00::1]:4000".parse().unwrap(),
            "[fd00::2]:20880".parse().unwrap(),
        );
        let packet6 = segment(from6, to6, 7, 9, 0x18, b"data");
        let macs = [0; 12];
        let udp = |port: u16, inner: &[u8]| joined(&[&[0, 1], &port.to_be_bytes(), &[0; 4], inner]);
        let ethernet = joined(&[&macs, &[8, 0], &packet]);
        let vxlan = ip(
            from.ip(),
            to.ip(),
            17,
            &udp(8472, &joined(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet])),
        );
        let cases = [
            (0, joined(&[&[2, 0, 0, 0], &packet])),
            (108, joined(&[&[0, 0, 0, 2], &packet])),
            (1, joined(&[&ethernet, &[0; 6]])),
            (1, joined(&[&macs, &[0x81, 0, 0, 7, 8, 0], &packet])),
            (
                1,
                joined(&[&macs, &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 7, 0x08, 0], &packet]),
            ),
            (
                1,
                joined(&[&macs, &[0x88, 0x64, 0x11, 0, 0, 0, 0, 0, 0, 0x21], &packet]),
            ),
            (101, packet.clone()),
            (228, packet.clone()),
            (113, joined(&[&[0; 14], &[8, 0], &packet])),
            (276, joined(&[&[8, 0], &[0; 18], &packet])),
            (101, vxlan),
            (101, ip(from.ip(), to.ip(), 4, &packet)),
        ];
        for (link, packet) in &cases {
            let found = read(*link, packet, packet.len()).unwrap();
            assert_eq!(
                (found.from, found.to, found.sequence, found.ack),
                (from, to, 7, Some(9))
            );
            assert_eq!((found.data, found.missing), (&b"data"[..], 0), "link {link}");
        }
        for (link, packet) in [
            (229, packet6.clone()),
            (1, joined(&[&macs, &[0x86, 0xdd], &packet6])),
        ] {
            let found = read(link, &packet, packet.len()).unwrap();
            assert_eq!((found.from, found.data), (from6, &b"data"[..]));
        }
    }

    #[test]
    fn what_the_capture_cut_off_is_counted() {
        let (from, to) = four();
        let packet = segment(from, to, 7, 9, 0x18, b"0123456789");
        let found = read(101, &packet[..packet.len() - 4], packet.len()).unwrap();
        assert_eq!((found.data, found.missing), (&b"012345"[..], 4));
        let found = read(101, &packet[..52], packet.len()).unwrap();
        assert_eq!((found.data.len(), found.missing), (0, 10));
        // A segment that the network card will cut: its IP header has no length.
        let mut large = packet.clone();
        large[2..4].copy_from_slice(&[0, 0]);
        let found = read(101, &large[..60], large.len()).unwrap();
        assert_eq!((found.data.len(), found.missing), (8, 2));
        for cut in 0..34 {
            assert_eq!(read(101, &packet[..cut], packet.len()), Err(Other::Cut), "{cut}");
        }
    }

    #[test]
    fn what_is_no_segment_is_told_apart() {
        let (from, to) = four();
        let mut fragment = segment(from, to, 1, 1, 0x10, b"x");
        fragment[6] = 0x20;
        assert_eq!(read(101, &fragment, 61), Err(Other::Fragment));
        assert_eq!(read(127, &fragment, 61), Err(Other::Link(127)));
        let udp = ip(from.ip(), to.ip(), 17, &[0; 8]);
        assert_eq!(read(101, &udp, 28), Err(Other::NotTcp));
        let arp = [[0; 12].as_slice(), &[8, 6], &[0; 28]].concat();
        assert_eq!(read(1, &arp, 42), Err(Other::NotTcp));
        // Tags without end.
        let tags = [[0; 12].as_slice(), &[0x81, 0, 0, 0].repeat(50)].concat();
        assert_eq!(read(1, &tags, tags.len()), Err(Other::NotTcp));
    }
}
