//! The calls in flight on one downstream connection.

use std::borrow::Cow;
use std::cell::Cell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use codecs::attachments::AttachmentValue;
use codecs::dubbo2::{Header, Request, may_carry_attachments};
use codecs::invocation::Text;
use codecs::{Encoding, Invocation, Payload};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use registries::directory::Protocol;
use tokio::time::Instant;

use crate::call::{self, Call, Caller, Target};
use crate::error::{CallError, Kind};
use crate::upstream::Answer;
use crate::worker::{Event, Worker};

/// A call that has ended.
pub(super) struct Done {
    /// The request's id.
    pub(super) id: u64,
    /// The consumer wants an answer.
    pub(super) two_way: bool,
    /// The consumer reads attachments of answers.
    pub(super) with_attachments: bool,
    /// What came of it.
    pub(super) result: Result<Answer, CallError>,
}

/// The calls in flight. Dropping it cancels them.
#[derive(Default)]
pub(super) struct Calls {
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Done>>>>,
}

impl Calls {
    pub(super) fn in_flight(&self) -> usize {
        self.running.len()
    }

    /// The next call that has ended; pending when all still run or there is none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Done>> {
        if self.running.is_empty() {
            return Poll::Pending;
        }
        self.running.poll_next_unpin(cx)
    }

    /// Starts a call.
    pub(super) fn start(
        &self,
        worker: &Rc<Worker>,
        caller: &Rc<Caller>,
        request: Request,
        received: Instant,
    ) {
        let (id, two_way) = (request.header.id, request.header.two_way);
        let with_attachments = may_carry_attachments(&request.dubbo_version);
        let call = invocation(worker, caller, request, received);
        self.run(worker, caller, id, two_way, with_attachments, call);
    }

    /// Starts a call in a serialization that we do not read, of which only the id is known: it can go where all calls
    /// go, to a provider of that same serialization. `false` where there is none.
    pub(super) fn opaque(
        &self,
        worker: &Rc<Worker>,
        caller: &Rc<Caller>,
        header: Header,
        body: Bytes,
        received: Instant,
    ) -> bool {
        let known = worker.cache.service(worker, caller.island(), "*", "", "");
        let serialization = header.serialization;
        let legacy = known.service.as_ref().and_then(|service| service.legacy.as_ref());
        let same = Protocol::Dubbo2 { serialization };
        if !legacy.is_some_and(|side| {
            side.cluster
                .endpoints
                .iter()
                .all(|endpoint| endpoint.protocol == same)
        }) {
            return false;
        }
        let call = Call {
            invocation: Invocation {
                service: known.key.clone(),
                method: Text::default(),
                descriptor: None,
                arguments: Payload::new(Encoding::Opaque(serialization), body),
                attachments: codecs::Attachments::new(),
                timeout: None,
                one_way: !header.two_way,
            },
            known,
            received,
            target: Target::dubbo2(Encoding::Opaque(serialization)),
            more: Cell::new(None),
        };
        self.run(worker, caller, header.id, header.two_way, false, call);
        true
    }

    fn run(
        &self,
        worker: &Rc<Worker>,
        caller: &Rc<Caller>,
        id: u64,
        two_way: bool,
        with_attachments: bool,
        call: Call,
    ) {
        let (worker, caller) = (worker.clone(), caller.clone());
        self.running.push(Box::pin(async move {
            let placed = AssertUnwindSafe(call::place(&worker, &caller, call)).catch_unwind();
            let result = placed.await.unwrap_or_else(|_| {
                worker.count(Event::Panic);
                Err(CallError::bridge(Kind::Internal))
            });
            Done {
                id,
                two_way,
                with_attachments,
                result,
            }
        }));
    }
}

/// What one pass over the attachments finds.
#[derive(Default)]
struct Found<'a> {
    path: Option<Cow<'a, str>>,
    group: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    timeout: Option<Duration>,
    countdown: Option<Duration>,
    interface: bool,
    dubbo: bool,
}

impl<'a> Found<'a> {
    fn of(request: &'a Request) -> Self {
        let mut found = Self::default();
        for (name, value) in request.attachments.iter() {
            let text = || value.to_text().filter(|text| !text.is_empty());
            match &*name {
                "path" => found.path = text(),
                "group" => found.group = text(),
                "version" => found.version = text(),
                "interface" => found.interface = text().is_some(),
                "timeout" => found.timeout = millis(&value),
                "_TO" | "_to" => found.countdown = millis(&value),
                "dubbo" => found.dubbo = true,
                _ => {}
            }
        }
        found
    }
}

/// A positive number of milliseconds, as int or text (Dubbo's `RpcUtils.getTimeout`).
fn millis(value: &AttachmentValue<'_>) -> Option<Duration> {
    let millis = match value {
        AttachmentValue::Int(millis) => u64::try_from(*millis).ok()?,
        AttachmentValue::Long(millis) => u64::try_from(*millis).ok()?,
        AttachmentValue::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (millis > 0).then(|| Duration::from_millis(millis.min(LONGEST)))
}

/// A day, in milliseconds: what a consumer can reasonably wait for.
const LONGEST: u64 = 86_400_000;

/// A version that means "none".
fn folded(version: &str) -> &str {
    match version {
        "0.0.0" | "*" => "",
        version => version,
    }
}

fn invocation(worker: &Rc<Worker>, caller: &Caller, request: Request, received: Instant) -> Call {
    let found = Found::of(&request);
    let path = found.path.as_deref().unwrap_or(request.path.as_str());
    let group = found.group.as_deref().unwrap_or_default();
    let version = folded(found.version.as_deref().unwrap_or(request.version.as_str()));
    let known = worker
        .cache
        .service(worker, caller.island(), path, group, version);
    let timeout = found.countdown.or(found.timeout);
    let (has_path, has_interface, has_dubbo) = (found.path.is_some(), found.interface, found.dubbo);
    let mut attachments = request.attachments;
    // dubbo-go finds nothing without it; a version that leaks through a hop breaks 2.6.2.
    if !has_path && !has_interface {
        attachments.set(Text::from_static("path"), request.path.clone());
        attachments.set(Text::from_static("interface"), request.path.clone());
    }
    if has_dubbo {
        attachments.remove("dubbo");
    }
    Call {
        invocation: Invocation {
            service: known.key.clone(),
            method: request.method,
            descriptor: request.descriptor,
            arguments: Payload::new(Encoding::Hessian2, request.arguments),
            attachments,
            timeout,
            one_way: !request.header.two_way,
        },
        known,
        received,
        target: Target::dubbo2(Encoding::Hessian2),
        more: Cell::new(None),
    }
}
