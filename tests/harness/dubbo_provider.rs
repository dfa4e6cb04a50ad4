//! A simulated Dubbo2 provider on a port of its own: answers as it is told, with faults on command.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};

use crate::dubbo2::{Call, Frame, Response};
use crate::hessian::Value;
use crate::task::Task;

/// What the provider does with a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answers with a result.
    Value(Value),
    /// Throws: class and message.
    Throw(String, String),
    /// Answers with a status other than 20.
    Status(u8, String),
    /// Answers with status 20 and this body.
    Body(Vec<u8>),
    /// Sends these bytes instead of a frame.
    Garbage(Vec<u8>),
    /// Never answers.
    Nothing,
    /// Closes the connection.
    Close,
    /// Does it after a time.
    After(Duration, Box<Answer>),
}

impl Answer {
    /// A result that is a string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Value(Value::text(text))
    }
}

type Behaviour = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

/// What is told to all connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Readonly,
    Close,
}

/// A provider that listens until it is dropped.
#[derive(Debug)]
pub struct DubboProvider {
    address: SocketAddr,
    calls: Calls,
    commands: broadcast::Sender<Command>,
    _accept: Task,
}

/// The calls that were received, in order.
#[derive(Debug, Clone)]
struct Calls {
    list: Arc<Mutex<Vec<Call>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Calls {
    fn new() -> Self {
        Self {
            list: Arc::default(),
            count: Arc::new(watch::channel(0).0),
        }
    }

    fn push(&self, call: Call) {
        if let Ok(mut list) = self.list.lock() {
            // A demo runs for days: the last calls are enough.
            if list.len() >= 10_000 {
                list.drain(..5_000);
            }
            list.push(call);
        }
        self.count.send_modify(|count| *count += 1);
    }
}

impl DubboProvider {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(behaviour: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> std::io::Result<Self> {
        Self::start_on(([127, 0, 0, 1], 0).into(), behaviour).await
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// When it is taken.
    pub async fn start_on(
        address: SocketAddr,
        behaviour: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let behaviour: Behaviour = Arc::new(behaviour);
        let calls = Calls::new();
        let commands = broadcast::channel(16).0;
        let (seen, told) = (calls.clone(), commands.clone());
        let accept = Task::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.retain(|task: &Task| !task.is_finished());
                let (behaviour, calls, commands) = (behaviour.clone(), seen.clone(), told.subscribe());
                connections.push(Task::spawn(serve(socket, behaviour, calls, commands)));
            }
        });
        Ok(Self {
            address,
            calls,
            commands,
            _accept: accept,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The calls it received, in order (the last some thousand).
    pub fn calls(&self) -> Vec<Call> {
        self.calls
            .list
            .lock()
            .map(|list| list.clone())
            .unwrap_or_default()
    }

    /// How many calls it received.
    pub fn count(&self) -> usize {
        *self.calls.count.borrow()
    }

    /// Waits until it has received that many calls; `false` when they do not come.
    pub async fn received(&self, count: usize) -> bool {
        let mut seen = self.calls.count.subscribe();
        let come = seen.wait_for(|now| *now >= count);
        tokio::time::timeout(crate::dubbo_consumer::PATIENCE, come)
            .await
            .is_ok()
    }

    /// Sends the readonly event on all connections.
    pub fn send_readonly(&self) {
        let _ = self.commands.send(Command::Readonly);
    }

    /// Closes all connections; new ones are taken.
    pub fn close_connections(&self) {
        let _ = self.commands.send(Command::Close);
    }
}

async fn serve(
    socket: TcpStream,
    behaviour: Behaviour,
    calls: Calls,
    mut commands: broadcast::Receiver<Command>,
) {
    let _ = socket.set_nodelay(true);
    let (reader, mut writer) = socket.into_split();
    // `None` closes the connection.
    let (answers, mut answered) = mpsc::channel::<Option<Vec<u8>>>(1024);
    let reading = async {
        let mut reader = BufReader::new(reader);
        let mut late = Vec::new();
        while let Some(frame) = Frame::read(&mut reader).await {
            late.retain(|task: &Task| !task.is_finished());
            if frame.is_event() {
                if frame.is_request() && frame.is_two_way() {
                    let pong = Frame {
                        flags: frame.flags & 0x3f,
                        status: 20,
                        ..frame
                    };
                    let _ = answers.send(Some(pong.to_bytes())).await;
                }
                continue;
            }
            let Ok(call) = Call::read(&frame.body) else {
                let refusal = Frame::response(frame.id, 40, Value::text("Fail to decode request").to_bytes());
                let _ = answers.send(Some(refusal.to_bytes())).await;
                continue;
            };
            let answer = behaviour(&call);
            calls.push(call);
            let wanted = frame.is_two_way();
            match answer {
                Answer::After(time, answer) => {
                    let answers = answers.clone();
                    late.push(Task::spawn(async move {
                        tokio::time::sleep(time).await;
                        send(&answers, frame.id, *answer, wanted).await;
                    }));
                }
                answer => send(&answers, frame.id, answer, wanted).await,
            }
        }
    };
    let writing = async {
        loop {
            let bytes = tokio::select! {
                answer = answered.recv() => match answer {
                    Some(Some(bytes)) => bytes,
                    _ => return,
                },
                command = commands.recv() => match command {
                    Ok(Command::Readonly) => Frame::readonly(0).to_bytes(),
                    Ok(Command::Close) => return,
                    Err(_) => return std::future::pending().await,
                },
            };
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn send(answers: &mpsc::Sender<Option<Vec<u8>>>, id: u64, answer: Answer, wanted: bool) {
    let response = match answer {
        Answer::Value(value) => Response::Value(value),
        Answer::Throw(class, message) => Response::Exception(Value::throwable(&class, &message)),
        Answer::Status(status, text) => Response::Status(status, text),
        Answer::Body(body) => {
            return drop(answers.send(Some(Frame::response(id, 20, body).to_bytes())).await);
        }
        Answer::Garbage(bytes) => return drop(answers.send(Some(bytes)).await),
        Answer::Nothing | Answer::After(..) => return,
        Answer::Close => return drop(answers.send(None).await),
    };
    if wanted {
        let (status, body) = response.to_body();
        let _ = answers
            .send(Some(Frame::response(id, status, body).to_bytes()))
            .await;
    }
}
