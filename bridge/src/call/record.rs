//! What is counted and logged of one call. A call whose future is dropped counts as cancelled.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use codecs::Outcome as Answered;
use registries::directory::{Cluster, Endpoint, Mode, Protocol};
use tokio::time::Instant;

use super::{Call, Caller, Known, Method};
use crate::error::{CallError, Kind, Side};
use crate::route::Decision;
use crate::upstream::Answer;
use crate::worker::shard::{AccessRecord, Outcome};
use crate::worker::{Event, Shard, Wire, Worker};

pub(super) struct Record {
    worker: Rc<Worker>,
    caller: Caller,
    known: Rc<Known>,
    method: Rc<Method>,
    received: Instant,
    bytes_in: usize,
    bytes_out: usize,
    outcome: Outcome,
    error: Option<String>,
    mode: Option<Mode>,
    cluster: Option<Arc<Cluster>>,
    route: Option<Arc<str>>,
    endpoint: Option<Arc<Endpoint>>,
    attempts: u32,
}

impl Record {
    pub(super) fn begin(worker: &Rc<Worker>, caller: &Caller, call: &Call, method: Rc<Method>) -> Self {
        Shard::up(&worker.shard.in_flight);
        Self {
            worker: worker.clone(),
            caller: caller.clone(),
            known: call.known.clone(),
            method,
            received: call.received,
            bytes_in: call.invocation.arguments.bytes.len(),
            bytes_out: 0,
            outcome: Outcome::of(&Kind::Cancelled),
            error: None,
            mode: None,
            cluster: None,
            route: None,
            endpoint: None,
            attempts: 0,
        }
    }

    pub(super) fn routed(&mut self, decision: &Decision) {
        self.cluster = Some(decision.cluster.clone());
        self.route = decision.route.as_ref().map(|route| route.name.clone());
    }

    pub(super) fn tries(&mut self, endpoint: &Arc<Endpoint>) {
        self.attempts += 1;
        self.endpoint = Some(endpoint.clone());
    }

    pub(super) fn crosses(&mut self, mode: Mode) {
        self.mode = Some(mode);
    }

    pub(super) fn retries(&self) {
        self.worker.count(Event::Retry);
    }

    pub(super) fn finish(mut self, result: &Result<Answer, CallError>) {
        match result {
            Ok(answer) => match &answer.reply.outcome {
                Answered::Result(payload) => {
                    self.outcome = Outcome::OK;
                    self.bytes_out = payload.bytes.len();
                }
                Answered::Exception(_) => self.outcome = Outcome::EXCEPTION,
            },
            Err(error) => {
                self.outcome = Outcome::of(&error.kind);
                if self.worker.shared.access.is_some() || error.side == Side::Bridge {
                    self.error = Some(error.text());
                }
            }
        }
    }

    fn to(&self) -> Option<Wire> {
        Some(match self.endpoint.as_ref()?.protocol {
            Protocol::Dubbo2 { .. } => Wire::Dubbo2,
            Protocol::Triple { .. } => Wire::Triple,
        })
    }

    fn log(&mut self) {
        let Some(sink) = &self.worker.shared.access else {
            return;
        };
        let record = AccessRecord {
            at: SystemTime::now(),
            took: self.received.elapsed(),
            caller: self.caller.address,
            from: self.caller.wire,
            service: self.known.upstream_key.clone(),
            method: self.method.name.to_string(),
            to: self.to(),
            mode: self.mode,
            route: self.route.take().unwrap_or_default(),
            cluster: self.cluster.as_ref().map(|cluster| cluster.name.clone()),
            endpoint: self.endpoint.as_ref().map(|endpoint| endpoint.address),
            attempts: self.attempts,
            outcome: self.outcome,
            error: self.error.take(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        };
        if sink.try_send(record).is_err() {
            self.worker.count(Event::AccessLogFull);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let worker = self.worker.clone();
        Shard::down(&worker.shard.in_flight);
        let series = self
            .known
            .series(&worker, &self.method, self.caller.wire, self.to(), self.mode);
        series.record(
            self.outcome,
            self.received.elapsed(),
            self.bytes_in,
            self.bytes_out,
        );
        let retries = u64::from(self.attempts.saturating_sub(1));
        if retries > 0 {
            series.retries.fetch_add(retries, Ordering::Relaxed);
        }
        self.log();
    }
}
