//! Clients that read slowly, or stop reading: the first are waited for, the second do not hold a seat for ever.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::engine::{Speaking, token_event};
use crate::stage::{Setting, Stage, WAIT, chat_body, stream};

/// The loopback's segments are as large, and a smaller buffer drops them.
const RECEIVE_BYTES: u32 = 65_536;

fn open() -> Stage {
    open_for(2)
}

/// Clients may read nothing for so long.
fn open_for(seconds: u64) -> Stage {
    Stage::open_with(Setting { limits: json!({"client_idle_timeout_s": seconds}), ..Setting::default() })
}

/// Asks for a stream over a socket that takes little; nothing of the answer is read.
async fn ask(stage: &Stage) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BYTES).unwrap();
    let mut client = socket.connect(stage.address).await.unwrap();
    let body = chat_body(&stream());
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer sk-whole\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(body.as_bytes()).await.unwrap();
    client
}

/// Says more and more until the gateway hangs up, or for so long.
async fn flood(speaking: &Speaking, time: Duration) -> bool {
    let event = format!("data: {}\n\n", token_event(&"x".repeat(10_000), 1));
    let until = Instant::now() + time;
    while Instant::now() < until {
        let said = tokio::time::timeout(Duration::from_millis(20), speaking.try_say(event.as_str())).await;
        if matches!(said, Ok(Err(_))) {
            return true;
        }
    }
    false
}

#[test]
fn a_client_that_stops_reading_is_cut() {
    let stage = open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let client = ask(&stage).await;
        let speaking = engine.next().await.begin_stream();
        assert!(flood(&speaking, WAIT).await, "its engine is held for ever");
        drop(client);
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("engine_running")));
    });
}

#[test]
fn a_client_that_reads_slowly_is_waited_for() {
    let stage = open_for(6);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = ask(&stage).await;
        let speaking = engine.next().await.begin_stream();
        let reading = async {
            let mut bytes = [0; 8_192];
            for _ in 0..260 {
                client.read_exact(&mut bytes).await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let (is_cut, ()) = tokio::join!(flood(&speaking, Duration::from_secs(13)), reading);
        assert!(!is_cut, "it was cut while it read");
    });
}

#[test]
fn a_stream_of_http_2_that_is_not_read_is_cut_alone() {
    let stage = open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let tcp = TcpStream::connect(stage.address).await.unwrap();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(RECEIVE_BYTES).initial_connection_window_size(1 << 24);
        let (mut sender, connection) = builder.handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        let url = format!("http://{}/v1/chat/completions", stage.address);
        let ask = || {
            let request = Request::post(&url).header("authorization", "Bearer sk-whole");
            request.body(Full::new(Bytes::from(chat_body(&stream())))).unwrap()
        };
        let mut begin = async || {
            let speaking = engine.next().await.begin_stream();
            speaking.say(": here\n\n").await;
            speaking
        };
        let (stalled, speaking) = tokio::join!(sender.send_request(ask()), begin());
        let stalled = stalled.unwrap();
        let (flowing, other) = tokio::join!(sender.send_request(ask()), begin());
        assert!(flood(&speaking, WAIT).await, "its engine is held for ever");
        assert!(stalled.into_body().collect().await.is_err(), "it must not be taken for whole");
        other.say("data: [DONE]\n\n").await;
        assert_eq!(flowing.unwrap().into_body().collect().await.unwrap().to_bytes(), ": here\n\ndata: [DONE]\n\n");
        let outcomes: Vec<_> = stage.records(2).iter().map(|record| record["outcome"].clone()).collect();
        assert_eq!(outcomes, ["client_closed", "completed"]);
    });
}
