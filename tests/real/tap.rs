//! A relay that keeps a copy of what passes, to compare the bytes on both sides of the gateway.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// Bytes by connection and direction.
pub(crate) struct Tap {
    /// Where to connect instead of the target.
    pub(crate) port: u16,
    requests: Kept,
    responses: Kept,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// One whole Dubbo2 frame.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The 16 bytes before the body.
    pub(crate) header: [u8; 16],
    /// The rest.
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// Whether it is a heartbeat or another event.
    pub(crate) fn is_event(&self) -> bool {
        self.header[2] & 0x20 != 0
    }
}

impl Tap {
    /// Listens on every address and relays to `127.0.0.1:target`.
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, responses) = (Kept::default(), Kept::default());
        let (cut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let tap = Self {
            port,
            requests: Arc::clone(&requests),
            responses: Arc::clone(&responses),
            cut: Arc::clone(&cut),
            open: Arc::clone(&open),
        };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if cut.load(SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                let both = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                open.lock().unwrap().extend(both);
                relay(
                    client.try_clone().unwrap(),
                    server.try_clone().unwrap(),
                    &requests,
                );
                relay(server, client, &responses);
            }
        });
        tap
    }

    /// Closes every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        self.cut.store(true, SeqCst);
        for socket in self.open.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Relays again.
    pub(crate) fn heal(&self) {
        self.cut.store(false, SeqCst);
    }

    /// All requests, connection by connection.
    pub(crate) fn requests(&self) -> Vec<Frame> {
        frames(&self.requests)
    }

    /// All responses, connection by connection.
    pub(crate) fn responses(&self) -> Vec<Frame> {
        frames(&self.responses)
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, kept: &Kept) {
    let kept = Arc::clone(kept);
    let slot = {
        let mut all = kept.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            kept.lock().unwrap()[slot].extend_from_slice(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn frames(kept: &Kept) -> Vec<Frame> {
    let mut frames = Vec::new();
    for bytes in kept.lock().unwrap().iter() {
        let mut rest = bytes.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            assert_eq!(header[..2], [0xda, 0xbb], "not a Dubbo2 frame");
            let length = u32::from_be_bytes([header[12], header[13], header[14], header[15]]) as usize;
            let Some((body, next)) = after.split_at_checked(length) else {
                break;
            };
            frames.push(Frame {
                header: *header,
                body: body.to_vec(),
            });
            rest = next;
        }
    }
    frames
}
