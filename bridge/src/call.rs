//! The path of one call; knows no protocol.
//!
//! ```text
//! service by key ─► hop ─► deadline ─► route ─► [ endpoint ─► payload by plan ─► upstream ]  ─► reply in the caller's encoding
//!                                                    └── once more, where nothing ran or the route allows it ──┘
//! ```

mod hop;
mod known;
mod record;
mod retry;
mod translate;

use std::borrow::Cow;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codecs::invocation::Text;
use codecs::{Attachments, Encoding, Invocation, Reply};
use registries::directory::{Endpoint, Island, Service};
use smallvec::SmallVec;
use tokio::time::Instant;

pub(crate) use known::{Cache, Known, Method};
use record::Record;
use retry::Next;
use translate::Translation;

use crate::balance::{self, InFlight};
use crate::error::{CallError, Kind, Limit};
use crate::limits::Timeouts;
use crate::route::{self, Decision, NotRouted, Why};
use crate::upstream::{self, Outgoing};
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

    /// The island that the listener sends all its calls to; `None` where the service decides.
    fn destination(&self) -> Option<Island> {
        self.becomes.map(|becomes| match becomes {
            Encoding::Hessian2 | Encoding::Opaque(_) => Island::Legacy,
            Encoding::Wrapper | Encoding::Protobuf => Island::Mesh,
        })
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
}

/// Places a call and gives its reply in the caller's encoding. Dropping the future cancels the call.
pub(crate) async fn place(worker: &Rc<Worker>, caller: &Caller, call: Call) -> Result<Reply, CallError> {
    let translation = call
        .known
        .service
        .as_ref()
        .map(|service| Translation::of(service, &call.invocation));
    let name = match &translation {
        // One name on both sides: of hops, labels and log lines.
        Some(translation) => translation.java(&call.invocation),
        None => &call.invocation.method,
    };
    let method = call.known.method(worker, name);
    let mut record = Record::begin(worker, caller, &call, method.clone());
    let result = match &translation {
        Some(translation) => run(worker, caller, call, &method, translation, &mut record).await,
        None => Err(CallError::downstream(Kind::UnknownService).because(call.known.key.to_string())),
    };
    record.finish(&result);
    result
}

async fn run(
    worker: &Rc<Worker>,
    caller: &Caller,
    call: Call,
    method: &Rc<Method>,
    translation: &Translation,
    record: &mut Record,
) -> Result<Reply, CallError> {
    let Call {
        known,
        mut invocation,
        received,
    } = call;
    let Some(service) = known.service.clone() else {
        return Err(CallError::downstream(Kind::UnknownService));
    };
    let settings = worker.shared.settings.load_full();
    hop::count(&mut invocation.attachments, method, settings.limits.hops)?;
    let decision = {
        let request = Seen {
            path: translation.path(routed_as(translation), &known.upstream_key, &invocation),
            attachments: &invocation.attachments,
            source: caller.address.ip(),
        };
        let rng = &mut worker.rng.borrow_mut();
        match caller.destination() {
            Some(island) => route::decide_in(&service, island, Why::Listener, &request, rng),
            None => route::decide(&service, caller.island(), &request, worker.now(received), rng),
        }
    };
    let decision = match decision {
        Ok(decision) => decision,
        Err(not) => return Err(not_routed(not).await),
    };
    record.routed(&decision);
    let deadline = received + time_budget(&invocation, &service, &decision, &settings.timeouts);
    if let Some(delay) = decision.delay {
        tokio::time::sleep_until(deadline.min(received + delay)).await;
    }
    prepare(&mut invocation.attachments, &decision);
    let attempts = Attempts {
        worker,
        service: &service,
        known: &known,
        decision: &decision,
        translation,
        invocation: &invocation,
        deadline,
        becomes: caller.becomes,
        most_of_endpoint: settings.limits.in_flight_per_endpoint,
    };
    let reply = attempts.run(record).await?;
    translation.reply(reply, invocation.arguments.encoding, worker)
}

/// Rules of the mesh are written for the paths that its natives use: protobuf's where the method has a binding.
fn routed_as(translation: &Translation) -> Encoding {
    if translation.is_bound() {
        Encoding::Protobuf
    } else {
        Encoding::Wrapper
    }
}

