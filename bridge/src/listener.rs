//! Accepts calls from downstream: one connection, one task, on one worker.

mod dubbo2;
mod triple;

use std::net::SocketAddr;
use std::rc::Rc;

use codecs::Encoding;

use crate::call::Caller;
use crate::worker::{Event, Shard, Wire, Worker};

/// What a listener is told when it takes a connection.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it speaks.
    pub wire: Wire,
    /// What its calls become, whatever the service; `None` to decide by service and method. `Hessian2` stands for Dubbo2.
    pub becomes: Option<Encoding>,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(worker: Rc<Worker>, socket: std::net::TcpStream, peer: SocketAddr, config: Config) {
    /// Also when the connection's task is aborted.
    struct Counted(Rc<Worker>);
    impl Drop for Counted {
        fn drop(&mut self) {
            Shard::down(&self.0.shard.downstream);
            self.0.count(Event::DownstreamClosed);
        }
    }
    let stream = match tokio::net::TcpStream::from_std(socket) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, %peer, "cannot register a connection");
            return;
        }
    };
    worker.count(Event::Accepted);
    Shard::up(&worker.shard.downstream);
    let _counted = Counted(worker.clone());
    let caller = Caller {
        wire: config.wire,
        address: peer,
        becomes: config.becomes,
    };
    match config.wire {
        Wire::Dubbo2 => dubbo2::serve(worker, stream, caller).await,
        Wire::Triple => triple::serve(worker, stream, caller).await,
    }
}
