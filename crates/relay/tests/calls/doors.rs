//! Calls through a real door: what passes, what does not, secrets and certificates that rotate.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::certificate::write_certificate;
use crate::doorway::{Doorway, SECRET, build_snapshot, call, read_until, write_access};
use crate::engine::{ScriptedBody, chat_answer, token_event, usage_event};
use crate::stage::{Setting, Stage, WAIT, eventually, read_json, read_piece, read_text, stream};

const CHAT: &str = "/replicas/r1/v1/chat/completions";

#[test]
fn an_answer_comes_through_the_door_and_its_secret_stays_there() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            let asked = engine.next().await;
            assert!(!asked.headers.contains_key("authorization"), "the secret is passed on");
            assert_eq!(asked.headers["content-type"], "application/json");
            assert_eq!(asked.request["messages"][0]["content"], "hi");
            asked.answer(200, &chat_answer("hello")).await;
        });
        assert_eq!(response.status(), 200);
        assert_eq!(read_json(response).await["choices"][0]["message"]["content"], "hello");
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["replica_id"]), (&json!("completed"), &json!("r1")));
        eventually("the call stays open at the door", || doorway.stats()["open_calls"] == 0).await;
        assert_eq!(doorway.stats()["calls"], 1);
    });
}

#[test]
fn events_come_through_the_door_one_by_one() {
    let stage = Stage::open();
    let _doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("0", 1)).await;
            speaking
        });
        let mut body = response.into_body();
        // Each is read before the next is said: nothing on the way waits for more.
        for count in 1..20 {
            assert!(read_piece(&mut body).await.unwrap().contains(&format!("\"content\":\"{}\"", count - 1)));
            speaking.event(&token_event(&count.to_string(), count + 1)).await;
        }
        read_piece(&mut body).await.unwrap();
        speaking.event(&usage_event(8)).await;
        speaking.say("data: [DONE]\n\n").await;
        assert_eq!(read_piece(&mut body).await.unwrap(), "data: [DONE]\n\n");
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["quantities"]["output"]), (&json!("completed"), &json!(8)));
    });
}

#[test]
fn only_those_with_the_secret_learn_anything() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut door = doorway.connect_http_2().await;
        for path in ["/", CHAT, "/replicas/none/v1/chat/completions", "/metrics", "/healthz"] {
            let response =
                door.send_request(doorway.build_post(path, "wrong", Full::<Bytes>::default())).await.unwrap();
            assert_eq!(response.status(), 401, "{path}");
            assert_eq!(response.headers()["keisan-door-code"], "invalid_api_key");
            read_text(response).await;
        }
        let get = |path, secret| doorway.build_request(Method::GET, path, secret, Full::<Bytes>::default());
        let health = door.send_request(get("/healthz", "wrong")).await.unwrap();
        assert_eq!(health.status(), 200);
        assert_eq!(read_text(health).await, "{\"status\":\"ok\"}");
        assert_eq!(door.send_request(get("/metrics", "wrong")).await.unwrap().status(), 401);
        let metrics = door.send_request(get("/metrics", SECRET)).await.unwrap();
        let text = read_text(metrics).await;
        assert!(text.lines().any(|line| line == "keisan_door_refusals_total{code=\"invalid_api_key\"} 6"), "{text}");
        for path in ["/", "/replicas/none/v1/chat/completions", "/replicas/r1/slots", "/v1/chat/completions"] {
            let response = door.send_request(doorway.build_post(path, SECRET, Full::<Bytes>::default())).await.unwrap();
            assert_eq!((response.status().as_u16(), path), (404, path));
        }
        assert!(engine.is_idle());
    });
}

#[test]
fn without_the_file_nobody_enters() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        assert_eq!(call(&stage, &mut engine).await, 200);
        std::fs::remove_file(&doorway.access_path).unwrap();
        assert_eq!(call(&stage, &mut engine).await, 503);
        assert!(doorway.stats()["access_fault"].is_string());
        write_access(stage.directory.path(), &[SECRET]);
        assert_eq!(call(&stage, &mut engine).await, 200);
    });
}

#[test]
fn a_door_without_its_secret_or_at_another_place_is_not_tried() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    let changes: [fn(&mut Value); 3] = [
        |snapshot| drop(snapshot["tables"].as_object_mut().unwrap().remove("doors")),
        |snapshot| snapshot["tables"]["doors"]["s"]["host"] = json!("localhost"),
        |snapshot| snapshot["tables"]["doors"]["s"]["secret"] = json!(""),
    ];
    stage.run(async {
        let mut engine = stage.engine(1);
        for change in changes {
            let mut snapshot = build_snapshot(&stage, 1, doorway.address, false);
            change(&mut snapshot);
            stage.load(&snapshot);
            assert_eq!(call(&stage, &mut engine).await, 503);
        }
        assert_eq!(doorway.stats()["connections"], 0);
    });
}

