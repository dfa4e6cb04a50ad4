//! Dubbo2 by hand: an echo provider, and a connection that calls it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::load::{Load, Shared};

/// The service of this bench on both sides.
pub(crate) const INTERFACE: &str = "landbridge.bench.EchoService";

const HEADER: usize = 16;
const EVENT: u8 = 0x20;
const TWO_WAY: u8 = 0x40;
const REQUEST: u8 = 0x80;
const HESSIAN2: u8 = 2;
const OK: u8 = 20;

/// Listens on a free port and echoes the string of every call.
pub(crate) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            tokio::spawn(async move { provide(socket).await });
        }
    });
    address
}

async fn provide(mut socket: TcpStream) {
    let (mut input, mut output) = (Vec::with_capacity(64 * 1024), Vec::new());
    while socket.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        let mut at = 0;
        while let Some((header, body)) = frame(&input[at..]) {
            at += HEADER + body.len();
            if header[2] & REQUEST != 0 && header[2] & TWO_WAY != 0 {
                answer(header, body, &mut output);
            }
        }
        input.drain(..at);
        if !output.is_empty() && socket.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

/// What Dubbo 2.7.23 answers: the value with attachments `{dubbo: 2.0.2}`; a heartbeat gets a null.
fn answer(header: &[u8], body: &[u8], output: &mut Vec<u8>) {
    let event = header[2] & EVENT;
    output.extend_from_slice(&[0xda, 0xbb, HESSIAN2 | event, OK]);
    output.extend_from_slice(&header[4..12]);
    let length_at = output.len();
    output.extend_from_slice(&[0; 4]);
    if event != 0 {
        output.push(b'N');
    } else {
        output.push(0x94);
        output.extend_from_slice(fifth(body));
        output.extend_from_slice(b"H\x05dubbo\x052.0.2Z");
    }
    let length = u32::try_from(output.len() - length_at - 4).unwrap();
    output[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The bytes of the argument: the sixth string of a request's body.
fn fifth(body: &[u8]) -> &[u8] {
    let start: usize = (0..5).fold(0, |at, _| at + string_length(&body[at..]));
    &body[start..start + string_length(&body[start..])]
}

/// The encoded length of an ASCII Hessian string.
fn string_length(bytes: &[u8]) -> usize {
    match bytes[0] {
        short @ 0..=0x1f => 1 + usize::from(short),
        medium @ 0x30..=0x33 => 2 + (usize::from(medium - 0x30) << 8) + usize::from(bytes[1]),
        b'S' => 3 + (usize::from(bytes[1]) << 8) + usize::from(bytes[2]),
        other => panic!("0x{other:02x} begins no string"),
    }
}

/// A Hessian string of ASCII letters.
pub(crate) fn string(text: &str, output: &mut Vec<u8>) {
    let length = text.len();
    match length {
        0..=31 => output.push(u8::try_from(length).unwrap()),
        32..=1023 => output.extend_from_slice(&[
            0x30 + u8::try_from(length >> 8).unwrap(),
            u8::try_from(length & 0xff).unwrap(),
        ]),
        _ => {
            output.push(b'S');
            output.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    output.extend_from_slice(text.as_bytes());
}

/// A call of `echo(text)`; bytes 4..12 are the id.
fn request(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for field in ["2.0.2", INTERFACE, "0.0.0", "echo", "Ljava/lang/String;", text] {
        string(field, &mut body);
    }
    body.push(b'H');
    for field in [
        "path",
        INTERFACE,
        "remote.application",
        "bench",
        "interface",
        INTERFACE,
        "timeout",
        "10000",
    ] {
        string(field, &mut body);
    }
    body.push(b'Z');
    let mut frame = vec![
        0xda,
        0xbb,
        REQUEST | TWO_WAY | HESSIAN2,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&body);
    frame
}

/// One connection: calls until told to stop, then waits for what is in flight.
pub(crate) async fn call(
    socket: TcpStream,
    load: Load,
    text: String,
    shared: Arc<Shared>,
) -> Result<Vec<u32>, String> {
    let mut request = request(&text);
    let mut wanted = Vec::new();
    string(&text, &mut wanted);
    let (mut reader, mut writer) = socket.into_split();
    let (mut input, mut output) = (Vec::with_capacity(64 * 1024), Vec::new());
    let mut latencies = Vec::new();
    // a call's slot is the low half of its id; a slot is free again when it is answered
    let mut sent: Vec<Instant> = vec![Instant::now(); load.in_flight()];
    let mut free: Vec<usize> = (0..load.in_flight()).collect();
    let mut pace = load.pace().map(|pace| {
        let mut ticks = tokio::time::interval(pace);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        ticks
    });
    loop {
        let due = match &pace {
            None => free.len(),
            Some(_) => 0,
        };
        if !shared.stopped() {
            for _ in 0..due {
                begin(&mut free, &mut sent, &mut request, &mut output);
            }
        } else if free.len() == sent.len() {
            return Ok(latencies);
        }
        if !output.is_empty() {
            writer
                .write_all(&output)
                .await
                .map_err(|error| error.to_string())?;
            output.clear();
        }
        let read = match &mut pace {
            None => reader.read_buf(&mut input).await,
            Some(ticks) => tokio::select! {
                read = reader.read_buf(&mut input) => read,
                _ = ticks.tick() => {
                    if !shared.stopped() {
                        if free.is_empty() {
                            return Err("answers do not keep pace".to_owned());
                        }
                        begin(&mut free, &mut sent, &mut request, &mut output);
                    }
                    continue;
                }
            },
        };
        match read {
            Ok(0) => return Err("the connection was closed".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
        let mut at = 0;
        while let Some((header, body)) = frame(&input[at..]) {
            at += HEADER + body.len();
            if header[2] & (REQUEST | EVENT) != 0 {
                continue;
            }
            if header[3] != OK || body.get(1..1 + wanted.len()) != Some(&wanted) {
                return Err(format!(
                    "status {}: {}",
                    header[3],
                    String::from_utf8_lossy(&body[..body.len().min(300)])
                ));
            }
            let slot = usize::try_from(u64::from_be_bytes(header[4..12].try_into().unwrap())).unwrap();
            shared.answered(sent[slot], &mut latencies);
            free.push(slot);
        }
        input.drain(..at);
    }
}

fn begin(free: &mut Vec<usize>, sent: &mut [Instant], request: &mut [u8], output: &mut Vec<u8>) {
    let Some(slot) = free.pop() else { return };
    sent[slot] = Instant::now();
    request[4..12].copy_from_slice(&u64::try_from(slot).unwrap().to_be_bytes());
    output.extend_from_slice(request);
}

/// The first whole frame of `input`.
fn frame(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = input.split_at_checked(HEADER)?;
    assert_eq!(header[..2], [0xda, 0xbb], "not a Dubbo2 frame");
    let length = usize::try_from(u32::from_be_bytes(header[12..16].try_into().unwrap())).unwrap();
    Some((header, rest.get(..length)?))
}
