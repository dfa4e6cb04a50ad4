//! The real gateway in this process, on free ports, from a text as an operator would write it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use harness::dubbo_consumer::DubboConsumer;
use harness::dubbo_provider::{Answer, DubboProvider};
use harness::dubbo2::{Call, Response};
use harness::hessian::Value;
use harness::mesh_consumer::{MeshCall, MeshConsumer};
use harness::mesh_provider::{MeshProvider, Received, Reply};
use harness::triple;
use landbridge::app::Gateway;
use landbridge::config::{Config, Prepared, Source};
use landbridge::worker::{AccessRecord, Drained, Event};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes; a test that hangs ends by it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What `future` gives, unless it hangs.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {LIMIT:?}"),
    }
}

/// Waits until something holds; it is looked at again every few milliseconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    within(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// A gateway between two sections of a file and its end.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) records: mpsc::Receiver<AccessRecord>,
}

/// Reads a configuration that may name no file but those given.
pub(crate) fn prepare(text: &str, files: &[(&str, &str)]) -> Result<Prepared, String> {
    let config =
        Config::parse(Source::new("landbridge.yaml", text), HashMap::new()).map_err(|e| e.to_string())?;
    Prepared::reading(config, &mut |path| {
        let found = files.iter().find(|(name, _)| std::path::Path::new(name) == path);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    })
    .map_err(|problems| problems.to_string())
}

/// What every test's file has, besides its own sections.
pub(crate) fn file(sections: &str) -> String {
    let timeouts = if sections.contains("timeouts:") {
        ""
    } else {
        "timeouts: {call: 20s, first_view: 20s}\n"
    };
    let drain = if sections.contains("drain:") {
        ""
    } else {
        "drain: {propagation: 1s, deadline: 5s}\n"
    };
    let listeners = if sections.contains("listeners:") {
        ""
    } else {
        "listeners:\n  dubbo2: {bind: '127.0.0.1:0'}\n  triple: {bind: '127.0.0.1:0'}\n"
    };
    format!(
        "version: 1\nbridge: {{installation: test, replica: test-0, workers: 2}}\nadmin: {{bind: '127.0.0.1:0'}}\n\
         telemetry: {{access_log: false}}\n{timeouts}{drain}{listeners}{sections}"
    )
}

impl Running {
    /// Starts a gateway with these sections.
    pub(crate) async fn start(sections: &str) -> Self {
        Self::start_with(sections, &[]).await
    }

    /// The same with files that it names.
    pub(crate) async fn start_with(sections: &str, files: &[(&str, &str)]) -> Self {
        let prepared = prepare(&file(sections), files).unwrap_or_else(|problems| panic!("{problems}"));
        let (observer, records) = mpsc::channel(10_000);
        let gateway = within("start", Gateway::start(prepared, Some(observer))).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{}", landbridge::telemetry::chain(&error)));
        Self { gateway, records }
    }