#[test]
fn a_secret_rotates_without_a_failed_call() {
    let stage = Stage::open();
    let doorway = Doorway::before(&stage, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let directory = stage.directory.path();
        let mut old = SECRET.to_owned();
        for round in 0..4 {
            let new = format!("sesame-{round}");
            assert_eq!(call(&stage, &mut engine).await, 200);
            write_access(directory, &[&old, &new]);
            assert_eq!(call(&stage, &mut engine).await, 200);
            let mut snapshot = build_snapshot(&stage, 1, doorway.address, false);
            snapshot["tables"]["doors"]["s"]["secret"] = json!(new);
            stage.load(&snapshot);
            assert_eq!(call(&stage, &mut engine).await, 200);
            write_access(directory, &[&new]);
            assert_eq!(call(&stage, &mut engine).await, 200);
            let mut door = doorway.connect().await;
            let late = door.send_request(doorway.build_post(CHAT, &old, Full::<Bytes>::default())).await.unwrap();
            assert_eq!(late.status(), 401, "the old secret still opens");
            old = new;
        }
        assert_eq!(doorway.stats()["connections"], 5, "the gateway has one connection throughout");
    });
}

#[test]
fn certificates_rotate_without_a_failed_call() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write_certificate(directory.path());
    let append_root = || {
        let mut roots = std::fs::read(path("roots.pem")).unwrap_or_default();
        roots.extend(std::fs::read(path("chain.pem")).unwrap());
        std::fs::write(path("roots.new"), roots).unwrap();
        std::fs::rename(path("roots.new"), path("roots.pem")).unwrap();
    };
    append_root();
    let options = json!({"upstream_ca_path": path("roots.pem")});
    let stage = Stage::open_with(Setting { options, ..Setting::default() });
    let tls = json!({"certificate_path": path("chain.pem"), "certificate_key_path": path("key.pem")});
    let doorway = Doorway::open(&stage, &tls);
    let snapshot = build_snapshot(&stage, 1, doorway.address, true);
    stage.load(&snapshot);
    stage.run(async {
        let mut engine = stage.engine(1);
        assert_eq!(call(&stage, &mut engine).await, 200);
        write_certificate(directory.path());
        // A gateway that does not trust the new certificate cannot come in anew; the one that is in goes on.
        assert_eq!(call(&stage, &mut engine).await, 200);
        let mut is_refused = false;
        for _ in 0..400 {
            forget_connections(&stage, &snapshot);
            is_refused = call(&stage, &mut engine).await == 503;
            if is_refused {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(is_refused, "the new certificate is not used, or every certificate is trusted");
        append_root();
        let mut is_trusted = false;
        for _ in 0..400 {
            is_trusted = call(&stage, &mut engine).await == 200;
            if is_trusted {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(is_trusted, "the new root is not read");
    });
}

/// Lets the gateway lose its connections: a replica that is gone for a moment.
fn forget_connections(stage: &Stage, snapshot: &Value) {
    stage.load(&stage.snapshot());
    stage.load(snapshot);
}

#[test]
fn a_door_that_speaks_tls_is_not_trusted_without_roots() {
    let directory = tempfile::tempdir().unwrap();
    write_certificate(directory.path());
    let path = |name: &str| directory.path().join(name);
    let stage = Stage::open();
    let tls = json!({"certificate_path": path("chain.pem"), "certificate_key_path": path("key.pem")});
    let doorway = Doorway::open(&stage, &tls);
    stage.load(&build_snapshot(&stage, 1, doorway.address, true));
    stage.run(async {
        let mut engine = stage.engine(1);
        assert_eq!(call(&stage, &mut engine).await, 503);
        assert!(engine.is_idle());
    });
}

#[test]
fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({"limits": {"body_bytes_max": 2_048}}));
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut door = doorway.connect_http_2().await;
        let large = Full::new(Bytes::from(vec![b'x'; 2_049]));
        let response = door.send_request(doorway.build_post(CHAT, SECRET, large)).await.unwrap();
        assert_eq!(response.status(), 413);
        let (speaking, body) = ScriptedBody::open(None);
        let mut door = doorway.connect_http_2().await;
        let (response, ()) = tokio::join!(door.send_request(doorway.build_post(CHAT, SECRET, body)), async {
            for _ in 0..3 {
                // The door may have answered before the last one.
                let _ = speaking.try_say("x".repeat(1_024)).await;
            }
        });
        assert_eq!(response.unwrap().status(), 413);
        assert!(engine.is_idle());
        eventually("a call stays open", || doorway.stats()["open_calls"] == 0).await;
    });
}

