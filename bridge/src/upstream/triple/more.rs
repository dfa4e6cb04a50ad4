//! What a streaming caller sends after its first message, on its way to the provider.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use codecs::triple::message::{MessageError, Splitter, prefix};
use h2::{RecvStream, SendStream};

use crate::error::{CallError, Kind};

/// The rest of a request that has not ended with its first message.
///
/// Messages are passed on one by one, and only as far as the provider's window allows: the caller's window is given
/// back when the provider has taken what it let through.
pub(crate) struct More {
    body: RecvStream,
    splitter: Splitter,
    /// A message on its way, prefix included.
    waiting: Bytes,
}

impl More {
    /// The rest of this body; `splitter` may hold bytes of it already.
    pub(crate) fn new(body: RecvStream, splitter: Splitter) -> Self {
        Self {
            body,
            splitter,
            waiting: Bytes::new(),
        }
    }

    /// Waits for the end of a request that must not have another message: its target takes no stream.
    pub(crate) async fn finish(&mut self) -> Result<(), CallError> {
        match poll_fn(|cx| self.poll_message(cx)).await? {
            None => Ok(()),
            Some(_) => {
                let why = "streams only cross between Triple or gRPC peers of one encoding";
                Err(CallError::downstream(Kind::Unsupported).because(why))
            }
        }
    }

    /// The next message, with its prefix.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, CallError>> {
        loop {
            if let Some(message) = self.splitter.next_message().map_err(broken)? {
                let mut framed = BytesMut::with_capacity(message.bytes.len() + 5);
                framed.extend_from_slice(&prefix(message.bytes.len(), message.compressed).map_err(broken)?);
                framed.extend_from_slice(&message.bytes);
                return Poll::Ready(Ok(Some(framed.freeze())));
            }
            match ready!(self.body.poll_data(cx)) {
                None => {
                    self.splitter.finish().map_err(broken)?;
                    return Poll::Ready(Ok(None));
                }
                Some(Ok(chunk)) => {
                    // An error is one of the stream, and comes with the next chunk.
                    let _ = self.body.flow_control().release_capacity(chunk.len());
                    self.splitter.push(chunk);
                }
                Some(Err(error)) => {
                    return Poll::Ready(Err(CallError::downstream(Kind::Cancelled).because(error)));
                }
            }
        }
    }

    /// Passes on what is there; ready when all was passed on, the end included.
    pub(super) fn poll_pass_on(
        &mut self,
        send: &mut SendStream<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), CallError>> {
        let lost = |error: h2::Error| CallError::sent(Kind::Closed).because(error);
        loop {
            if !self.waiting.is_empty() {
                send.reserve_capacity(self.waiting.len());
                let room = match ready!(send.poll_capacity(cx)) {
                    Some(room) => room.map_err(lost)?,
                    // The provider has ended the stream: what it answered says why.
                    None => return Poll::Ready(Ok(())),
                };
                let part = self.waiting.split_to(room.min(self.waiting.len()));
                send.send_data(part, false).map_err(lost)?;
                continue;
            }
            match ready!(self.poll_message(cx))? {
                Some(message) => self.waiting = message,
                None => {
                    // A stream that the provider has already ended needs no end of ours.
                    let _ = send.send_data(Bytes::new(), true);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

fn broken(error: MessageError) -> CallError {
    CallError::downstream(Kind::BadRequest).because(error)
}
