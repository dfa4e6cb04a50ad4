//! The server's memory: nodes, sessions, connections; and what each request does to them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acl::{self, Identity, Right};
use super::jute::{Input, Malformed, Output};
use super::tree::{Caller, Code, Mode, Tree};
use super::watches::{Event, Kind, Watch, Watches};
use super::{Options, Request};

/// Requests that are remembered for tests.
const MOST_REQUESTS: usize = 200_000;

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) tree: Tree,
    pub(crate) watches: Watches,
    pub(crate) zxid: i64,
    pub(crate) sessions: HashMap<i64, Session>,
    pub(crate) connections: HashMap<u64, Connection>,
    pub(crate) requests: Vec<Request>,
    next_session: i64,
    next_connection: u64,
}

pub(crate) struct Session {
    password: [u8; 16],
    /// None: never expires by itself.
    pub(crate) timeout: Option<Duration>,
    pub(crate) heard: Instant,
    pub(crate) connection: Option<u64>,
}

pub(crate) struct Connection {
    pub(crate) session: i64,
    pub(crate) out: mpsc::Sender<Vec<u8>>,
    pub(crate) end: CancellationToken,
    identities: Vec<Identity>,
}

/// What becomes of a connection after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    Close,
}

/// A connect request.
pub(crate) struct Hello {
    pub(crate) last_zxid: i64,
    pub(crate) timeout: i32,
    pub(crate) session: i64,
    pub(crate) password: Vec<u8>,
    pub(crate) readonly: Option<bool>,
}

impl Hello {
    pub(crate) fn read(frame: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(frame);
        let _protocol = input.int()?;
        Ok(Self {
            last_zxid: input.long()?,
            timeout: input.int()?,
            session: input.long()?,
            password: input.bytes()?.to_vec(),
            readonly: if input.is_empty() {
                None
            } else {
                Some(input.boolean()?)
            },
        })
    }
}

