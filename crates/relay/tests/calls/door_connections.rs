//! Connections between a gateway and a door: how many, how they are shared, and what one call does to the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;

use crate::doorway::{Doorway, build_snapshot};
use crate::engine::{Asked, Engine, Speaking, chat_answer, token_event};
use crate::stage::{Client, Stage, eventually, read_json, read_piece, stream};

/// As many as share a connection (`door_pool::STREAMS_SHARING_MAX`).
const SHARING: usize = 64;
/// No progress for so long is a stall.
const STALL: Duration = Duration::from_millis(500);

/// A stream that has begun: its client, its body, its engine's side.
struct Begun {
    _client: Client,
    body: Incoming,
    speaking: Speaking,
}

async fn begin(stage: &Stage, engine: &mut Engine) -> Begun {
    let mut client = stage.connect().await;
    let (response, speaking) = tokio::join!(client.chat(stream()), async {
        let speaking = engine.next().await.begin_stream();
        speaking.event(&token_event("a", 1)).await;
        speaking
    });
    let mut body = response.into_body();
    read_piece(&mut body).await.unwrap();
    Begun { _client: client, body, speaking }
}

#[test]
fn another_connection_is_opened_when_one_is_shared_by_enough() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    let mut engine = stage.run(async { stage.engine(1) });
    let mut streams = Vec::new();
    for count in 1..=2 * SHARING + 1 {
        streams.push(stage.run(begin(&stage, &mut engine)));
        assert_eq!(doorway.stats()["connections"], count.div_ceil(SHARING));
    }
    stage.run(async {
        for begun in &mut streams {
            begun.speaking.say("data: [DONE]\n\n").await;
            assert_eq!(read_piece(&mut begun.body).await.unwrap(), "data: [DONE]\n\n");
        }
        drop(streams);
        eventually("calls stay open", || doorway.stats()["open_calls"] == 0).await;
        begin(&stage, &mut engine).await;
        assert_eq!(doorway.stats()["connections"], 3, "there is room on what is open");
    });
}

#[test]
fn calls_that_come_at_once_open_no_more_connections_than_they_need() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let calls: Vec<_> = (0..=SHARING)
            .map(|_| {
                let address = stage.address;
                tokio::spawn(async move { Client::connect(address).await.chat(json!({})).await.status().as_u16() })
            })
            .collect();
        let mut asked = Vec::new();
        for _ in 0..=SHARING {
            asked.push(engine.next().await);
        }
        for asked in asked {
            asked.answer(200, &chat_answer("a")).await;
        }
        for call in calls {
            assert_eq!(call.await.unwrap(), 200);
        }
        assert_eq!(doorway.stats()["connections"], 2);
    });
}

#[test]
fn a_client_that_does_not_read_holds_up_its_engine_and_nobody_else() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut slow = begin(&stage, &mut engine).await;
        let piece = format!("data: {}\n\n", token_event(&"x".repeat(60_000), 2));
        let mut said = 0;
        while tokio::time::timeout(STALL, slow.speaking.say(piece.clone())).await.is_ok() {
            said += 1;
            assert!(said < 1_000, "60 MB are held somewhere between engine and client");
        }
        // The others share the connection with it, and are served.
        for _ in 0..3 {
            let mut client = stage.connect().await;
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer(&"y".repeat(200_000))).await;
            });
            assert_eq!(read_json(response).await["choices"][0]["message"]["content"].as_str().unwrap().len(), 200_000);
        }
        assert_eq!(doorway.stats()["connections"], 1);
        let ending = async {
            slow.speaking.say("data: [DONE]\n\n").await;
        };
        let reading = async {
            let mut read = String::new();
            while !read.ends_with("[DONE]\n\n") {
                read.push_str(&read_piece(&mut slow.body).await.unwrap());
            }
            read.matches("data: ").count()
        };
        let ((), events) = tokio::join!(ending, reading);
        // The one whose saying stalled was given up, unless it went out after all.
        assert!(events == said + 1 || events == said + 2, "{events} of {said}");
    });
}

#[test]
fn clients_that_leave_in_crowds_disturb_no_one() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    let mut engine = stage.run(async { stage.engine(1) });
    let mut kept = stage.run(begin(&stage, &mut engine));
    // Beyond the 1,024 late frames that HTTP/2's own limit would end the connection for.
    for count in 0..20 {
        stage.run(leave_in_a_crowd(&stage, &mut engine, &doorway));
        // Else it is cut for its silence on a host where crowds take their time.
        stage.run(async {
            kept.speaking.event(&token_event("a", 2 + count)).await;
            assert!(read_piece(&mut kept.body).await.is_some());
        });
    }
    stage.run(async {
        kept.speaking.say("data: [DONE]\n\n").await;
        assert_eq!(read_piece(&mut kept.body).await.unwrap(), "data: [DONE]\n\n");
        assert_eq!(doorway.stats()["connections"], 1);
    });
}

async fn leave_in_a_crowd(stage: &Stage, engine: &mut Engine, doorway: &Doorway) {
    let mut crowd = Vec::new();
    for _ in 0..SHARING - 1 {
        crowd.push(begin(stage, engine).await);
    }
    let mut left = Vec::new();
    for begun in crowd {
        let Begun { _client: client, body, speaking } = begun;
        // More is on its way to each when it leaves.
        let _ = speaking.try_say(token_event(&"z".repeat(4_000), 2)).await;
        drop((client, body));
        left.push(speaking);
    }
    for speaking in left {
        speaking.cancelled().await;
    }
    while doorway.stats()["open_calls"] != 1 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A door that is scripted as an engine is: HTTP/2 on TCP, asked on as many connections as the gateway opens.
async fn listen_scripted(connections: Arc<AtomicUsize>) -> (std::net::SocketAddr, tokio::sync::mpsc::Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let sender = sender.clone();
            let service = service_fn(move |request: Request<Incoming>| Engine::handle(request, sender.clone()));
            tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, asked)
}

#[test]
fn a_shared_connection_that_fails_a_call_before_a_byte_is_left_and_the_call_repeated_once() {
    let stage = Stage::open();
    stage.run(async {
        let connections = Arc::new(AtomicUsize::new(0));
        let (address, mut door) = listen_scripted(Arc::clone(&connections)).await;
        stage.load(&build_snapshot(&stage, 1, address, false));
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            door.recv().await.unwrap().answer(200, &chat_answer("a")).await;
        });
        read_json(response).await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            let asked = door.recv().await.unwrap();
            assert_eq!(connections.load(Ordering::SeqCst), 1);
            // Reset without a word.
            drop(asked);
            door.recv().await.unwrap().answer(200, &chat_answer("b")).await;
        });
        assert_eq!(response.status(), 200);
        read_json(response).await;
        assert_eq!(connections.load(Ordering::SeqCst), 2);
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            drop(door.recv().await.unwrap());
            drop(door.recv().await.unwrap());
        });
        assert_eq!(response.status(), 503, "once, not for ever");
        assert!(door.try_recv().is_err());
    });
}
