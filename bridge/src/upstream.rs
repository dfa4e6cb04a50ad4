//! Places a call on an endpoint: matches on what the endpoint speaks.

mod dubbo2;
mod pool;
mod triple;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codecs::{Attachments, Payload, Reply, ServiceKey};
use registries::directory::{Endpoint, Protocol};
use tokio::time::Instant;

use crate::error::CallError;
use crate::worker::Worker;

/// A call as an upstream needs it: the payload is in the endpoint's encoding.
pub(crate) struct Outgoing<'a> {
    /// The service by its Dubbo key.
    pub(crate) service: &'a ServiceKey,
    /// The method as the upstream names it.
    pub(crate) method: &'a str,
    /// The service's and the method's name in a Triple path.
    pub(crate) path: (&'a str, &'a str),
    /// `:authority` on Triple; the endpoint's address when `None`.
    pub(crate) authority: Option<&'a str>,
    /// The parameter descriptor; `None` where neither the caller nor the binding knows it.
    pub(crate) descriptor: Option<&'a str>,
    /// The arguments.
    pub(crate) arguments: &'a Payload,
    /// The attachments.
    pub(crate) attachments: &'a Attachments,
    /// No answer is wanted.
    pub(crate) one_way: bool,
    /// When the caller gives up.
    pub(crate) deadline: Instant,
    /// The most time to connect.
    pub(crate) connect_timeout: Duration,
    /// Set as soon as the provider may have got the call.
    pub(crate) sent: &'a Cell<bool>,
}

/// The upstream connections of one worker.
#[derive(Default)]
pub(crate) struct Upstreams {
    pub(crate) dubbo2: pool::Pool<dubbo2::Connection>,
    pub(crate) triple: pool::Pool<triple::Connection>,
}

impl Upstreams {
    /// Ends all connections.
    pub(crate) fn close(&self) {
        self.dubbo2.close();
        self.triple.close();
    }
}

/// Places a call on an endpoint and waits for its reply. Dropping the future forgets the call.
pub(crate) async fn place(
    worker: &Rc<Worker>,
    endpoint: &Arc<Endpoint>,
    call: &Outgoing<'_>,
) -> Result<Reply, CallError> {
    match endpoint.protocol {
        Protocol::Dubbo2 { .. } => dubbo2::place(worker, endpoint, call).await,
        Protocol::Triple { .. } => triple::place(worker, endpoint, call).await,
    }
}
