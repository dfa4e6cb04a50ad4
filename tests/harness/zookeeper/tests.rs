use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

async fn say(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Closed or cut: either way there is nothing more.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    answer
}

/// A connect request for a new session.
fn hello() -> Vec<u8> {
    let hello = jute::Output::default()
        .int(0)
        .long(0)
        .int(4000)
        .long(0)
        .bytes(&[0; 16]);
    hello.boolean(false).framed()
}

#[tokio::test]
async fn answers_four_letter_words() {
    let server = Server::start().await.unwrap();
    assert_eq!(say(&server, b"ruok").await, b"imok");
    let text = String::from_utf8(say(&server, b"srvr").await).unwrap();
    assert!(
        text.contains("version: 3.9.0-simulated") && text.contains("Mode: standalone"),
        "{text}"
    );
}

#[tokio::test]
async fn cuts_those_who_talk_nonsense() {
    let server = Server::start().await.unwrap();
    let oversize = [hello(), i32::MAX.to_be_bytes().to_vec()].concat();
    let negative = [hello(), (-5_i32).to_be_bytes().to_vec()].concat();
    let short = [hello(), jute::Output::default().int(7).framed()].concat();
    for (nonsense, answered) in [
        (b"\xff\xff\xff\xff".to_vec(), false),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), false),
        (jute::Output::default().int(0).framed(), false),
        (oversize, true),
        (negative, true),
        (short, true),
    ] {
        assert_eq!(
            !say(&server, &nonsense).await.is_empty(),
            answered,
            "{nonsense:?}"
        );
    }
    // A list that claims more than its frame holds is refused, and the connection lives.
    let claims = jute::Output::default()
        .int(1)
        .int(101)
        .long(0)
        .int(i32::MAX)
        .framed();
    let close = jute::Output::default().int(2).int(-11).framed();
    let answer = say(&server, &[hello(), claims, close].concat()).await;
    let frames = answer.len() - 41;
    assert_eq!(
        frames,
        2 * 20,
        "two headers without bodies after the connect answer of 41 bytes"
    );
    server.wait_until(|server| server.connected().is_empty()).await;
}
