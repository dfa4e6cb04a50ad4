//! Accepts calls from downstream: one connection, one task, on one worker.

use std::net::SocketAddr;
use std::rc::Rc;

use codecs::Encoding;

use crate::worker::{Wire, Worker};

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
    let Ok(socket) = tokio::net::TcpStream::from_std(socket) else {
        return;
    };
    worker.count(crate::worker::Event::Accepted);
    let _ = (socket, peer, config);
}