    pub(crate) async fn dubbo2(&self) -> DubboConsumer {
        DubboConsumer::connect(self.gateway.ports().dubbo2.unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn triple(&self) -> MeshConsumer {
        MeshConsumer::connect(self.gateway.ports().triple.unwrap())
            .await
            .unwrap()
    }

    /// How often something happened, all workers together.
    pub(crate) fn event(&self, event: Event) -> u64 {
        self.gateway.shards().iter().map(|shard| shard.event(event)).sum()
    }

    /// Connections to providers now, all workers together.
    pub(crate) fn upstream_connections(&self) -> u64 {
        let shards = self.gateway.shards();
        shards.iter().map(|shard| shard.upstream.load(Relaxed)).sum()
    }

    /// The newest record of a call of this method.
    pub(crate) async fn record(&mut self, method: &str) -> AccessRecord {
        within("an access record", async {
            loop {
                let record = self.records.recv().await.unwrap();
                if record.method == method {
                    return record;
                }
            }
        })
        .await
    }

    /// A page of the operator's port.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(self.gateway.ports().admin)
            .await
            .unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nhost: test\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(path, socket.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap();
        (status, body.to_owned())
    }

    /// Drains and ends.
    pub(crate) async fn stop(self) -> Drained {
        within("stop", self.gateway.stop(CancellationToken::new())).await
    }

    /// Ends at once.
    pub(crate) async fn abort(self) {
        let hurry = CancellationToken::new();
        hurry.cancel();
        within("abort", self.gateway.stop(hurry)).await;
    }
}

/// A provider that greets: `hello(String)` → `hello NAME`, after the milliseconds that a name like `slow-200` asks for.
pub(crate) async fn greeting_provider() -> DubboProvider {
    DubboProvider::start(greet).await.unwrap()
}

fn greet(call: &Call) -> Answer {
    match (call.method.as_str(), call.arguments.first()) {
        ("hello", Some(Value::Text(name))) => {
            let answer = Answer::text(format!("hello {name}"));
            match name.strip_prefix("slow-").and_then(|millis| millis.parse().ok()) {
                Some(millis) => Answer::After(Duration::from_millis(millis), Box::new(answer)),
                None => answer,
            }
        }
        ("fail", _) => Answer::Throw("com.acme.OutOfStock".to_owned(), "none left".to_owned()),
        ("nothing", _) => Answer::Value(Value::Null),
        ("silent", _) => Answer::Nothing,
        ("close", _) => Answer::Close,
        ("garbage", _) => Answer::Garbage(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        ("garbled", _) => Answer::Body(vec![0x91, 0x45, 0x45]),
        ("full", _) => Answer::Status(100, "Thread pool is EXHAUSTED".to_owned()),
        (method, _) => Answer::Status(70, format!("Failed to invoke {method}")),
    }
}

/// The same in the mesh, with wrapper messages.
pub(crate) async fn greeting_server() -> MeshProvider {
    MeshProvider::start(greet_wrapped).await.unwrap()
}

fn greet_wrapped(call: &Received) -> Reply {
    let method = call.path.rsplit('/').next().unwrap_or_default();
    let arguments = triple::unwrap_arguments(&call.message).unwrap_or_default();
    match (method, arguments.first()) {
        ("hello", Some((_, Value::Text(name)))) => {
            let result = Value::text(format!("hello {name}"));
            let reply = Reply::Message(triple::wrap_result("java.lang.String", &result));
            match name.strip_prefix("slow-").and_then(|millis| millis.parse().ok()) {
                Some(millis) => Reply::After(Duration::from_millis(millis), Box::new(reply)),
                None => reply,
            }
        }
        ("nothing", _) => Reply::Message(triple::wrap_result("void", &Value::Null)),
        ("silent", _) => Reply::Nothing,
        ("reset", _) => Reply::Reset,
        ("html", _) => Reply::Http(503),
        ("garbage", _) => Reply::Garbage(vec![0, 0, 0, 0, 3, 0xff, 0xff, 0xff]),
        ("fail", _) => Reply::Status(9, "none left".to_owned()),
        (method, _) => Reply::Status(12, format!("no method {method}")),
    }
}

/// `hello(name)` of an interface.
pub(crate) fn hello(interface: &str, name: &str) -> Call {
    Call::new(interface, "hello", "Ljava/lang/String;", vec![Value::text(name)])
}

/// `hello(name)` of an interface, by wrapper.
pub(crate) fn hello_wrapped(interface: &str, name: &str) -> MeshCall {
    let message = triple::wrap_arguments(&[("java.lang.String", Value::text(name))]);
    MeshCall::unary(interface, "hello", &message)
}

/// Somebody who calls all the time on connections of their own, and must not be harmed by what others send.
pub(crate) struct Bystanders {
    running: Arc<Running>,
    dubbo2: DubboConsumer,
    triple: MeshConsumer,
}

/// A translator's two directions to greeting providers, with limits of its own.
pub(crate) struct Translator {
    pub(crate) running: Arc<Running>,
    pub(crate) provider: DubboProvider,
    pub(crate) server: MeshProvider,
}

impl Translator {
    /// Dubbo2 calls become wrapper ones and the other way round, unless told otherwise.
    pub(crate) async fn start(from_dubbo2: &str, from_triple: &str, more: &str) -> Self {
        let (provider, server) = (greeting_provider().await, greeting_server().await);
        let sections = format!(
            "listeners:\n  dubbo2: {{bind: '127.0.0.1:0', becomes: {from_dubbo2}}}\n  \
             triple: {{bind: '127.0.0.1:0', becomes: {from_triple}}}\n\
             services:\n- {{service: '*', dubbo2: {}, triple: {}}}\n{more}",
            provider.address(),
            server.address()
        );
        Self {
            running: Arc::new(Running::start(&sections).await),
            provider,
            server,
        }
    }

    pub(crate) async fn bystanders(&self) -> Bystanders {
        Bystanders {
            dubbo2: self.running.dubbo2().await,
            triple: self.running.triple().await,
            running: self.running.clone(),
        }
    }
}

impl Bystanders {
    /// Does `harm` while both have a call in flight on connections that began before; asserts that those calls and later
    /// ones, on the same and on new connections, are answered.
    pub(crate) async fn unharmed(&self, harm: impl Future<Output = ()>) {
        let (call, wrapped) = (
            hello("test.Other", "slow-300"),
            hello_wrapped("test.Other", "slow-300"),
        );
        let (one, two, ()) = tokio::join!(self.dubbo2.call(&call), self.triple.call(&wrapped), harm);
        assert_eq!(one.unwrap(), Response::Value(Value::text("hello slow-300")));
        assert_eq!(two.unwrap().code(), Some(0));
        let (call, wrapped) = (hello("test.Other", "again"), hello_wrapped("test.Other", "again"));
        assert_eq!(
            self.dubbo2.call(&call).await.unwrap(),
            Response::Value(Value::text("hello again"))
        );
        assert_eq!(self.triple.call(&wrapped).await.unwrap().code(), Some(0));
        let (dubbo2, triple) = (self.running.dubbo2().await, self.running.triple().await);
        assert_eq!(
            dubbo2.call(&call).await.unwrap(),
            Response::Value(Value::text("hello again"))
        );
        assert_eq!(triple.call(&wrapped).await.unwrap().code(), Some(0));
    }
}