/// The time that a call has in all (`design.md` section 4 rule 2).
fn time_budget(
    invocation: &Invocation,
    service: &Service,
    decision: &Decision,
    timeouts: &Timeouts,
) -> Duration {
    let of_caller = invocation
        .timeout
        .or_else(|| service.legacy.as_ref()?.timeout(&invocation.method))
        .unwrap_or(timeouts.call);
    match decision.timeout() {
        Some(of_route) if !of_route.is_zero() => of_caller.min(of_route),
        _ => of_caller,
    }
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

/// The attempts of one call within its cluster.
struct Attempts<'a> {
    worker: &'a Rc<Worker>,
    service: &'a Arc<Service>,
    known: &'a Known,
    decision: &'a Decision,
    translation: &'a Translation,
    invocation: &'a Invocation,
    deadline: Instant,
    becomes: Option<Encoding>,
    most_of_endpoint: u32,
}

impl Attempts<'_> {
    async fn run(&self, record: &mut Record) -> Result<Reply, CallError> {
        let mut tried: SmallVec<[SocketAddr; 4]> = SmallVec::new();
        let mut plan = retry::Plan::new(self.decision.retry());
        loop {
            let counted = self.pick(&tried)?;
            let endpoint = counted.endpoint().clone();
            record.tries(&endpoint);
            let mut result = self.attempt(&endpoint, plan.per_try_timeout(), record).await;
            let now = self.worker.now(Instant::now());
            balance::report(&self.decision.cluster, &endpoint, retry::verdict(&result), now);
            drop(counted);
            let others = self.decision.cluster.endpoints.len() > tried.len() + 1;
            // Not in the `match` itself: the borrow would last over the awaits in its arms.
            let next = plan.next(&result, others, &mut self.worker.rng.borrow_mut());
            match next {
                Next::Give => {
                    if let Err(error) = &mut result {
                        error.retried = plan.by_policy();
                    }
                    return result;
                }
                Next::Again { after } if Instant::now() + after < self.deadline => {
                    record.retries();
                    tried.push(endpoint.address);
                    if !after.is_zero() {
                        tokio::time::sleep(after).await;
                    }
                }
                Next::Again { .. } => return result,
            }
        }
    }

    fn pick(&self, tried: &[SocketAddr]) -> Result<InFlight, CallError> {
        let cluster = &self.decision.cluster;
        let call = balance::Call {
            hash: self.decision.hash,
            tried,
            now: self.worker.now(Instant::now()),
        };
        let endpoint = balance::pick(cluster, &call, &mut self.worker.rng.borrow_mut())
            .ok_or_else(|| CallError::unsent(Kind::NoEndpoint).because(cluster.name.to_string()))?;
        let overloaded = |limit| {
            self.worker.shard.count_limit(limit);
            CallError::bridge(Kind::Overloaded(limit))
        };
        if endpoint
            .state
            .in_flight
            .load(std::sync::atomic::Ordering::Relaxed)
            >= self.most_of_endpoint
        {
            return Err(overloaded(Limit::Endpoint));
        }
        balance::acquire(cluster, endpoint).map_err(|_| overloaded(Limit::Cluster))
    }

    /// One attempt, within the call's time and that of one attempt.
    async fn attempt(
        &self,
        endpoint: &Arc<Endpoint>,
        per_try: Option<Duration>,
        record: &mut Record,
    ) -> Result<Reply, CallError> {
        let from = self.invocation.arguments.encoding;
        let choice = route::choose_mode(
            self.service,
            endpoint,
            from,
            self.translation.is_bound(),
            self.becomes,
        );
        record.crosses(choice.mode);
        let (translation, invocation) = (self.translation, self.invocation);
        let arguments = translation.arguments(invocation, choice.encoding, self.worker)?;
        let deadline = per_try.map_or(self.deadline, |per_try| {
            self.deadline.min(Instant::now() + per_try)
        });
        let sent = Cell::new(false);
        let key = &self.known.upstream_key;
        let attachments = Translation::attachments(invocation, endpoint.protocol, key, deadline);
        let outgoing = Outgoing {
            service: &self.known.upstream_key,
            method: translation.java(invocation),
            path: translation.path(choice.encoding, &self.known.upstream_key, invocation),
            authority: self.decision.authority(),
            descriptor: translation.descriptor(invocation),
            arguments: &arguments,
            attachments: &attachments,
            one_way: self.invocation.one_way,
            deadline,
            connect_timeout: self.decision.cluster.connect_timeout,
            sent: &sent,
        };
        match tokio::time::timeout_at(deadline, upstream::place(self.worker, endpoint, &outgoing)).await {
            Ok(result) => result,
            Err(_) if sent.get() => Err(CallError::sent(Kind::Timeout)),
            Err(_) => Err(CallError::unsent(Kind::Timeout)),
        }
    }
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
