//! The attempts of one call within its cluster.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use codecs::hessian2::Limits;
use codecs::{Encoding, Invocation};
use registries::directory::{Endpoint, Protocol, Service};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::bound::Bound;
use super::known::Known;
use super::record::Record;
use super::retry::{self, Next};
use crate::balance::{self, InFlight};
use crate::error::{CallError, Kind, Limit};
use crate::route::{self, Decision};
use crate::upstream::{self, Answer, More, Outgoing};
use crate::worker::Worker;

pub(super) struct Attempts<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) service: &'a Arc<Service>,
    pub(super) known: &'a Known,
    pub(super) bound: &'a Bound,
    pub(super) decision: &'a Decision,
    pub(super) invocation: &'a Invocation,
    /// When the caller gives up; `None` for never.
    pub(super) deadline: Option<Instant>,
    pub(super) becomes: Option<Encoding>,
    pub(super) most_of_endpoint: u32,
    /// The caller had not ended its request with the first message.
    pub(super) streams: bool,
    pub(super) more: Cell<Option<More>>,
}

impl Attempts<'_> {
    /// The answer, and whether the call was repeated by the route's policy.
    pub(super) async fn run(&self, record: &mut Record) -> Result<(Answer, bool), CallError> {
        let mut tried: SmallVec<[SocketAddr; 4]> = SmallVec::new();
        let mut plan = retry::Plan::new(self.decision.retry());
        loop {
            let counted = self.pick(&tried)?;
            let endpoint = counted.endpoint().clone();
            record.tries(&endpoint);
            let sent = Cell::new(false);
            let result = self
                .attempt(&endpoint, plan.per_try_timeout(), &sent, record)
                .await;
            let now = Instant::now();
            balance::report(
                &self.decision.cluster,
                &endpoint,
                retry::verdict(&result),
                self.worker.now(now),
            );
            let others = self.decision.cluster.endpoints.len() > tried.len() + 1;
            // A stream of which a part was passed on cannot be repeated.
            let next = match self.streams && sent.get() {
                true => Next::Give,
                false => plan.next(&result, others, &mut self.worker.rng.borrow_mut()),
            };
            match next {
                Next::Again { after } if self.deadline.is_none_or(|deadline| now + after < deadline) => {
                    drop(counted);
                    record.retries();
                    tried.push(endpoint.address);
                    if !after.is_zero() {
                        tokio::time::sleep(after).await;
                    }
                }
                Next::Again { .. } | Next::Give => {
                    return match result {
                        Ok(mut answer) => {
                            if let Some(rest) = &mut answer.rest {
                                rest.counted = Some(counted);
                            }
                            Ok((answer, plan.by_policy()))
                        }
                        Err(mut error) => {
                            error.retried = plan.by_policy();
                            Err(error)
                        }
                    };
                }
            }
        }
    }

    fn pick(&self, tried: &[SocketAddr]) -> Result<InFlight, CallError> {
        let cluster = &self.decision.cluster;
        let now = self.worker.now(Instant::now());
        let pick = |tried: &[SocketAddr]| {
            let call = balance::Call {
                hash: self.decision.hash,
                tried,
                now,
            };
            balance::pick(cluster, &call, &mut self.worker.rng.borrow_mut())
        };
        let leaving = self.worker.upstreams.leaving();
        // What asked for no new calls is as good as tried, until there is nothing else.
        let staying = match leaving.is_empty() {
            true => None,
            false => pick(&[tried, &leaving].concat()).filter(|endpoint| {
                !tried.contains(&endpoint.address) && !leaving.contains(&endpoint.address)
            }),
        };
        let endpoint = staying
            .or_else(|| pick(tried))
            .ok_or_else(|| CallError::unsent(Kind::NoEndpoint).because(cluster.name.to_string()))?;
        let overloaded = |limit| {
            self.worker.shard.count_limit(limit);
            CallError::bridge(Kind::Overloaded(limit))
        };
        if endpoint.state.in_flight.load(Ordering::Relaxed) >= self.most_of_endpoint {
            return Err(overloaded(Limit::Endpoint));
        }
        balance::acquire(cluster, endpoint).map_err(|_| overloaded(Limit::Cluster))
    }

    /// One attempt, within the call's time and that of one attempt.
    async fn attempt(
        &self,
        endpoint: &Arc<Endpoint>,
        per_try: Option<Duration>,
        sent: &Cell<bool>,
        record: &mut Record,
    ) -> Result<Answer, CallError> {
        let from = self.invocation.arguments.encoding;
        let is_bound = self.bound.plan.method().is_some();
        let choice = route::choose_mode(self.service, endpoint, from, is_bound, self.becomes);
        record.crosses(choice.mode);
        if choice.encoding == Encoding::Protobuf && self.bound.is_echo {
            return self.bound.echo(self.worker, &self.invocation.arguments);
        }
        let streams =
            self.streams && choice.encoding == from && matches!(endpoint.protocol, Protocol::Triple { .. });
        if self.streams && !streams {
            self.end_of_request().await?;
        }
        let arguments = self
            .bound
            .plan
            .arguments(
                &self.invocation.arguments,
                self.invocation.descriptor.as_deref(),
                choice.encoding,
                &mut self.worker.scratch.borrow_mut(),
                &Limits::DEFAULT,
            )
            .map_err(|error| self.bound.refused(error))?;
        let path = match choice.encoding {
            Encoding::Hessian2 | Encoding::Opaque(_) => Cow::Borrowed(""),
            encoding => self.path(endpoint, encoding),
        };
        let deadline = match per_try {
            None => self.deadline,
            Some(per_try) => {
                let of_try = Instant::now() + per_try;
                Some(self.deadline.map_or(of_try, |deadline| deadline.min(of_try)))
            }
        };
        let (method, descriptor) = self.bound.java(self.invocation);
        let outgoing = Outgoing {
            service: &self.known.upstream_key,
            method,
            descriptor,
            path: &path,
            authority: self.decision.authority(),
            release: &endpoint.peer.release,
            arguments: &arguments,
            attachments: &self.invocation.attachments,
            one_way: self.invocation.one_way,
            deadline,
            connect_timeout: self.decision.cluster.connect_timeout,
            sent,
            may_stream: choice.encoding == from,
            streams,
            more: &self.more,
        };
        let placed = upstream::place(self.worker, endpoint, &outgoing);
        let Some(deadline) = deadline else {
            return placed.await;
        };
        match tokio::time::timeout_at(deadline, placed).await {
            Ok(result) => result.map_err(|error| error.or_late(deadline)),
            Err(_) if sent.get() => Err(CallError::sent(Kind::Timeout)),
            Err(_) => Err(CallError::unsent(Kind::Timeout)),
        }
    }

    /// Waits for the end of the request, for a target that takes one message.
    async fn end_of_request(&self) -> Result<(), CallError> {
        let Some(mut more) = self.more.take() else {
            return Ok(());
        };
        match self.deadline {
            None => more.finish().await,
            Some(deadline) => tokio::time::timeout_at(deadline, more.finish())
                .await
                .unwrap_or_else(|_| Err(CallError::downstream(Kind::Timeout))),
        }
    }

    /// `/service/method` as the endpoint names them.
    fn path(&self, endpoint: &Endpoint, encoding: Encoding) -> Cow<'_, str> {
        let (service, method) = match encoding {
            Encoding::Protobuf => self.bound.names(self.known),
            _ => {
                let service = match &*endpoint.peer.path {
                    "" => self.known.upstream_key.interface(),
                    // A path may begin with a slash in a provider's URL.
                    path => {
                        return Cow::Owned(format!(
                            "/{}/{}",
                            path.trim_start_matches('/'),
                            self.bound.java_name
                        ));
                    }
                };
                (service, &*self.bound.java_name)
            }
        };
        if let Some(rewritten) = self.decision.rewritten_path(service, method) {
            return Cow::Owned(rewritten);
        }
        match encoding {
            Encoding::Protobuf => Cow::Borrowed(&self.bound.proto_path),
            _ => Cow::Borrowed(&self.bound.java_path),
        }
    }
}
