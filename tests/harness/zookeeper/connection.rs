//! One connection: frames in, frames out.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::state::{Hello, Next};

/// Frames that wait for a connection; one more and it is cut.
const MOST_QUEUED: usize = 100_000;

/// Serves one client until either side leaves.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let end = CancellationToken::new();
    let cut = end.clone();
    tokio::select! {
        // Whoever talked nonsense or left is forgotten; the session goes on without it.
        _ = talk(&shared, stream, end) => {}
        () = cut.cancelled() => {}
        () = shared.cuts.cut() => {}
    }
}

async fn talk(shared: &Shared, stream: TcpStream, end: CancellationToken) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?.ip().to_string();
    let (mut reader, mut writer) = stream.into_split();
    let mut pause = shared.pause.subscribe();
    let mut first = [0; 4];
    reader.read_exact(&mut first).await?;
    running(&mut pause).await;
    if let Some(text) = shared.four_letters(first) {
        writer.write_all(text.as_bytes()).await?;
        return writer.shutdown().await;
    }
    let frame = rest_of_frame(shared, &mut reader, first).await?;
    let hello = Hello::read(&frame).map_err(|_| io::ErrorKind::InvalidData)?;
    running(&mut pause).await;
    let (out, queue) = mpsc::channel(MOST_QUEUED);
    let Some((connection, reply)) = shared.with(|state| state.connect(&hello, &peer, out, end)) else {
        return Ok(());
    };
    writer.write_all(&reply.framed()).await?;
    let Some(connection) = connection else {
        return writer.shutdown().await;
    };
    let _guard = Guard(shared, connection);
    tokio::select! {
        result = read(shared, connection, reader, pause.clone()) => result?,
        result = write(queue, &mut writer, pause) => return result,
    }
    Ok(())
}

/// Takes the connection out of the state however it ends.
struct Guard<'a>(&'a Shared, u64);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.with(|state| state.disconnect(self.1));
    }
}

async fn running(pause: &mut watch::Receiver<bool>) {
    // The sender lives as long as the server.
    let _ = pause.wait_for(|paused| !paused).await;
}

async fn rest_of_frame(shared: &Shared, reader: &mut OwnedReadHalf, length: [u8; 4]) -> io::Result<Vec<u8>> {
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(|_| io::ErrorKind::InvalidData)?;
    if length > shared.options.most_frame {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn read(
    shared: &Shared,
    connection: u64,
    mut reader: OwnedReadHalf,
    mut pause: watch::Receiver<bool>,
) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        reader.read_exact(&mut length).await?;
        let frame = rest_of_frame(shared, &mut reader, length).await?;
        running(&mut pause).await;
        if shared.with(|state| state.handle(connection, &frame)) == Next::Close {
            // Closed by the writer, which first sends the answer.
            shared.with(|state| state.disconnect_gently(connection));
            std::future::pending::<()>().await;
        }
    }
}

async fn write(
    mut queue: mpsc::Receiver<Vec<u8>>,
    writer: &mut OwnedWriteHalf,
    mut pause: watch::Receiver<bool>,
) -> io::Result<()> {
    while let Some(frame) = queue.recv().await {
        running(&mut pause).await;
        writer.write_all(&frame).await?;
    }
    writer.shutdown().await
}