/// The answer to a request: a body, or a code; and whether the connection goes on.
type Answer = Result<Output, Code>;

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            tree: Tree::new(),
            watches: Watches::default(),
            zxid: 0,
            sessions: HashMap::new(),
            connections: HashMap::new(),
            requests: Vec::new(),
            next_session: 0x1000_0000_0000_0001,
            next_connection: 1,
        }
    }

    /// A session that only the harness ends.
    pub(crate) fn open_session(&mut self, timeout: Option<Duration>) -> (i64, [u8; 16]) {
        let id = self.next_session;
        self.next_session += 1;
        self.zxid += 1;
        // Not secret: it only has to differ, so that a client which mixes sessions up is noticed.
        let mut password = [0x5a; 16];
        password[..8].copy_from_slice(&id.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64).to_be_bytes());
        let session = Session {
            password,
            timeout,
            heard: Instant::now(),
            connection: None,
        };
        self.sessions.insert(id, session);
        (id, password)
    }

    /// A client connects. `None`: it has seen more than this server, and is cut.
    pub(crate) fn connect(
        &mut self,
        hello: &Hello,
        peer: &str,
        out: mpsc::Sender<Vec<u8>>,
        end: CancellationToken,
    ) -> Option<(Option<u64>, Output)> {
        if hello.last_zxid > self.zxid {
            return None;
        }
        let asked = Duration::from_millis(u64::try_from(hello.timeout).unwrap_or(0));
        let timeout = asked.clamp(self.options.least_timeout, self.options.most_timeout);
        let known = match self.sessions.get(&hello.session) {
            None if hello.session == 0 => Some(self.open_session(Some(timeout))),
            Some(session) if session.password[..] == hello.password => {
                Some((hello.session, session.password))
            }
            _ => None,
        };
        let reply = |timeout: Duration, id, password: &[u8]| {
            let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
            let reply = Output::default().int(0).int(millis).long(id).bytes(password);
            if hello.readonly.is_some() {
                reply.boolean(false)
            } else {
                reply
            }
        };
        let Some((id, password)) = known else {
            return Some((None, reply(Duration::ZERO, 0, &[0; 16])));
        };
        let connection = self.next_connection;
        self.next_connection += 1;
        let session = self.sessions.get_mut(&id)?;
        session.timeout = Some(timeout);
        session.heard = Instant::now();
        let before = session.connection.replace(connection);
        if let Some(before) = before {
            self.disconnect(before);
        }
        self.connections.insert(
            connection,
            Connection {
                session: id,
                out,
                end,
                identities: vec![("ip".to_owned(), peer.to_owned())],
            },
        );
        Some((Some(connection), reply(timeout, id, &password)))
    }

    /// A connection ends; its session goes on.
    pub(crate) fn disconnect(&mut self, connection: u64) {
        if let Some(gone) = self.connections.remove(&connection) {
            gone.end.cancel();
            self.watches.remove_connection(connection);
            if let Some(session) = self.sessions.get_mut(&gone.session) {
                session.connection = session.connection.filter(|at| *at != connection);
            }
        }
    }

    /// A connection ends when what is queued for it was sent: dropping the queue's only sender closes it.
    pub(crate) fn disconnect_gently(&mut self, connection: u64) {
        if let Some(gone) = self.connections.remove(&connection) {
            self.watches.remove_connection(connection);
            if let Some(session) = self.sessions.get_mut(&gone.session) {
                session.connection = session.connection.filter(|at| *at != connection);
            }
        }
    }

    /// A session ends, and its nodes with it.
    pub(crate) fn end_session(&mut self, id: i64) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        self.zxid += 1;
        let mut events = Vec::new();
        let caller = Caller {
            session: id,
            identities: &[],
            zxid: self.zxid,
            all: true,
        };
        for path in self.tree.owned_by(id) {
            // Ephemeral nodes have no children.
            let _ = self.tree.delete(&path, -1, &caller, &mut events);
        }
        if let Some(connection) = session.connection {
            self.disconnect(connection);
        }
        self.fire(&events);
    }

    /// Ends the sessions that were silent for too long.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let over = |session: &Session| {
            session
                .timeout
                .is_some_and(|timeout| session.heard + timeout <= now)
        };
        let expired: Vec<i64> = self
            .sessions
            .iter()
            .filter(|(_, session)| over(session))
            .map(|(id, _)| *id)
            .collect();
        for id in &expired {
            self.end_session(*id);
        }
        !expired.is_empty()
    }

    /// A change by the harness itself.
    pub(crate) fn change<T>(
        &mut self,
        session: i64,
        change: impl FnOnce(&mut Tree, &Caller<'_>, &mut Vec<Event>) -> T,
    ) -> T {
        self.zxid += 1;
        let mut events = Vec::new();
        let caller = Caller {
            session,
            identities: &[],
            zxid: self.zxid,
            all: true,
        };
        let result = change(&mut self.tree, &caller, &mut events);
        self.fire(&events);
        result
    }

    fn fire(&mut self, events: &[Event]) {
        for event in events {
            // A delete concerns those who watch the children of the deleted node too; `Watches` knows.
            for connection in self.watches.fire(event) {
                let Some(to) = self.connections.get(&connection) else {
                    continue;
                };
                if acl::allows(&event.acl, acl::READ, &to.identities) {
                    send(to, notification(event.kind, &event.path, event.zxid));
                }
            }
        }
    }

    /// One request of a connection.
    pub(crate) fn handle(&mut self, connection: u64, frame: &[u8]) -> Next {
        let Some(id) = self.connections.get(&connection).map(|at| at.session) else {
            return Next::Close;
        };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.heard = Instant::now();
        }
        let mut input = Input(frame);
        let (Ok(xid), Ok(op)) = (input.int(), input.int()) else {
            return Next::Close;
        };
        let mut events = Vec::new();
        let (answer, next) = match op {
            op::CLOSE => (Ok(Output::default()), Next::Close),
            op::AUTH => match self.authenticate(connection, &mut input) {
                Ok(()) => (Ok(Output::default()), Next::Go),
                Err(code) => (Err(code), Next::Close),
            },
            op if !self.knows(op) => (Err(Code::Unimplemented), Next::Close),
            _ => (self.answer(connection, op, &mut input, &mut events), Next::Go),
        };
        self.fire(&events);
        let code = answer.as_ref().err().map_or(0, |code| *code as i32);
        let mut reply = Output::default().int(xid).long(self.zxid).int(code);
        if let Ok(body) = &answer {
            reply = reply.append(body);
        }
        if let Some(to) = self.connections.get(&connection) {
            send(to, reply);
        }
        if op == op::CLOSE {
            self.disconnect_gently(connection);
            self.end_session(id);
        }
        next
    }

    /// Whether a server of the version we play knows an operation.
    fn knows(&self, op: i32) -> bool {
        let least = match op {
            op::CREATE2 | op::CREATE_CONTAINER | op::REMOVE_WATCHES | op::CHECK_WATCHES => (3, 5),
            op::EPHEMERALS | op::COUNT | op::SET_WATCHES2 | op::ADD_WATCH | op::MULTI_READ => (3, 6),
            op::WHO_AM_I => (3, 7),
            op::CREATE_TTL | op::SASL => return false,
            op::CREATE..=op::GET_CHILDREN2 | op::CHECK | op::MULTI | op::SET_WATCHES => (3, 4),
            _ => return false,
        };
        self.options.version >= least
    }

    fn authenticate(&mut self, connection: u64, input: &mut Input<'_>) -> Result<(), Code> {
        let mut read = || -> Result<_, Malformed> {
            let _kind = input.int()?;
            Ok((input.text()?, input.text()?))
        };
        let (scheme, identity) = read().map_err(|_| Code::AuthFailed)?;
        if scheme != "digest" || !identity.contains(':') {
            return Err(Code::AuthFailed);
        }
        if let Some(at) = self.connections.get_mut(&connection) {
            at.identities.push((scheme, acl::digest(&identity)));
        }
        Ok(())
    }

    fn remember(&mut self, connection: u64, op: i32, path: &str) {
        if self.requests.len() < MOST_REQUESTS {
            let session = self.connections.get(&connection).map_or(0, |at| at.session);
            self.requests.push(Request {
                session,
                op,
                path: path.to_owned(),
            });
        }
    }

    fn answer(&mut self, connection: u64, op: i32, input: &mut Input<'_>, events: &mut Vec<Event>) -> Answer {
        let malformed = |_: Malformed| Code::Marshalling;
        let (session, identities) = match self.connections.get(&connection) {
            Some(at) => (at.session, at.identities.clone()),
            None => return Err(Code::Marshalling),
        };
        if let (Ok(path), false) = (
            input.clone().text(),
            matches!(op, op::PING | op::MULTI | op::MULTI_READ),
        ) {
            self.remember(connection, op, &path);
        }
        let caller = |zxid| Caller {
            session,
            identities: &identities,
            zxid,
            all: false,
        };
        let reader = caller(self.zxid);
        let done = Output::default();
        match op {
            op::PING => Ok(done),
            op::SYNC => Ok(done.text(&input.text().map_err(malformed)?)),
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::DELETE | op::SET_DATA => {
                self.zxid += 1;
                write(&mut self.tree, op, input, &caller(self.zxid), events)
            }
            op::SET_ACL => {
                let (path, acl) = (
                    input.text().map_err(malformed)?,
                    input.list(Right::read).map_err(malformed)?,
                );
                let version = input.int().map_err(malformed)?;
                self.zxid += 1;
                self.tree.set_acl(&path, acl, version, &caller(self.zxid))?;
                Ok(self.tree.find(&path, 0, &reader)?.stat(done))
            }
            op::EXISTS | op::GET_DATA | op::GET_CHILDREN | op::GET_CHILDREN2 => {
                let (path, watch) = (
                    input.text().map_err(malformed)?,
                    input.boolean().map_err(malformed)?,
                );
                // `exists` asks for the right to read, too (seen: 3.9.4).
                let found = self.tree.find(&path, acl::READ, &reader);
                let absent = op == op::EXISTS && matches!(found, Err(Code::NoNode));
                if watch && (found.is_ok() || absent) {
                    let kind = if matches!(op, op::GET_CHILDREN | op::GET_CHILDREN2) {
                        Watch::Child
                    } else {
                        Watch::Data
                    };
                    self.watches.add(&path, kind, connection);
                }
                let node = found?;
                let children = node.children.iter().map(String::as_str);
                Ok(match op {
                    op::EXISTS => node.stat(done),
                    op::GET_DATA => node.stat(done.bytes(&node.data)),
                    op::GET_CHILDREN => done.texts(children),
                    _ => node.stat(done.texts(children)),
                })
            }
            op::GET_ACL => {
                let path = input.text().map_err(malformed)?;
                let node = self.tree.find(&path, acl::READ | acl::ADMIN, &reader)?;
                let list = node
                    .acl
                    .iter()
                    .fold(done.length(node.acl.len()), |list, right| right.write(list));
                Ok(node.stat(list))
            }
            op::CHECK => {
                let (path, version) = (input.text().map_err(malformed)?, input.int().map_err(malformed)?);
                self.tree.check(&path, version, &reader).map(|()| done)
            }
            op::MULTI => {
                self.zxid += 1;
                self.multi(input, &caller(self.zxid), events).map_err(malformed)
            }
            op::MULTI_READ => self.multi_read(input, &reader).map_err(malformed),
            op::EPHEMERALS => {
                let prefix = input.text().map_err(malformed)?;
                let own = self.tree.owned_by(session);
                let own: Vec<&str> = own
                    .iter()
                    .map(String::as_str)
                    .filter(|path| path.starts_with(&prefix))
                    .collect();
                Ok(done.texts(own.into_iter()))
            }
            op::COUNT => {
                let path = input.text().map_err(malformed)?;
                self.tree.find(&path, acl::READ, &reader)?;
                Ok(done.length(self.tree.below(&path).count() - 1))
            }
            op::WHO_AM_I => {
                let list = done.length(identities.len());
                Ok(identities.iter().fold(list, |list, (scheme, id)| {
                    list.text(scheme).text(id.split(':').next().unwrap_or_default())
                }))
            }
            op::ADD_WATCH => {
                let (path, mode) = (input.text().map_err(malformed)?, input.int().map_err(malformed)?);
                let watch = match mode {
                    0 => Watch::Persistent,
                    1 => Watch::Recursive,
                    _ => return Err(Code::BadArguments),
                };
                self.watches.add(&path, watch, connection);
                Ok(done.int(0))
            }
            op::REMOVE_WATCHES | op::CHECK_WATCHES => {
                let (path, kinds) = (input.text().map_err(malformed)?, input.int().map_err(malformed)?);
                let found = self.watches.of(&path, kinds, connection);
                if found.is_empty() {
                    return Err(Code::NoWatcher);
                }
                if op == op::REMOVE_WATCHES {
                    for watch in found {
                        self.watches.remove(&path, watch, connection);
                    }
                }
                Ok(done)
            }
            op::SET_WATCHES | op::SET_WATCHES2 => {
                self.set_watches(connection, op, input).map_err(malformed)?;
                Ok(done)
            }
            _ => Err(Code::Unimplemented),
        }
    }

    /// Sets the watches of an earlier connection again, and tells what they missed; persistent ones are told nothing.
    fn set_watches(&mut self, connection: u64, op: i32, input: &mut Input<'_>) -> Result<(), Malformed> {
        let since = input.long()?;
        let (data, exist, child) = (input.texts()?, input.texts()?, input.texts()?);
        let (persistent, recursive) = if op == op::SET_WATCHES2 {
            (input.texts()?, input.texts()?)
        } else {
            (Vec::new(), Vec::new())
        };
        let mut missed = Vec::new();
        for path in data {
            match self.tree.get(&path) {
                None => missed.push((Kind::Deleted, path)),
                Some(node) if node.modified > since => missed.push((Kind::DataChanged, path)),
                Some(_) => self.watches.add(&path, Watch::Data, connection),
            }
        }
        for path in exist {
            match self.tree.get(&path) {
                Some(_) => missed.push((Kind::Created, path)),
                None => self.watches.add(&path, Watch::Data, connection),
            }
        }
        for path in child {
            match self.tree.get(&path) {
                None => missed.push((Kind::Deleted, path)),
                Some(node) if node.children_modified > since => missed.push((Kind::ChildrenChanged, path)),
                Some(_) => self.watches.add(&path, Watch::Child, connection),
            }
        }
        for path in persistent {
            self.watches.add(&path, Watch::Persistent, connection);
        }
        for path in recursive {
            self.watches.add(&path, Watch::Recursive, connection);
        }
        if let Some(to) = self.connections.get(&connection) {
            for (kind, path) in missed {
                send(to, notification(kind, &path, -1));
            }
        }
        Ok(())
    }

    /// All or nothing; the answer names the operation that failed.
    fn multi(
        &mut self,
        input: &mut Input<'_>,
        caller: &Caller<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Output, Malformed> {
        let mut tree = self.tree.clone();
        let mut told = Vec::new();
        let mut results: Vec<(i32, Result<Output, Code>)> = Vec::new();
        let mut failed = false;
        while let Some(op) = multi_header(input)? {
            let result = match op {
                op::CHECK => {
                    let (path, version) = (input.text()?, input.int()?);
                    tree.check(&path, version, caller).map(|()| Output::default())
                }
                op => write(&mut tree, op, input, caller, &mut told),
            };
            match result {
                Err(Code::Marshalling | Code::Unimplemented) => return Err(Malformed),
                Err(_) if failed => results.push((op, Err(Code::RuntimeInconsistency))),
                Err(code) => {
                    failed = true;
                    results.push((op, Err(code)));
                }
                Ok(_) if failed => results.push((op, Err(Code::RuntimeInconsistency))),
                Ok(body) => results.push((op, Ok(body))),
            }
        }
        if !failed {
            self.tree = tree;
            events.extend(told);
        }
        Ok(multi_answer(results, failed))
    }

    fn multi_read(&self, input: &mut Input<'_>, caller: &Caller<'_>) -> Result<Output, Malformed> {
        let mut results = Vec::new();
        while let Some(op) = multi_header(input)? {
            let (path, _watch) = (input.text()?, input.boolean()?);
            let result = self.tree.find(&path, acl::READ, caller).map(|node| match op {
                op::GET_DATA => node.stat(Output::default().bytes(&node.data)),
                _ => Output::default().texts(node.children.iter().map(String::as_str)),
            });
            results.push((op, result));
        }
        Ok(multi_answer(results, false))
    }

    /// Sessions that are connected.
    pub(crate) fn connected(&self) -> HashSet<i64> {
        self.connections.values().map(|at| at.session).collect()
    }
}

