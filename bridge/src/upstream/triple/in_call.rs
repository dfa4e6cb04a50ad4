//! One call's stream: its halves, and what happens when the call is given up.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::Response;

use super::Connection;
use super::more::More;
use crate::error::CallError;
use crate::upstream::pool::Link;
use crate::worker::Event;

/// How long a stream that may not be reset is drained before it is reset all the same.
const DRAIN: Duration = Duration::from_secs(30);

/// A call that is counted on its connection until this is dropped.
pub(super) struct Counted(pub(super) Rc<Connection>);

impl Counted {
    pub(super) fn new(link: &Rc<Connection>) -> Self {
        link.in_flight.set(link.in_flight.get() + 1);
        link.placed.set(link.placed.get().wrapping_add(1));
        Self(link.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
        if self.0.is_open() {
            self.0.worker.upstreams.triple.freed(self.0.address);
        } else if self.0.in_flight.get() == 0 {
            self.0.close();
        }
    }
}

/// The halves of a call's stream. Dropped before its end, the stream is reset, within the connection's budget.
pub(crate) struct InCall {
    counted: Option<Counted>,
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
    send: Option<SendStream<Bytes>>,
    more: Option<More>,
    position: u64,
    ended: bool,
}

impl InCall {
    pub(super) fn new(
        counted: Counted,
        response: ResponseFuture,
        send: SendStream<Bytes>,
        more: Option<More>,
        position: u64,
    ) -> Self {
        Self {
            counted: Some(counted),
            response: Some(response),
            body: None,
            send: Some(send),
            more,
            position,
            ended: false,
        }
    }

    fn failed(&mut self, error: h2::Error) -> CallError {
        self.ended = true;
        match &self.counted {
            Some(counted) => counted.0.failed(error, self.position),
            None => CallError::sent(crate::error::Kind::Closed).because(error),
        }
    }

    /// Passes on what more the caller sends, as far as the peer's window lets it.
    fn pump(&mut self, cx: &mut Context<'_>) -> Result<(), CallError> {
        let (Some(more), Some(send)) = (&mut self.more, &mut self.send) else {
            return Ok(());
        };
        match more.poll_pass_on(send, cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => {
                self.more = None;
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }

    /// The response's head.
    pub(super) async fn head(&mut self) -> Result<http::response::Parts, CallError> {
        let response: Response<RecvStream> = poll_fn(|cx| {
            self.pump(cx)?;
            let Some(response) = &mut self.response else {
                return Poll::Pending;
            };
            Pin::new(response).poll(cx).map_err(|error| self.failed(error))
        })
        .await?;
        self.response = None;
        let (head, body) = response.into_parts();
        self.ended = body.is_end_stream();
        self.body = Some(body);
        Ok(head)
    }

    /// The next chunk of the body; `None` at its end.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, CallError>> {
        self.pump(cx)?;
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(None));
        };
        match body.poll_data(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Ok(chunk))) => {
                // An error is one of the stream, and comes with the next chunk.
                let _ = body.flow_control().release_capacity(chunk.len());
                Poll::Ready(Ok(Some(chunk)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(self.failed(error))),
        }
    }

    /// The trailers, after the last chunk.
    pub(super) async fn trailers(&mut self) -> Result<Option<http::HeaderMap>, CallError> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        let trailers = poll_fn(|cx| body.poll_trailers(cx)).await;
        self.ended = true;
        trailers.map_err(|error| self.failed(error))
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        let Some(counted) = self.counted.take() else {
            return;
        };
        if self.ended || !counted.0.is_open() || counted.0.may_reset() {
            return;
        }
        let worker = counted.0.worker.clone();
        worker.count(Event::ResetSpared);
        // The stream still counts as in flight: the peer's limit counts it, too.
        let (response, body, send) = (self.response.take(), self.body.take(), self.send.take());
        worker.tasks.attach_local(async move {
            let _ = tokio::time::timeout(DRAIN, discard(response, body)).await;
            drop((send, counted));
        });
    }
}

async fn discard(response: Option<ResponseFuture>, body: Option<RecvStream>) {
    let body = match (response, body) {
        (Some(response), _) => response.await.ok().map(Response::into_body),
        (None, body) => body,
    };
    let Some(mut body) = body else { return };
    while let Some(Ok(chunk)) = body.data().await {
        let _ = body.flow_control().release_capacity(chunk.len());
    }
    let _ = body.trailers().await;
}
