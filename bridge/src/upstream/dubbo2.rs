//! Calls on Dubbo2 providers: one connection carries many calls, told apart by request id.

mod calls;
mod driver;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use codecs::dubbo2::{
    DUBBO_VERSION, EncodeError, EncodeRequest, Frame, Response, ResponseBody, Status, descriptor,
};
use codecs::hessian2::{Limits, Scratch};
use codecs::invocation::Text;
use codecs::{Attachments, Encoding, Exception, Outcome, Payload, Reply};
use registries::directory::Endpoint;
use tokio::net::TcpStream;
use tokio::time::Instant;

use self::calls::Calls;
use super::Outgoing;
use super::pool::Link;
use crate::crossing;
use crate::error::{CallError, Kind, Limit, Refusal};
use crate::socket::Out;
use crate::worker::{Shard, Worker};

/// A call without a version says so with this, as Java does.
const NO_VERSION: &str = "0.0.0";

/// The most of a provider's error text that is handed on.
const TEXT: usize = 4096;

/// One byte: null.
const NULL: &[u8] = b"N";

/// A connection to a provider, shared by its calls and its driver.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    address: SocketAddr,
    out: RefCell<Out>,
    calls: RefCell<Calls>,
    driver: RefCell<Option<Waker>>,
    open: Cell<bool>,
    readonly: Cell<bool>,
    /// Calls placed since it was opened.
    placed: Cell<u64>,
    write_buffer: usize,
}

impl Link for Connection {
    async fn open(worker: Rc<Worker>, stream: TcpStream, address: SocketAddr) -> io::Result<Rc<Self>> {
        let settings = worker.shared.settings.load_full();
        let seed = worker.rng.borrow_mut().u32(..);
        let connection = Rc::new(Self {
            worker: worker.clone(),
            address,
            out: RefCell::default(),
            calls: RefCell::new(Calls::new(u64::from(seed))),
            driver: RefCell::new(None),
            open: Cell::new(true),
            readonly: Cell::new(false),
            placed: Cell::new(0),
            write_buffer: settings.limits.write_buffer,
        });
        Shard::up(&worker.shard.upstream);
        let driver = driver::Driver::new(connection.clone(), stream, settings);
        worker.tasks.attach_local(driver.run());
        Ok(connection)
    }

    fn is_open(&self) -> bool {
        self.open.get()
    }

    fn is_readonly(&self) -> bool {
        self.readonly.get()
    }

    fn in_flight(&self) -> usize {
        self.calls.borrow().in_flight()
    }

    fn room(&self) -> usize {
        if self.out.borrow().len() > self.write_buffer {
            return 0;
        }
        self.calls.borrow().room()
    }

    fn close(&self) {
        self.open.set(false);
        self.wake();
    }
}

impl Connection {
    /// The provider takes no new calls on this connection, or takes them again.
    fn set_readonly(&self, readonly: bool) {
        self.readonly.set(readonly);
        self.worker.upstreams.dubbo2.reconsider(self.address);
    }

    /// Has the driver look at what is to be written.
    fn wake(&self) {
        if let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
    }
}

/// Places a call and waits for its reply.
pub(super) async fn place(
    worker: &Rc<Worker>,
    endpoint: &Arc<Endpoint>,
    call: &Outgoing<'_>,
) -> Result<Reply, CallError> {
    let pool = &worker.upstreams.dubbo2;
    let connection = pool.link(worker, endpoint.address, call.connect_timeout).await?;
    let waiting = connection.send(worker, endpoint, call)?;
    call.sent.set(true);
    let Some(waiting) = waiting else {
        return Ok(nothing());
    };
    let frame = waiting.await?;
    decode(worker, frame)
}

