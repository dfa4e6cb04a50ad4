//! What stands between generator and provider: nothing, Envoy, or the gateway.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::load::Call;

/// The two echo providers.
pub(crate) struct Providers {
    /// Dubbo2.
    pub(crate) dubbo2: SocketAddr,
    /// gRPC and Triple.
    pub(crate) grpc: SocketAddr,
}

/// A hop that can be started.
pub(crate) struct Plan {
    /// Its row in the table.
    pub(crate) name: &'static str,
    call: Call,
    listen: SocketAddr,
    /// Against which row it is compared.
    beside: &'static str,
    command: Result<Option<Command>, String>,
}

/// A hop that runs.
pub(crate) struct Hop {
    /// Its row in the table.
    pub(crate) name: &'static str,
    /// What is sent to it.
    pub(crate) call: Call,
    /// Where.
    pub(crate) address: SocketAddr,
    /// The row whose CPU time its own is divided by.
    pub(crate) beside: &'static str,
    process: Option<Child>,
}

/// The row of a call without a proxy.
pub(crate) fn direct(call: Call) -> &'static str {
    match call {
        Call::Dubbo2 => "direct Dubbo2",
        Call::Protobuf | Call::Wrapper => "direct gRPC",
    }
}

const ENVOY_DUBBO: &str = "Envoy dubbo_proxy";
const ENVOY_H2: &str = "Envoy HTTP/2";

/// Every row of the table.
pub(crate) fn plans(providers: &Providers) -> Vec<Plan> {
    let direct_row = |call, listen| Plan {
        name: direct(call),
        call,
        listen,
        beside: "",
        command: Ok(None),
    };
    vec![
        direct_row(Call::Dubbo2, providers.dubbo2),
        envoy(ENVOY_DUBBO, "dubbo-hop", Call::Dubbo2, providers.dubbo2),
        bridge("Dubbo2 -> Dubbo2", Call::Dubbo2, "dubbo2", providers),
        bridge("Dubbo2 -> wrapper", Call::Dubbo2, "wrapper", providers),
        bridge("Dubbo2 -> protobuf", Call::Dubbo2, "protobuf", providers),
        direct_row(Call::Protobuf, providers.grpc),
        envoy(ENVOY_H2, "h2-hop", Call::Protobuf, providers.grpc),
        bridge("gRPC -> gRPC", Call::Protobuf, "protobuf", providers),
        bridge("wrapper -> Dubbo2", Call::Wrapper, "dubbo2", providers),
        bridge("protobuf -> Dubbo2", Call::Protobuf, "dubbo2", providers),
    ]
}

fn envoy(name: &'static str, config: &str, call: Call, upstream: SocketAddr) -> Plan {
    let listen = free();
    let command = envoy_binary().map(|binary| {
        let mut command = Command::new(folder().join("../peers/envoy/run.sh"));
        command
            .env("ENVOY", binary)
            .env("INTERFACE", crate::dubbo2::INTERFACE)
            .env("ADMIN", free().port().to_string());
        command
            .arg(config)
            .arg(listen.port().to_string())
            .arg(upstream.port().to_string())
            .arg("1");
        Some(command)
    });
    Plan {
        name,
        call,
        listen,
        beside: "",
        command,
    }
}

fn bridge(name: &'static str, call: Call, becomes: &'static str, providers: &Providers) -> Plan {
    let (dubbo2, triple) = (free(), free());
    let command = std::env::var_os("LANDBRIDGE_BIN")
        .ok_or_else(|| "LANDBRIDGE_BIN is not set".to_owned())
        .map(|binary| {
            let mut command = Command::new(binary);
            command
                .arg("run")
                .arg("--config")
                .arg(folder().join("landbridge.yaml"));
            command
                .env("DUBBO2_LISTEN", dubbo2.to_string())
                .env("TRIPLE_LISTEN", triple.to_string());
            command
                .env("DUBBO2_UPSTREAM", providers.dubbo2.to_string())
                .env("TRIPLE_UPSTREAM", providers.grpc.to_string());
            command
                .env("FROM_DUBBO2", becomes)
                .env("FROM_TRIPLE", becomes)
                .env("ADMIN_LISTEN", free().to_string());
            Some(command)
        });
    let (listen, beside) = match call {
        Call::Dubbo2 => (dubbo2, ENVOY_DUBBO),
        Call::Protobuf | Call::Wrapper => (triple, ENVOY_H2),
    };
    Plan {
        name,
        call,
        listen,
        beside,
        command,
    }
}

impl Plan {
    /// Whether nothing stands between.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.command, Ok(None))
    }

    /// Starts the process and waits until its port takes connections.
    pub(crate) async fn start(self) -> Result<Hop, String> {
        let mut process = match self.command? {
            None => None,
            Some(mut command) => {
                let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
                Some(child.map_err(|error| format!("{:?}: {error}", command.get_program()))?)
            }
        };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(self.listen).await.is_ok() {
                return Ok(Hop {
                    name: self.name,
                    call: self.call,
                    address: self.listen,
                    beside: self.beside,
                    process,
                });
            }
            if let Some(status) = process.as_mut().and_then(|child| child.try_wait().unwrap()) {
                return Err(format!("ended with {status}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if let Some(mut child) = process {
            let _ = child.kill();
            let _ = child.wait();
        }
        Err(format!("nothing listens on {} after 10 s", self.listen))
    }
}

impl Hop {
    /// The CPU time of the process so far, in nanoseconds, by the scheduler's own clock of each thread.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let Some(process) = &self.process else { return 0 };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Whether a process stands between.
    pub(crate) fn is_direct(&self) -> bool {
        self.process.is_none()
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn envoy_binary() -> Result<PathBuf, String> {
    let peers = std::env::var_os("LANDBRIDGE_PEERS").ok_or("LANDBRIDGE_PEERS is not set")?;
    let binary = PathBuf::from(peers).join("envoy/envoy");
    if binary.exists() {
        Ok(binary)
    } else {
        Err("Envoy is not installed (tests/peers/install envoy)".to_owned())
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench")
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
