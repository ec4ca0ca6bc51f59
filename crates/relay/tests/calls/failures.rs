//! What goes wrong before a byte: dead replicas, closed connections, full queues, a full or failing spool.

use std::time::Duration;

use serde_json::json;

use crate::engine::chat_answer;
use crate::stage::{Setting, Stage, build_post, chat_body, eventually, read_json, read_piece, stream};

#[test]
fn another_replica_answers_for_a_dead_one() {
    let stage = Stage::open_with(Setting { replicas: 2, ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(2);
        for _ in 0..3 {
            let mut client = stage.connect().await;
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer("a")).await;
            });
            assert_eq!(response.status(), 200);
        }
        assert!(stage.records(3).iter().all(|record| record["replica_id"] == "r2" && record["outcome"] == "completed"));
    });
}

#[test]
fn no_replica_left_is_a_retryable_503() {
    let stage = Stage::open();
    stage.run(async {
        let mut client = stage.connect().await;
        let response = client.chat(json!({})).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        let error = read_json(response).await["error"].take();
        assert_eq!((&error["code"], &error["retryable"]), (&json!("no_healthy_replica"), &json!(true)));
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["http_status"]), (&json!("engine_unreachable"), &json!(503)));
        assert_eq!(record["amount_nano"], "0");
    });
}

#[test]
fn only_an_ok_verdict_gets_calls() {
    for verdict in ["unknown", "failed", "of a later version"] {
        let stage = Stage::open();
        let mut snapshot = stage.snapshot();
        snapshot["tables"]["replicas"]["r1"]["verdict"] = json!(verdict);
        stage.relay.load_snapshot(snapshot.to_string().as_bytes()).unwrap();
        stage.run(async {
            let mut engine = stage.engine(1);
            let response = stage.connect().await.chat(json!({})).await;
            assert_eq!(response.status(), 503);
            assert_eq!(read_json(response).await["error"]["code"], "no_healthy_replica");
            assert!(engine.is_idle());
        });
        assert_eq!(stage.count_written(), 0, "a refusal leaves no record");
    }
}

#[test]
fn a_connection_closed_in_the_pool_is_replaced() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) =
            tokio::join!(client.chat(json!({})), async { engine.next().await.answer(200, &chat_answer("a")).await });
        read_json(response).await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            // The first attempt, on the connection of the pool, gets no byte.
            drop(engine.next().await);
            engine.next().await.answer(200, &chat_answer("b")).await;
        });
        assert_eq!(response.status(), 200);
        assert_eq!(engine.count_connections(), 2);
        assert!(stage.records(2).iter().all(|record| record["outcome"] == "completed"));
    });
}

#[test]
fn a_worn_connection_is_not_used_again() {
    let worn =
        |snapshot: &mut serde_json::Value| snapshot["tables"]["engines"]["e"]["requests_per_connection_max"] = json!(2);
    let stage = Stage::open_with(Setting { change: Some(worn), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        for _ in 0..4 {
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer("a")).await;
            });
            read_json(response).await;
        }
        assert_eq!(engine.count_connections(), 2);
    });
}

#[test]
fn an_idle_connection_is_dropped_before_the_engine_would() {
    let brief = |snapshot: &mut serde_json::Value| snapshot["tables"]["engines"]["e"]["idle_connection_s"] = json!(1);
    let stage = Stage::open_with(Setting { change: Some(brief), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        for _ in 0..2 {
            let (response, ()) = tokio::join!(client.chat(json!({})), async {
                engine.next().await.answer(200, &chat_answer("a")).await;
            });
            read_json(response).await;
        }
        assert_eq!(engine.count_connections(), 2, "one second less than one second keeps nothing");
    });
}

#[test]
fn calls_beyond_slots_and_queue_are_refused() {
    let stage = Stage::open_with(Setting { limits: json!({"queue_requests_max": 1}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let call = || async {
            stage.connect().await.send(build_post("/v1/chat/completions", "sk-whole", chat_body(&json!({})))).await
        };
        let script = async {
            let first = engine.next().await;
            let second = engine.next().await;
            eventually("the third call does not queue", || stage.stats()["open_calls"] == 2).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(engine.is_idle(), "more calls at the engine than it has slots");
            let refused = call().await;
            assert_eq!(refused.status(), 503);
            assert_eq!(refused.headers()["retry-after"], "1");
            assert_eq!(read_json(refused).await["error"]["code"], "queue_full");
            first.answer(200, &chat_answer("a")).await;
            engine.next().await.answer(200, &chat_answer("c")).await;
            second.answer(200, &chat_answer("b")).await;
        };
        let (one, two, three, ()) = tokio::join!(call(), call(), call(), script);
        assert!([one, two, three].iter().all(|response| response.status() == 200));
        assert_eq!(stage.records(3).len(), 3);
    });
}

#[test]
fn an_engine_that_does_not_begin_is_given_up() {
    let stage = Stage::open_with(Setting { limits: json!({"first_byte_timeout_s": 1}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, asked) = tokio::join!(client.chat(stream()), engine.next());
        assert_eq!(response.status(), 504);
        assert_eq!(read_json(response).await["error"]["code"], "engine_timeout");
        assert_eq!(stage.record()["outcome"], "engine_cut");
        drop(asked);
    });
}

#[test]
fn too_many_request_bytes_are_refused_until_some_are_free() {
    let stage =
        Stage::open_with(Setting { limits: json!({"request_bytes_in_flight_max": 1024}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let long = json!({"messages": [{"role": "user", "content": "x".repeat(700)}]});
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(long.clone()), async {
            let asked = engine.next().await;
            let refused = stage.connect().await.chat(long.clone()).await;
            assert_eq!(refused.status(), 503);
            assert_eq!(read_json(refused).await["error"]["code"], "request_bytes_full");
            asked.answer(200, &chat_answer("a")).await;
        });
        read_json(response).await;
        let (response, ()) =
            tokio::join!(client.chat(long.clone()), async { engine.next().await.answer(200, &chat_answer("b")).await });
        assert_eq!(response.status(), 200);
    });
}

#[test]
fn a_full_spool_refuses_new_calls() {
    let stage = Stage::open_with(Setting { limits: json!({"spool_bytes_max": 1024}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let response = stage.connect().await.chat(json!({})).await;
        assert_eq!(response.status(), 503);
        assert_eq!(read_json(response).await["error"]["code"], "spool_full");
        assert!(engine.is_idle());
    });
}

#[test]
fn an_open_call_keeps_the_snapshot_it_was_admitted_under() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.say(": begun\n\n").await;
            speaking
        });
        let mut body = response.into_body();
        read_piece(&mut body).await;
        let mut snapshot = stage.snapshot();
        snapshot["version"] = json!(6);
        snapshot["tables"]["keys"] = json!({});
        snapshot["tables"]["replicas"] = json!({});
        stage.relay.load_snapshot(snapshot.to_string().as_bytes()).unwrap();
        assert_eq!(stage.connect().await.chat(json!({})).await.status(), 401);
        speaking.event(&crate::engine::usage_event(3)).await;
        speaking.say("data: [DONE]\n\n").await;
        while read_piece(&mut body).await.is_some_and(|piece| !piece.contains("[DONE]")) {}
        let record = stage.record();
        assert_eq!((&record["key_id"], &record["amount_nano"]), (&json!("k1"), &json!("6800")));
    });
    let mut older = stage.snapshot();
    older["version"] = json!(4);
    assert!(stage.relay.load_snapshot(older.to_string().as_bytes()).is_err(), "never backwards within an incarnation");
}
