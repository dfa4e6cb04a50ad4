//! Writes captures, for tests: files, packets of every link type, and conversations.

use std::net::{IpAddr, SocketAddr};

fn number(value: u32, little: bool) -> [u8; 4] {
    if little {
        value.to_le_bytes()
    } else {
        value.to_be_bytes()
    }
}

/// A pcap file of packets with their times in nanoseconds.
pub(super) fn pcap(link: u32, little: bool, nanos: bool, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let magic = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut file = number(magic, little).to_vec();
    file.extend_from_slice(&if little { [2, 0, 4, 0] } else { [0, 2, 0, 4] });
    for value in [0, 0, 0xffff, link] {
        file.extend_from_slice(&number(value, little));
    }
    for (time, data) in packets {
        let unit = if nanos { 1 } else { 1000 };
        let length = u32::try_from(data.len()).unwrap();
        let seconds = u32::try_from(time / 1_000_000_000).unwrap();
        let fraction = u32::try_from(time % 1_000_000_000 / unit).unwrap();
        for value in [seconds, fraction, length, length] {
            file.extend_from_slice(&number(value, little));
        }
        file.extend_from_slice(data);
    }
    file
}

/// A pcapng file of one section and interface, with a block between that nobody knows.
pub(super) fn pcapng(link: u32, little: bool, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0x0a, 0x0d, 0x0d, 0x0a];
    for value in [28, 0x1a2b_3c4d] {
        file.extend_from_slice(&number(value, little));
    }
    file.extend_from_slice(&if little { [1, 0, 0, 0] } else { [0, 1, 0, 0] });
    file.extend_from_slice(&[0xff; 8]);
    file.extend_from_slice(&number(28, little));
    let mut block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len().next_multiple_of(4) + 12).unwrap();
        file.extend_from_slice(&number(kind, little));
        file.extend_from_slice(&number(length, little));
        file.extend_from_slice(body);
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend_from_slice(&number(length, little));
    };
    let short = |value: u16| {
        if little {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    };
    let mut interface = short(u16::try_from(link).unwrap()).to_vec();
    interface.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    // Nanoseconds.
    interface.extend_from_slice(&short(9));
    interface.extend_from_slice(&short(1));
    interface.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0]);
    block(1, &interface);
    block(0xbad, b"unknown");
    for (time, data) in packets {
        let length = u32::try_from(data.len()).unwrap();
        let mut body = number(0, little).to_vec();
        let (high, low) = (
            u32::try_from(time >> 32).unwrap(),
            u32::try_from(time & 0xffff_ffff).unwrap(),
        );
        for value in [high, low, length, length] {
            body.extend_from_slice(&number(value, little));
        }
        body.extend_from_slice(data);
        block(6, &body);
    }
    file
}

/// An IP packet with a TCP segment.
pub(super) fn segment(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    ack: u32,
    flags: u8,
    data: &[u8],
) -> Vec<u8> {
    let mut tcp = from.port().to_be_bytes().to_vec();
    tcp.extend_from_slice(&to.port().to_be_bytes());
    tcp.extend_from_slice(&sequence.to_be_bytes());
    tcp.extend_from_slice(&ack.to_be_bytes());
    // Eight words of header: three of options, which are to be passed over.
    tcp.extend_from_slice(&[0x80, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend_from_slice(&[1; 12]);
    tcp.extend_from_slice(data);
    ip(from.ip(), to.ip(), 6, &tcp)
}

/// An IP packet.
pub(super) fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = u16::try_from(payload.len() + 20).unwrap().to_be_bytes();
            let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
            ip.extend_from_slice(&from.octets());
            ip.extend_from_slice(&to.octets());
            ip.extend_from_slice(payload);
            ip
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            // One header of options in between, to be passed over.
            let length = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
            let mut ip = vec![0x60, 0, 0, 0, length[0], length[1], 0, 64];
            ip.extend_from_slice(&from.octets());
            ip.extend_from_slice(&to.octets());
            ip.extend_from_slice(&[protocol, 0, 1, 4, 0, 0, 0, 0]);
            ip.extend_from_slice(payload);
            ip
        }
        _ => panic!("addresses of two families"),
    }
}
