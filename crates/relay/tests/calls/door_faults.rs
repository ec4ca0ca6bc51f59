//! What goes wrong at a door: engines that die, clients that leave, doors that restart.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Version;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::doorway::{Doorway, SECRET, read_until};
use crate::engine::{chat_answer, token_event};
use crate::stage::{Stage, eventually, read_json, read_piece, read_text, stream};

const CHAT: &str = "/replicas/r1/v1/chat/completions";

#[test]
fn an_engine_lost_mid_answer_is_lost_for_the_gateway_too() {
    let stage = Stage::open();
    let _doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 1)).await;
            speaking
        });
        let mut body = response.into_body();
        assert!(read_piece(&mut body).await.unwrap().contains("\"a\""));
        // What was said last arrives, though the loss follows at once.
        speaking.event(&token_event("b", 2)).await;
        speaking.die().await;
        assert!(read_piece(&mut body).await.unwrap().contains("\"b\""));
        assert!(read_piece(&mut body).await.unwrap().contains("engine_lost"));
        assert!(read_piece(&mut body).await.is_none());
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["quantities"]["output"]), (&json!("engine_cut"), &json!(2)));
    });
}

#[test]
fn an_engine_lost_mid_answer_breaks_the_answer_on_either_protocol() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    stage.run(async {
        let mut engine = stage.engine(1);
        let ask = || doorway.build_post(CHAT, SECRET, Full::new(Bytes::from("{}")));
        let mut plain = doorway.connect().await;
        let mut modern = doorway.connect_http_2().await;
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let asking = async {
                if version == Version::HTTP_2 {
                    modern.send_request(ask()).await
                } else {
                    plain.send_request(ask()).await
                }
            };
            let (response, speaking) = tokio::join!(asking, async {
                let speaking = engine.next().await.begin_stream();
                speaking.say("data: 1\n\n").await;
                speaking
            });
            let response = response.unwrap();
            assert_eq!((response.status().as_u16(), response.version()), (200, version));
            let mut body = response.into_body();
            assert_eq!(read_piece(&mut body).await.unwrap(), "data: 1\n\n");
            speaking.die().await;
            assert!(body.frame().await.unwrap().is_err(), "{version:?}: the answer looks whole");
        }
        assert!(plain.is_closed(), "the connection stays open");
        assert!(!modern.is_closed(), "one stream takes the others with it");
        assert_eq!(doorway.stats()["lost"], 2);
    });
}

#[test]
fn what_an_engine_said_just_before_it_was_lost_arrives() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({"worker_threads": 2}));
    stage.run(async {
        let listener = UnixListener::bind(stage.directory.path().join("1.sock")).unwrap();
        let mut door = doorway.connect_http_2().await;
        // More than one frame, which then waits behind others for the socket.
        let last = "x".repeat(60_000);
        for _ in 0..40 {
            let ask = door.send_request(doorway.build_post(CHAT, SECRET, Full::new(Bytes::from("{}"))));
            let (response, ()) = tokio::join!(ask, async {
                let (mut engine, _) = listener.accept().await.unwrap();
                read_until(&mut engine, "{}").await;
                // Said and gone in one breath.
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                engine.write_all(format!("{head}{:x}\r\n{last}\r\n", last.len()).as_bytes()).await.unwrap();
            });
            let mut body = response.unwrap().into_body();
            let mut heard = 0;
            while heard < last.len() {
                heard += read_piece(&mut body).await.unwrap().len();
            }
            assert!(body.frame().await.unwrap().is_err());
        }
    });
}

#[test]
fn an_engine_that_is_not_there_or_says_nothing_is_a_503_with_a_code() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    stage.run(async {
        let mut door = doorway.connect_http_2().await;
        let ask = || doorway.build_post(CHAT, SECRET, Full::new(Bytes::from("{}")));
        let absent = door.send_request(ask()).await.unwrap();
        assert_eq!(
            (absent.status().as_u16(), &absent.headers()["keisan-door-code"]),
            (503, &"no_healthy_replica".parse().unwrap())
        );
        assert_eq!(read_json(absent).await["error"]["code"], "no_healthy_replica");
        let mut engine = stage.engine(1);
        let (silent, ()) = tokio::join!(door.send_request(ask()), async { drop(engine.next().await) });
        assert_eq!(silent.unwrap().status(), 503);
    });
}

#[test]
fn an_engine_whose_backlog_is_full_is_waited_for() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    stage.run(async {
        let path = stage.directory.path().join("1.sock");
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut before = Vec::new();
        while let Ok(stream) = UnixStream::connect(&path).await {
            before.push(stream);
        }
        let mut door = doorway.connect_http_2().await;
        let asking = door.send_request(doorway.build_post(CHAT, SECRET, Full::new(Bytes::from("{}"))));
        let asking = tokio::spawn(async move { asking.await.unwrap().status() });
        eventually("the call does not come", || doorway.stats()["open_calls"] == 1).await;
        for _ in before {
            listener.accept().await.unwrap();
        }
        let (mut engine, _) = listener.accept().await.unwrap();
        read_until(&mut engine, "{}").await;
        engine.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert_eq!(asking.await.unwrap(), 200);
    });
}

#[test]
fn another_replica_answers_for_one_whose_engine_is_gone() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 2);
    stage.run(async {
        let mut engine = stage.engine(2);
        for _ in 0..4 {
            let mut client = stage.connect().await;
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer("a")).await;
            });
            assert_eq!(response.status(), 200);
        }
        assert!(stage.records(4).iter().all(|record| record["replica_id"] == "r2"));
        assert_eq!(doorway.stats()["connections"], 1, "the door is not at fault, its connection is kept");
    });
}

#[test]
fn what_an_engine_refuses_is_passed_as_it_is() {
    let stage = Stage::open();
    let _doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            engine
                .next()
                .await
                .answer(400, r#"{"error":{"code":400,"message":"no","type":"invalid_request_error"}}"#)
                .await;
        });
        assert_eq!(response.status(), 400);
        assert_eq!(stage.record()["outcome"], "engine_refused");
    });
}

#[test]
fn a_client_that_leaves_a_stream_cancels_the_engine() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 1)).await;
            speaking
        });
        let mut body = response.into_body();
        read_piece(&mut body).await.unwrap();
        drop((body, client));
        speaking.cancelled().await;
        eventually("the call stays open at the door", || doorway.stats()["open_calls"] == 0).await;
        assert_eq!(doorway.stats()["open_connections"], 1, "the connection is shared and stays");
        assert_eq!(stage.record()["outcome"], "client_closed");
    });
}

#[test]
fn a_client_that_leaves_before_the_answer_cancels_the_engine() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let asked = tokio::select! {
            _ = client.chat(stream()) => panic!("nobody answered"),
            asked = engine.next() => asked,
        };
        drop(client);
        let mut asked = asked;
        asked.abandoned().await;
        eventually("the call stays open at the door", || doorway.stats()["open_calls"] == 0).await;
    });
}

#[test]
fn a_door_that_restarts_costs_no_call() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    let port = doorway.address.port();
    let mut engine = stage.run(async { stage.engine(1) });
    let mut doorway = Some(doorway);
    for _ in 0..5 {
        stage.run(async {
            let mut client = stage.connect().await;
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer("a")).await;
            });
            assert_eq!(response.status(), 200);
            read_text(response).await;
        });
        // Stopped as by a kill: the gateway has yet to see that its connection is closed.
        drop(doorway.take());
        doorway = Some(Doorway::open(&stage, &json!({"listen_port": port})));
    }
}