/// Creates, deletes and sets data: alone, or in a multi.
fn write(
    tree: &mut Tree,
    op: i32,
    input: &mut Input<'_>,
    caller: &Caller<'_>,
    events: &mut Vec<Event>,
) -> Answer {
    let malformed = |_: Malformed| Code::Marshalling;
    let path = input.text().map_err(malformed)?;
    let done = Output::default();
    match op {
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
            let data = input.bytes().map_err(malformed)?;
            let acl = input.list(Right::read).map_err(malformed)?;
            let mode = Mode::from_flags(input.int().map_err(malformed)?).ok_or(Code::BadArguments)?;
            let path = tree.create(&path, data, acl, mode, caller, events)?;
            let created = done.text(&path);
            if op == op::CREATE {
                return Ok(created);
            }
            Ok(tree.get(&path).ok_or(Code::NoNode)?.stat(created))
        }
        op::DELETE => {
            let version = input.int().map_err(malformed)?;
            tree.delete(&path, version, caller, events).map(|()| done)
        }
        op::SET_DATA => {
            let (data, version) = (input.bytes().map_err(malformed)?, input.int().map_err(malformed)?);
            tree.set_data(&path, data, version, caller, events)?;
            Ok(tree.get(&path).ok_or(Code::NoNode)?.stat(done))
        }
        _ => Err(Code::Unimplemented),
    }
}

