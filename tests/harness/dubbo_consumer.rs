//! A simulated Dubbo2 consumer: one connection, any number of calls in flight, and any bytes on command.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::dubbo2::{Call, Frame, Response};
use crate::task::Task;

/// How long a consumer waits for anything before it calls that a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

type Pending = Arc<std::sync::Mutex<HashMap<u64, oneshot::Sender<Frame>>>>;

/// One connection of a Dubbo2 consumer.
#[derive(Debug)]
pub struct DubboConsumer {
    writer: Mutex<OwnedWriteHalf>,
    pending: Pending,
    next: AtomicU64,
    events: Mutex<mpsc::UnboundedReceiver<Frame>>,
    closed: watch::Receiver<bool>,
    _reader: Task,
}

/// Why a call of a simulated consumer has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The connection failed.
    #[error("connection failed")]
    Io(#[from] std::io::Error),
    /// The connection ended.
    #[error("connection closed without an answer")]
    Closed,
    /// Nothing came in time.
    #[error("no answer within {PATIENCE:?}")]
    Silence,
    /// The answer cannot be read.
    #[error("answer cannot be read: {0}")]
    Unreadable(String),
}

impl DubboConsumer {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(address: SocketAddr) -> Result<Self, NoAnswer> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (reader, writer) = socket.into_split();
        let pending: Pending = Arc::default();
        let (events, seen) = mpsc::unbounded_channel();
        let (close, closed) = watch::channel(false);
        let waiting = pending.clone();
        let task = Task::spawn(async move {
            let mut reader = BufReader::new(reader);
            while let Some(frame) = Frame::read(&mut reader).await {
                let waiter = waiting
                    .lock()
                    .ok()
                    .and_then(|mut waiting| waiting.remove(&frame.id));
                match waiter {
                    Some(waiter) if !frame.is_request() => drop(waiter.send(frame)),
                    _ => drop(events.send(frame)),
                }
            }
            if let Ok(mut waiting) = waiting.lock() {
                waiting.clear();
            }
            close.send_replace(true);
        });
        Ok(Self {
            writer: Mutex::new(writer),
            pending,
            next: AtomicU64::new(1),
            events: Mutex::new(seen),
            closed,
            _reader: task,
        })
    }

    /// Places a call and waits for its answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn call(&self, call: &Call) -> Result<Response, NoAnswer> {
        let frame = self.exchange(|id| Frame::request(id, call.to_body())).await?;
        Response::read(&frame).map_err(|error| NoAnswer::Unreadable(error.to_string()))
    }

    /// Sends a frame of a fresh id and waits for the frame that answers it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn exchange(&self, frame: impl FnOnce(u64) -> Frame) -> Result<Frame, NoAnswer> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        if let Ok(mut pending) = self.pending.lock() {
            pending.insert(id, answer);
        }
        if *self.closed.borrow() {
            return Err(NoAnswer::Closed);
        }
        self.send(&frame(id).to_bytes()).await?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(_)) => Err(NoAnswer::Closed),
            Err(_) => Err(NoAnswer::Silence),
        }
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), NoAnswer> {
        self.writer.lock().await.write_all(bytes).await?;
        Ok(())
    }

    /// The next frame that answers no call: events of the provider, and answers nobody waits for.
    ///
    /// # Errors
    /// When none comes.
    pub async fn event(&self) -> Result<Frame, NoAnswer> {
        let mut events = self.events.lock().await;
        match tokio::time::timeout(PATIENCE, events.recv()).await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(NoAnswer::Closed),
            Err(_) => Err(NoAnswer::Silence),
        }
    }

    /// Waits until the other side has closed the connection.
    ///
    /// # Errors
    /// When it does not.
    pub async fn closed(&self) -> Result<(), NoAnswer> {
        let mut closed = self.closed.clone();
        match tokio::time::timeout(PATIENCE, closed.wait_for(|closed| *closed)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(NoAnswer::Silence),
        }
    }
}
