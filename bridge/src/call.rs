//! The path of one call; knows no protocol.
//!
//! ```text
//! service by key ─► hop ─► deadline ─► route ─► [ endpoint ─► payload by plan ─► upstream ]  ─► reply in the caller's encoding
//!                                                    └── once more, where nothing ran or the route allows it ──┘
//! ```

mod attempts;
mod bound;
mod hop;
mod known;
mod record;
mod reply;
mod retry;

use std::borrow::Cow;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use codecs::invocation::Text;
use codecs::triple::headers::Caller as Generation;
use codecs::{Attachments, Encoding, Invocation};
use registries::directory::{Island, Service};
use tokio::time::Instant;

use attempts::Attempts;
pub(crate) use known::{Cache, Known, Method};
use record::Record;

use crate::error::{CallError, Kind, Limit};
use crate::limits::Timeouts;
use crate::route::{self, Decision, NotRouted, Why};
use crate::upstream::{Answer, More};
use crate::worker::{Wire, Worker};

/// Tells the next layer that this one has a retry policy of its own.
const NO_MORE_RETRIES: &str = "x-envoy-max-retries";

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What it speaks.
    pub(crate) wire: Wire,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// What the calls of its listener become, whatever the service.
    pub(crate) becomes: Option<Encoding>,
}

impl Caller {
    /// The island it lives in.
    pub(crate) fn island(&self) -> Island {
        match self.wire {
            Wire::Dubbo2 => Island::Legacy,
            Wire::Triple => Island::Mesh,
        }
    }
}

/// What the caller can read.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The encoding of results.
    pub(crate) encoding: Encoding,
    /// Which kind of Triple peer it is: decides the form of null in a wrapper.
    pub(crate) generation: Generation,
    /// The `serializeType` that it wrote.
    pub(crate) serialize_type: Text,
    /// It reads a Throwable as it is; others get a status.
    pub(crate) throwables: bool,
}

impl Target {
    /// A Dubbo2 consumer.
    pub(crate) fn dubbo2(encoding: Encoding) -> Self {
        Self {
            encoding,
            generation: Generation::Java,
            serialize_type: Text::default(),
            throwables: true,
        }
    }
}

/// One call on its way.
pub(crate) struct Call {
    /// The service as this worker knows it.
    pub(crate) known: Rc<Known>,
    /// The call itself.
    pub(crate) invocation: Invocation,
    /// When it was whole.
    pub(crate) received: Instant,
    /// What the caller can read.
    pub(crate) target: Target,
    /// What a streaming caller sends after its first message.
    pub(crate) more: Cell<Option<More>>,
}

/// Places a call and gives its reply in the caller's encoding. Dropping the future cancels the call.
pub(crate) async fn place(worker: &Rc<Worker>, caller: &Caller, call: Call) -> Result<Answer, CallError> {
    let method = call.known.method(worker, &call.invocation.method);
    let mut record = Record::begin(worker, caller, &call, method.clone());
    let result = run(worker, caller, call, &method, &mut record).await;
    record.finish(&result);
    result
}

async fn run(
    worker: &Rc<Worker>,
    caller: &Caller,
    call: Call,
    method: &Rc<Method>,
    record: &mut Record,
) -> Result<Answer, CallError> {
    let Call {
        known,
        mut invocation,
        received,
        target,
        more,
    } = call;
    let Some(service) = &known.service else {
        return Err(CallError::downstream(Kind::UnknownService).because(known.key.to_string()));
    };
    let settings = worker.shared.settings.load_full();
    hop::count(&mut invocation.attachments, method, settings.limits.hops)?;
    let bound = known.bound(worker, method, &invocation);
    let decision = {
        let request = Seen {
            path: bound.names(&known),
            attachments: &invocation.attachments,
            source: caller.address.ip(),
        };
        let (now, rng) = (worker.now(received), &mut worker.rng.borrow_mut());
        match caller.becomes {
            None => route::decide(service, caller.island(), &request, now, rng),
            Some(becomes) => {
                let island = route::island_of(becomes);
                route::decide_in(service, island, Why::Listener, &request, rng)
            }
        }
    };
    let decision = match decision {
        Ok(decision) => decision,
        Err(not) => return Err(not_routed(not).await),
    };
    record.routed(&decision);
    let budget = time_budget(caller, &invocation, service, &decision, &settings.timeouts);
    if let Some(delay) = decision.delay {
        tokio::time::sleep_until(received + budget.map_or(delay, |budget| delay.min(budget))).await;
    }
    prepare(&mut invocation.attachments, &decision);
    let streams = more.take();
    let attempts = Attempts {
        worker,
        service,
        known: &known,
        bound: &bound,
        decision: &decision,
        invocation: &invocation,
        deadline: budget.map(|budget| received + budget),
        becomes: caller.becomes,
        most_of_endpoint: settings.limits.in_flight_per_endpoint,
        streams: streams.is_some(),
        more: Cell::new(streams),
    };
    let (answer, retried) = attempts.run(record).await?;
    reply::convert(worker, &bound, &target, answer, retried)
}

/// The time that a call has in all; `None` for one between Triple peers of which neither
/// the caller nor the route says anything: it may be a stream.
fn time_budget(
    caller: &Caller,
    invocation: &Invocation,
    service: &Service,
    decision: &Decision,
    timeouts: &Timeouts,
) -> Option<Duration> {
    let of_route = decision.timeout().filter(|timeout| !timeout.is_zero());
    let of_caller = invocation
        .timeout
        .or_else(|| service.legacy.as_ref()?.timeout(&invocation.method));
    if caller.wire == Wire::Triple && decision.island == Island::Mesh && invocation.timeout.is_none() {
        return of_route;
    }
    let of_caller = of_caller.unwrap_or(timeouts.call);
    Some(of_route.map_or(of_caller, |of_route| of_route.min(of_caller)))
}

/// The attachments as they leave: with what the route sets and without what it removes.
fn prepare(attachments: &mut Attachments, decision: &Decision) {
    if decision.route.is_none() {
        return;
    }
    for name in decision.headers_to_remove() {
        attachments.remove(name);
    }
    if decision.retry().is_some() {
        attachments.set(Text::from_static(NO_MORE_RETRIES), Text::from_static("0"));
    }
    // Appending and replacing are the same for an attachment, which has one value; commands stay as written.
    for (name, value, append) in decision.headers_to_add() {
        let before = attachments.get_text(name).filter(|_| *append);
        let value = match before {
            Some(before) => format!("{before},{value}"),
            None => value.to_string(),
        };
        attachments.set(&**name, value);
    }
}

async fn not_routed(not: NotRouted) -> CallError {
    if let Some(delay) = not.delay {
        tokio::time::sleep(delay).await;
    }
    let kind = match not.reason {
        route::Reason::NR | route::Reason::NC | route::Reason::UH => Kind::NoEndpoint,
        route::Reason::UO => Kind::Overloaded(Limit::Cluster),
        _ => Kind::Aborted(not.code),
    };
    CallError::bridge(kind).because(not)
}

/// What routing sees of a call.
struct Seen<'a> {
    path: (&'a str, &'a str),
    attachments: &'a Attachments,
    source: IpAddr,
}

impl route::Request for Seen<'_> {
    fn path(&self) -> (&str, &str) {
        self.path
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        // Names of attachments keep their case; as headers they would have lost it.
        let found = self
            .attachments
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        found.1.to_text().map(|text| Cow::Owned(text.into_owned()))
    }

    fn source(&self) -> Option<IpAddr> {
        Some(self.source)
    }
}