/// The operation of the next part of a multi; none at its end.
fn multi_header(input: &mut Input<'_>) -> Result<Option<i32>, Malformed> {
    let (op, end, _code) = (input.int()?, input.boolean()?, input.int()?);
    Ok((!end).then_some(op))
}

/// The parts of a multi's answer. After a failed write every part is an error, those before the failed one with code 0.
fn multi_answer(results: Vec<(i32, Result<Output, Code>)>, failed: bool) -> Output {
    let mut answer = Output::default();
    for (op, result) in results {
        let code = result.as_ref().err().map_or(0, |code| *code as i32);
        answer = match result {
            Ok(body) if !failed => answer.int(op).boolean(false).int(0).append(&body),
            _ => answer.int(-1).boolean(false).int(code).int(code),
        };
    }
    answer.int(-1).boolean(true).int(-1)
}

fn notification(kind: Kind, path: &str, zxid: i64) -> Output {
    const CONNECTED: i32 = 3;
    Output::default()
        .int(-1)
        .long(zxid)
        .int(0)
        .int(kind as i32)
        .int(CONNECTED)
        .text(path)
}

/// Queues a frame; a connection that does not take its frames is cut.
fn send(to: &Connection, frame: Output) {
    if to.out.try_send(frame.framed()).is_err() {
        to.end.cancel();
    }
}

/// Operations, as ZooKeeper numbers them.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const CHECK_WATCHES: i32 = 17;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SET_WATCHES: i32 = 101;
    pub(crate) const SASL: i32 = 102;
    pub(crate) const EPHEMERALS: i32 = 103;
    pub(crate) const COUNT: i32 = 104;
    pub(crate) const SET_WATCHES2: i32 = 105;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const WHO_AM_I: i32 = 107;
    pub(crate) const CLOSE: i32 = -11;
}
