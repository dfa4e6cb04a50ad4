//! gRPC and Triple by hand over the h2 crate: an echo provider, and a connection that calls it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::dubbo2;
use crate::load::{Call, Load, Shared};

const WINDOW: u32 = 8 << 20;

/// Listens on a free port and echoes the text of every call: a protobuf message as it is, a wrapped argument as a
/// wrapped result.
pub(crate) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            tokio::spawn(provide(socket));
        }
    });
    address
}

async fn provide(socket: TcpStream) {
    let mut settings = h2::server::Builder::new();
    settings
        .max_concurrent_streams(100_000)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let Ok(mut connection) = settings.handshake::<_, Bytes>(socket).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond));
    }
}

async fn answer(request: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    let wrapped = !request.uri().path().ends_with("/Echo");
    let Ok((message, _)) = read(request.into_body()).await else {
        return;
    };
    let message = if wrapped { rewrap(&message) } else { message };
    let head = Response::builder()
        .header("content-type", "application/grpc+proto")
        .body(())
        .unwrap();
    let Ok(mut stream) = respond.send_response(head, false) else {
        return;
    };
    let _ = stream.send_data(framed(&message), false);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = stream.send_trailers(trailers);
}

/// TripleRequestWrapper -> TripleResponseWrapper with its first argument as the result.
fn rewrap(request: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    field(1, b"hessian4", &mut message);
    field(2, second(request), &mut message);
    field(3, b"java.lang.String", &mut message);
    message.freeze()
}

/// The first field 2 of a message that has only fields of bytes.
fn second(mut message: &[u8]) -> &[u8] {
    while let [tag, rest @ ..] = message {
        let mut length = 0;
        let mut shift = 0;
        let mut at = 0;
        loop {
            length |= usize::from(rest[at] & 0x7f) << shift;
            shift += 7;
            at += 1;
            if rest[at - 1] & 0x80 == 0 {
                break;
            }
        }
        let value = &rest[at..at + length];
        if *tag == 0x12 {
            return value;
        }
        message = &rest[at + length..];
    }
    panic!("no argument in a wrapper");
}

fn field(number: u8, value: &[u8], message: &mut BytesMut) {
    message.put_u8(number << 3 | 2);
    let mut length = value.len();
    while length >= 0x80 {
        message.put_u8(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    message.put_u8(u8::try_from(length).unwrap());
    message.put_slice(value);
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// The one message of a body, without its prefix, and the trailers.
async fn read(mut body: h2::RecvStream) -> Result<(Bytes, Option<HeaderMap>), h2::Error> {
    let mut whole = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        whole.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?;
    Ok((
        if whole.len() < 5 {
            Bytes::new()
        } else {
            whole.freeze().slice(5..)
        },
        trailers,
    ))
}

/// What is sent, and the bytes that its answer must contain.
fn request(call: Call, text: &str) -> (&'static str, Bytes, Vec<u8>) {
    let mut message = BytesMut::new();
    if call == Call::Protobuf {
        field(1, text.as_bytes(), &mut message);
        return (
            "/landbridge.bench.v1.EchoService/Echo",
            framed(&message),
            message.to_vec(),
        );
    }
    let mut argument = Vec::new();
    dubbo2::string(text, &mut argument);
    field(1, b"hessian4", &mut message);
    field(2, &argument, &mut message);
    field(3, b"java.lang.String", &mut message);
    ("/landbridge.bench.EchoService/echo", framed(&message), argument)
}

/// One connection: calls until told to stop, then waits for what is in flight.
pub(crate) async fn call(
    socket: TcpStream,
    call: Call,
    load: Load,
    text: String,
    shared: Arc<Shared>,
) -> Result<Vec<u32>, String> {
    let mut settings = h2::client::Builder::new();
    settings
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let (client, connection) = settings
        .handshake::<_, Bytes>(socket)
        .await
        .map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let (path, message, wanted) = request(call, &text);
    let mut calls = JoinSet::new();
    match load.pace() {
        None => {
            for _ in 0..load.in_flight() {
                let (client, message, wanted, shared) = (
                    client.clone(),
                    message.clone(),
                    wanted.clone(),
                    Arc::clone(&shared),
                );
                calls.spawn(async move {
                    let mut latencies = Vec::new();
                    while !shared.stopped() {
                        let since = Instant::now();
                        one(client.clone(), path, message.clone(), &wanted).await?;
                        shared.answered(since, &mut latencies);
                    }
                    Ok::<_, String>(latencies)
                });
            }
        }
        Some(pace) => {
            let mut ticks = tokio::time::interval(pace);
            while !shared.stopped() {
                ticks.tick().await;
                let (client, message, wanted, shared) = (
                    client.clone(),
                    message.clone(),
                    wanted.clone(),
                    Arc::clone(&shared),
                );
                calls.spawn(async move {
                    let mut latencies = Vec::new();
                    let since = Instant::now();
                    one(client, path, message, &wanted).await?;
                    shared.answered(since, &mut latencies);
                    Ok::<_, String>(latencies)
                });
            }
        }
    }
    let mut all = Vec::new();
    while let Some(latencies) = calls.join_next().await {
        all.extend(latencies.map_err(|error| error.to_string())??);
    }
    driver.abort();
    Ok(all)
}

async fn one(
    client: h2::client::SendRequest<Bytes>,
    path: &str,
    message: Bytes,
    wanted: &[u8],
) -> Result<(), String> {
    let head = Request::post(format!("http://bench{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .header("grpc-timeout", "10S")
        .body(())
        .unwrap();
    let text = |error: h2::Error| error.to_string();
    let mut client = client.ready().await.map_err(text)?;
    let (response, mut stream) = client.send_request(head, false).map_err(text)?;
    stream.send_data(message, true).map_err(text)?;
    let response = response.await.map_err(text)?;
    let headers = response.headers().clone();
    let (body, trailers) = read(response.into_body()).await.map_err(text)?;
    let status = trailers.as_ref().unwrap_or(&headers).get("grpc-status").cloned();
    if status.as_ref().map(HeaderValue::as_bytes) != Some(b"0") || !contains(&body, wanted) {
        return Err(format!(
            "grpc-status {status:?}, headers {headers:?}, trailers {trailers:?}, body of {} bytes",
            body.len()
        ));
    }
    Ok(())
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}