#[test]
fn a_request_reaches_the_engine_piece_by_piece() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    stage.run(async {
        let listener = UnixListener::bind(stage.directory.path().join("1.sock")).unwrap();
        let (speaking, body) = ScriptedBody::open(None);
        let mut door = doorway.connect_http_2().await;
        let request = doorway.build_post(CHAT, SECRET, body);
        let asking = tokio::spawn(async move { door.send_request(request).await.unwrap().status() });
        let (mut engine, _) = listener.accept().await.unwrap();
        for word in ["first", "second"] {
            speaking.say(word).await;
            read_until(&mut engine, word).await;
        }
        drop(speaking);
        engine.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert_eq!(asking.await.unwrap(), 200);
    });
}

#[test]
fn draining_ends_open_calls_and_takes_no_more() {
    let stage = Stage::open();
    let doorway = Arc::new(Doorway::before(&stage, 1));
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
        let draining = tokio::task::spawn_blocking({
            let doorway = Arc::clone(&doorway);
            move || doorway.door.drain(WAIT)
        });
        eventually("the door does not drain", || doorway.stats()["status"] == "draining").await;
        eventually("new connections are taken", || std::net::TcpStream::connect(doorway.address).is_err()).await;
        speaking.say("data: [DONE]\n\n").await;
        drop(speaking);
        assert_eq!(read_piece(&mut body).await.unwrap(), "data: [DONE]\n\n");
        assert!(draining.await.unwrap(), "not all calls ended");
        assert_eq!(stage.record()["outcome"], "completed");
        assert_eq!(call(&stage, &mut engine).await, 503);
    });
}

#[test]
fn a_connection_that_shows_no_secret_in_time_is_closed() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({"limits": {"head_read_timeout_s": 1}}));
    stage.run(async {
        let get = |path, secret| doorway.build_request(Method::GET, path, secret, Full::<Bytes>::default());
        // On a busy host a second may be over before the door has heard a word: then it is done again.
        let gateway = loop {
            let mut gateway = doorway.connect_http_2().await;
            if let Ok(answer) = gateway.send_request(get("/metrics", SECRET)).await {
                assert_eq!(answer.status(), 200);
                break gateway;
            }
        };
        let mut stranger = doorway.connect_http_2().await;
        if let Ok(answer) = stranger.send_request(get("/metrics", "wrong")).await {
            assert_eq!(answer.status(), 401);
        }
        let silent = tokio::net::TcpStream::connect(doorway.address).await.unwrap();
        eventually("strangers stay", || doorway.stats()["open_connections"] == 1).await;
        eventually("it was another that was closed", || stranger.is_closed()).await;
        assert!(!gateway.is_closed());
        drop(silent);
    });
}

#[test]
fn a_stranger_cannot_stay_by_asking_on() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({"limits": {"head_read_timeout_s": 1}}));
    stage.run(async {
        let mut stranger = tokio::net::TcpStream::connect(doorway.address).await.unwrap();
        let asking = async {
            let (began, mut heard) = (std::time::Instant::now(), [0; 4_096]);
            while stranger.write_all(b"GET /metrics HTTP/1.1\r\nhost: door\r\n\r\n").await.is_ok() {
                match stranger.read(&mut heard).await {
                    Ok(size @ 1..) => assert!(heard[..size].starts_with(b"HTTP/1.1 401")),
                    _ => break,
                }
            }
            assert!(began.elapsed() >= Duration::from_millis(900), "it was never taken in");
        };
        tokio::time::timeout(WAIT, asking).await.expect("it stays");
    });
}

#[test]
fn a_call_whose_answer_has_yet_to_begin_outlives_the_draining() {
    let stage = Stage::open();
    let doorway = Arc::new(Doorway::before(&stage, 1));
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let mut other = stage.connect().await;
        let (response, streamed, ()) = tokio::join!(client.chat(json!({})), other.chat(stream()), async {
            let (first, second) = (engine.next().await, engine.next().await);
            let draining = tokio::task::spawn_blocking({
                let doorway = Arc::clone(&doorway);
                move || doorway.door.drain(WAIT)
            });
            eventually("new connections are taken", || std::net::TcpStream::connect(doorway.address).is_err()).await;
            for asked in [first, second] {
                if asked.request["stream"] == true {
                    let speaking = asked.begin_stream();
                    speaking.event(&token_event("a", 1)).await;
                    speaking.say("data: [DONE]\n\n").await;
                } else {
                    asked.answer(200, &chat_answer("late")).await;
                }
            }
            assert!(draining.await.unwrap(), "not all calls ended");
        });
        assert_eq!((response.status().as_u16(), streamed.status().as_u16()), (200, 200));
        read_json(response).await;
        assert!(read_text(streamed).await.ends_with("data: [DONE]\n\n"));
    });
}
