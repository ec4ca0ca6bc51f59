//! A gateway that ends, and the one that comes after it: no call fails that a client began in good faith.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keisan_relay::{Relay, parse_options};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::engine::{Engine, chat_answer};
use crate::stage::{Client, Setting, Stage, WAIT, read_json, read_piece, stream};

#[test]
fn draining_ends_open_calls_and_takes_no_more() {
    let stage = Stage::open_with(Setting { limits: json!({"drain_idle_timeout_s": 0}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let mut idle = stage.connect().await;
        idle.get("/healthz").await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.say(": begun\n\n").await;
            speaking
        });
        let mut body = response.into_body();
        read_piece(&mut body).await;
        let relay = &stage.relay;
        assert!(!drain(relay, Duration::from_millis(20)).await, "a call is open");
        let until = Instant::now() + WAIT;
        while TcpStream::connect(stage.address).await.is_ok() {
            assert!(Instant::now() < until, "new connections are taken");
        }
        let (ended, ()) = tokio::join!(drain(relay, Duration::from_secs(10)), async {
            speaking.say("data: [DONE]\n\n").await;
            assert_eq!(read_piece(&mut body).await.unwrap(), "data: [DONE]\n\n");
        });
        assert!(ended);
        assert!(idle.is_closed().await, "an idle connection stays");
        assert_eq!(stage.record()["outcome"], "completed");
    });
}

/// Drains on a thread of its own, as Python does.
async fn drain(relay: &Arc<keisan_relay::Relay>, timeout: Duration) -> bool {
    let relay = Arc::clone(relay);
    tokio::task::spawn_blocking(move || relay.drain(timeout)).await.unwrap()
}

#[test]
fn until_it_ends_every_answer_says_that_it_is_the_last() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut kept = stage.connect().await;
        assert!(!kept.get("/healthz").await.headers().contains_key("connection"));
        let draining = tokio::spawn({
            let relay = Arc::clone(&stage.relay);
            async move { drain(&relay, Duration::from_secs(10)).await }
        });
        while stage.stats()["status"] != "draining" {
            tokio::task::yield_now().await;
        }
        let mut late = stage.connect().await;
        for client in [&mut kept, &mut late] {
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer("a")).await;
            });
            assert_eq!(
                (response.status().as_u16(), &response.headers()["connection"]),
                (200, &"close".parse().unwrap())
            );
            assert_eq!(read_json(response).await["model"], "small");
            assert!(client.is_closed().await, "it could be used again");
        }
        assert!(draining.await.unwrap());
        assert!(TcpStream::connect(stage.address).await.is_err(), "new connections are taken");
    });
}

/// A second relay on the stage's snapshot and engines, in the place of the first.
fn open_next(stage: &Stage, options: &Value) -> Relay {
    let mut whole = json!({
        "gateway_id": "h", "platform_id": "ab", "incarnation": "i2", "listen_host": "127.0.0.1", "listen_port": stage.address.port(),
        "spool_directory": stage.directory.path().join("next"),
    });
    for (name, value) in options.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let relay = Relay::open(parse_options(&whole.to_string()).unwrap()).unwrap();
    relay.load_snapshot(stage.snapshot().to_string().as_bytes()).unwrap();
    relay
}

async fn answer_all(mut engine: Engine) {
    loop {
        engine.next().await.answer(200, &chat_answer("a")).await;
    }
}

#[test]
fn the_next_process_takes_over_the_listening_socket() {
    let directory = tempfile::tempdir().unwrap();
    let options = json!({"handover_path": directory.path().join("handover.sock")});
    let stage = Stage::open_with(Setting { options: options.clone(), ..Setting::default() });
    stage.run(async {
        let answering = tokio::spawn(answer_all(stage.engine(1)));
        let next = open_next(&stage, &options);
        let next = tokio::task::spawn_blocking(move || next.start().map(|_| next)).await.unwrap().unwrap();
        for count in 0..200 {
            if count == 20 {
                assert!(drain(&stage.relay, Duration::from_secs(10)).await);
            }
            let mut client = Client::connect(stage.address).await;
            assert_eq!(client.chat(json!({})).await.status(), 200, "call {count}");
        }
        let stats: Value = serde_json::from_str(&next.stats()).unwrap();
        assert!(stats["calls"]["completed"].as_u64() >= Some(180), "{stats}");
        answering.abort();
        tokio::task::spawn_blocking(move || drop(next)).await.unwrap();
    });
}

#[test]
fn a_socket_of_another_address_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let options = json!({"handover_path": directory.path().join("handover.sock")});
    let stage = Stage::open_with(Setting { options: options.clone(), ..Setting::default() });
    let elsewhere = open_next(&stage, &json!({"handover_path": options["handover_path"], "listen_port": 9}));
    let fault = format!("{:?}", elsewhere.start().unwrap_err());
    assert!(fault.contains("handover_path: expected a process that listens on 127.0.0.1:9"), "{fault}");
}
