//! Places a call on an endpoint: matches on what the endpoint speaks.

mod dubbo2;
mod pool;
mod triple;

use std::cell::{Cell, Ref};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use codecs::{Attachments, Payload, Reply, ServiceKey};
use registries::directory::{Endpoint, Protocol};
use tokio::time::Instant;

pub(crate) use triple::{More, Rest};

use crate::error::CallError;
use crate::worker::Worker;

/// A call as an upstream needs it: the payload is in the endpoint's encoding.
pub(crate) struct Outgoing<'a> {
    /// The service by its Dubbo key.
    pub(crate) service: &'a ServiceKey,
    /// The Java method.
    pub(crate) method: &'a str,
    /// The parameter descriptor; empty where neither the caller nor the binding knows it.
    pub(crate) descriptor: &'a str,
    /// `/service/method` as the endpoint names them, for Triple.
    pub(crate) path: &'a str,
    /// The authority that the route asks for, for Triple.
    pub(crate) authority: Option<&'a str>,
    /// The release of the peer's framework.
    pub(crate) release: &'a str,
    /// The arguments.
    pub(crate) arguments: &'a Payload,
    /// The attachments.
    pub(crate) attachments: &'a Attachments,
    /// No answer is wanted.
    pub(crate) one_way: bool,
    /// When the caller gives up; `None` for a stream without a time.
    pub(crate) deadline: Option<Instant>,
    /// The most time to connect.
    pub(crate) connect_timeout: Duration,
    /// Set as soon as the provider may have got the call.
    pub(crate) sent: &'a Cell<bool>,
    /// The reply may be a stream: the caller speaks the same encoding.
    pub(crate) may_stream: bool,
    /// The caller may send more.
    pub(crate) streams: bool,
    /// What more the caller sends.
    pub(crate) more: &'a Cell<Option<More>>,
}

/// What an upstream answered.
pub(crate) struct Answer {
    /// The reply; of a stream with its first message as the result.
    pub(crate) reply: Reply,
    /// What follows.
    pub(crate) rest: Option<Box<Rest>>,
}

impl Answer {
    /// A reply that nothing follows.
    pub(crate) fn whole(reply: Reply) -> Self {
        Self { reply, rest: None }
    }
}

/// The upstream connections of one worker.
#[derive(Default)]
pub(crate) struct Upstreams {
    dubbo2: pool::Pool<dubbo2::Connection>,
    triple: pool::Pool<triple::Connection>,
}

impl Upstreams {
    /// The addresses that asked for no new calls. Triple has none: what sent a GOAWAY is dialled anew.
    pub(crate) fn leaving(&self) -> Ref<'_, Vec<SocketAddr>> {
        self.dubbo2.leaving()
    }

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
) -> Result<Answer, CallError> {
    match endpoint.protocol {
        Protocol::Dubbo2 { .. } => dubbo2::place(worker, endpoint, call).await.map(Answer::whole),
        Protocol::Triple { .. } => triple::place(worker, endpoint, call).await,
    }
}