impl Connection {
    /// Appends the call's frame to what is to be written; `None` for a one-way call, which has no reply.
    fn send(
        self: &Rc<Self>,
        worker: &Worker,
        endpoint: &Endpoint,
        call: &Outgoing<'_>,
    ) -> Result<Option<calls::Waiting>, CallError> {
        let mut out = self.out.borrow_mut();
        let start = out.end();
        let two_way = !call.one_way;
        let (id, waiting) = if two_way {
            let (id, slot) = self.calls.borrow_mut().begin(start);
            (id, Some(calls::Waiting::new(self.clone(), id, slot)))
        } else {
            (self.calls.borrow_mut().one_way(), None)
        };
        match &call.arguments.encoding {
            Encoding::Hessian2 => {
                let most = worker.shared.settings.load().limits.message;
                let scratch = &mut worker.scratch.borrow_mut().hessian;
                let attachments = self::attachments(endpoint, call, scratch)?;
                let request = EncodeRequest {
                    id,
                    two_way,
                    dubbo_version: DUBBO_VERSION,
                    path: match &*endpoint.peer.path {
                        "" => call.service.interface(),
                        path => path,
                    },
                    version: match call.service.version() {
                        "" => NO_VERSION,
                        version => version,
                    },
                    method: call.method,
                    descriptor: call.descriptor,
                    arguments: &call.arguments.bytes,
                    argument_count: descriptor::parameters(call.descriptor).count(),
                    attachments: &attachments,
                };
                request
                    .encode(most, scratch, &Limits::DEFAULT, out.buffer())
                    .map_err(|error| match error {
                        EncodeError::TooLarge { .. } => {
                            worker.shard.count_limit(Limit::Message);
                            CallError::downstream(Kind::BadRequest).because(error)
                        }
                        EncodeError::Value(_) => CallError::downstream(Kind::BadRequest).because(error),
                    })?;
            }
            Encoding::Opaque(serialization) => {
                let header = codecs::dubbo2::Header {
                    serialization: *serialization,
                    length: u32::try_from(call.arguments.bytes.len()).unwrap_or(u32::MAX),
                    ..codecs::dubbo2::Header::request(id, two_way)
                };
                out.buffer().extend_from_slice(&header.encode());
                out.buffer().extend_from_slice(&call.arguments.bytes);
            }
            Encoding::Wrapper | Encoding::Protobuf => return Err(CallError::bridge(Kind::Internal)),
        }
        drop(out);
        self.placed.set(self.placed.get().wrapping_add(1));
        self.wake();
        Ok(waiting)
    }
}

/// The attachments that the provider needs to find the service (Dubbo's `DubboProtocol.getInvoker`). A Dubbo2 caller has
/// named it itself; what it wrote stays as it is.
fn attachments<'a>(
    endpoint: &Endpoint,
    call: &'a Outgoing<'_>,
    scratch: &mut Scratch,
) -> Result<Cow<'a, Attachments>, CallError> {
    let from_headers = call.attachments.headers().is_some();
    let mut attachments = crossing::to_dubbo2(call.attachments, scratch)
        .map_err(|error| CallError::bridge(Kind::Internal).because(error))?;
    let (path, token) = (&endpoint.peer.path, &endpoint.peer.token);
    if !from_headers && path.is_empty() && token.is_none() {
        return Ok(attachments);
    }
    let set = attachments.to_mut();
    if from_headers {
        set.set(Text::from_static("interface"), call.service.interface());
        set.set(Text::from_static("path"), call.service.interface());
        for (name, value) in [
            ("version", call.service.version()),
            ("group", call.service.group()),
        ] {
            if !value.is_empty() {
                set.set(Text::from_static(name), value);
            }
        }
        if let Some(deadline) = call.deadline {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .as_millis()
                .max(1);
            set.set(Text::from_static("timeout"), left.to_string());
        }
    }
    if !path.is_empty() {
        set.set(Text::from_static("path"), &**path);
    }
    if let Some(token) = token {
        set.set(Text::from_static("token"), &*token.0);
    }
    Ok(attachments)
}

fn nothing() -> Reply {
    Reply {
        outcome: Outcome::Result(Payload::new(Encoding::Hessian2, NULL)),
        attachments: Attachments::new(),
    }
}

fn decode(worker: &Worker, frame: Frame) -> Result<Reply, CallError> {
    let response = Response::decode(&frame, &mut worker.scratch.borrow_mut().hessian, &Limits::DEFAULT)
        .map_err(|error| CallError::sent(Kind::BadReply).because(error))?;
    let hessian = |bytes: Bytes| Outcome::Result(Payload::new(Encoding::Hessian2, bytes));
    let outcome = match response.body {
        ResponseBody::Result(bytes) => hessian(bytes),
        ResponseBody::Null => hessian(Bytes::from_static(NULL)),
        ResponseBody::Exception(bytes) => Outcome::Exception(Exception::Throwable(bytes)),
        ResponseBody::Opaque(bytes) => Outcome::Result(Payload::new(
            Encoding::Opaque(response.header.serialization),
            bytes,
        )),
        ResponseBody::Error(text) => {
            return Err(refused(frame.header.status, frame.header.serialization, &text));
        }
    };
    Ok(Reply {
        outcome,
        attachments: response.attachments,
    })
}

/// A status other than 20. What nothing ran for counts as not sent.
fn refused(status: Status, serialization: u8, text: &str) -> CallError {
    let text = if text.is_empty() && serialization != codecs::dubbo2::HESSIAN2 {
        format!("text in serialization {serialization}")
    } else {
        crate::status::cut(text.to_owned(), TEXT)
    };
    let refusal = Refusal {
        status: status.0,
        text,
    };
    let sent = !refusal.did_not_run();
    let mut error = CallError::sent(Kind::Refused(refusal));
    error.sent = sent;
    error
}
