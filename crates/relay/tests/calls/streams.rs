//! Streamed calls: events pass as they come, usage is hidden or kept, cuts on both sides are billed by what was said.

use serde_json::json;

use crate::engine::{token_event, usage_event};
use crate::stage::{Setting, Stage, eventually, read_json, read_piece, read_text, stream};

const FINISH: &str = r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"id":"c","model":"small"}"#;

#[test]
fn events_pass_as_they_come_without_what_was_not_asked_for() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let asked = engine.next().await;
            assert_eq!(asked.request["stream_options"], json!({"include_usage": true}));
            assert_eq!(
                (&asked.request["timings_per_token"], &asked.request["max_tokens"]),
                (&json!(true), &json!(512))
            );
            let speaking = asked.begin_stream();
            speaking.event(&token_event("To", 1)).await;
            speaking
        });
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body();
        let first = read_piece(&mut body).await.unwrap();
        let event: serde_json::Value = serde_json::from_str(first.strip_prefix("data: ").unwrap().trim()).unwrap();
        assert_eq!((&event["choices"][0]["delta"]["content"], &event["model"]), (&json!("To"), &json!("small")));
        assert_eq!(event["timings"], json!(null));
        speaking.event(FINISH).await;
        assert_eq!(read_piece(&mut body).await.unwrap(), format!("data: {FINISH}\n\n"));
        speaking.event(&usage_event(4)).await;
        assert_eq!(stage.count_written(), 0);
        speaking.say("data: [DONE]\n\n").await;
        assert_eq!(read_piece(&mut body).await.unwrap(), "data: [DONE]\n\n");
        assert_eq!(stage.count_written(), 1, "the end came before the record");
        drop(speaking);
        assert_eq!(read_piece(&mut body).await, None);
        let record = stage.record();
        assert_eq!(record["quantities"], json!({"input": 1, "input_cached": 36, "output": 4}));
        assert_eq!((&record["usage_source"], &record["outcome"]), (&json!("engine"), &json!("completed")));
        assert_eq!((&record["events"], &record["is_stream"]), (&json!(3), &json!(true)));
    });
}

#[test]
fn the_usage_chunk_is_kept_for_those_who_ask() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let body = json!({"stream": true, "stream_options": {"include_usage": true}});
        let (response, ()) = tokio::join!(client.chat(body), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 1)).await;
            speaking.event(&usage_event(1)).await;
            speaking.say("data: [DONE]\n\n").await;
        });
        let text = read_text(response).await;
        assert!(text.contains("\"usage\":{\"completion_tokens\":1"), "{text}");
        assert!(!text.contains("timings"), "{text}");
    });
}

#[test]
fn legacy_usage_is_cut_out_of_the_last_chunk() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let calling = client.post("/v1/completions", r#"{"model":"small","prompt":"a","stream":true}"#);
        let (response, ()) = tokio::join!(calling, async {
            let speaking = engine.next().await.begin_stream();
            let last = r#"{"choices":[{"text":"b","finish_reason":"length"}],"usage":{"prompt_tokens":4,"completion_tokens":5},"model":"small"}"#;
            speaking.event(last).await;
            speaking.say("data: [DONE]\n\n").await;
        });
        let expected = "data: {\"choices\":[{\"text\":\"b\",\"finish_reason\":\"length\"}],\"model\":\"small\"}\n\ndata: [DONE]\n\n";
        assert_eq!(read_text(response).await, expected);
        assert_eq!(stage.record()["quantities"], json!({"input": 4, "input_cached": 0, "output": 5}));
    });
}

#[test]
fn events_split_anywhere_arrive_whole() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            let all = format!(": ping\n\ndata: {FINISH}\r\n\r\ndata: {}\n\ndata: [DONE]\n\n", usage_event(2));
            for piece in all.as_bytes().chunks(7) {
                speaking.say(std::str::from_utf8(piece).unwrap()).await;
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(read_text(response).await, format!(": ping\n\ndata: {FINISH}\r\n\r\ndata: [DONE]\n\n"));
        assert_eq!(stage.record()["quantities"]["output"], 2);
    });
}

#[test]
fn a_client_that_leaves_cancels_and_pays_the_running_count() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 1)).await;
            speaking.event(&token_event("b", 3)).await;
            speaking
        });
        let mut body = response.into_body();
        let mut read = String::new();
        while !read.contains("\"b\"") {
            read += &read_piece(&mut body).await.unwrap();
        }
        drop((body, client));
        speaking.cancelled().await;
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("engine_running")));
        assert_eq!(record["quantities"], json!({"input": 1, "input_cached": 36, "output": 3}));
        assert_eq!(record["http_status"], 200);
    });
}

#[test]
fn a_client_that_leaves_before_the_first_event_pays_nothing() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let asked = {
            let mut calling = std::pin::pin!(client.chat(stream()));
            tokio::select! {
                _ = &mut calling => panic!("answered too early"),
                asked = engine.next() => asked,
            }
        };
        drop(client);
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("none")));
        assert_eq!((&record["amount_nano"], &record["http_status"]), (&json!("0"), &json!(499)));
        assert_eq!(asked.request_id, record["record_id"].as_str().unwrap());
    });
}

#[test]
fn a_dead_engine_ends_the_stream_with_one_typed_event() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 2)).await;
            speaking.say("data: {\"choices\":[{\"delta\":{\"content\":\"half").await;
            speaking.die().await;
        });
        let text = read_text(response).await;
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        let error: serde_json::Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((&error["error"]["code"], &error["error"]["retryable"]), (&json!("engine_lost"), &json!(true)));
        assert!(!text.contains("[DONE]") && !text.contains("half"), "{text}");
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("engine_cut"), &json!("engine_running")));
        assert_eq!(record["quantities"]["output"], 2);
    });
}

#[test]
fn a_stream_that_ends_without_its_end_is_cut() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&usage_event(6)).await;
        });
        assert!(read_text(response).await.contains("engine_lost"));
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("engine_cut"), &json!("engine")));
    });
}

#[test]
fn an_error_within_a_stream_is_said_in_our_words() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        for line in [
            "data: {\"error\":{\"code\":500,\"message\":\"/secret\"}}\n\n",
            "error: {\"code\":500,\"message\":\"/secret\"}\n\n",
        ] {
            let mut client = stage.connect().await;
            let (response, ()) = tokio::join!(client.chat(stream()), async {
                let speaking = engine.next().await.begin_stream();
                speaking.event(&token_event("a", 1)).await;
                speaking.say(line).await;
            });
            let text = read_text(response).await;
            assert!(text.contains("engine_error") && !text.contains("secret") && !text.contains("[DONE]"), "{text}");
        }
        assert!(stage.records(2).iter().all(|record| record["outcome"] == "engine_refused"));
    });
}

#[test]
fn an_event_beyond_all_bounds_is_cut() {
    let stage = Stage::open_with(Setting { limits: json!({"event_bytes_max": 1024}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.say(format!("data: {}", "x".repeat(4_000))).await;
            speaking
        });
        assert!(read_text(response).await.contains("engine_error"));
        speaking.cancelled().await;
        assert_eq!(stage.record()["outcome"], "engine_cut");
    });
}

#[test]
fn a_silent_engine_is_cut() {
    let stage = Stage::open_with(Setting { limits: json!({"stream_idle_timeout_s": 1}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 1)).await;
            speaking
        });
        assert!(read_text(response).await.contains("engine_timeout"));
        speaking.cancelled().await;
        assert_eq!(stage.record()["usage_source"], "engine_running");
    });
}

#[test]
fn an_engine_that_tells_nothing_is_estimated() {
    let silent = |snapshot: &mut serde_json::Value| snapshot["tables"]["engines"]["e"]["running_usage"] = json!("none");
    let stage = Stage::open_with(Setting { change: Some(silent), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let asked = engine.next().await;
            assert_eq!(asked.request.get("timings_per_token"), None);
            let speaking = asked.begin_stream();
            for _ in 0..3 {
                speaking.event(r#"{"choices":[{"delta":{"content":"eight by"}}],"model":"small"}"#).await;
            }
            speaking
        });
        let mut body = response.into_body();
        let mut read = String::new();
        while read.matches("eight").count() < 3 {
            read += &read_piece(&mut body).await.unwrap();
        }
        drop((body, client));
        speaking.cancelled().await;
        let record = stage.record();
        assert_eq!(record["usage_source"], "estimated");
        // 24 bytes are 6 tokens of 4 bytes, but only 3 events came.
        assert_eq!((&record["quantities"], &record["amount_nano"]), (&json!({"output": 3}), &json!("4500")));
    });
}

#[test]
fn a_json_answer_to_a_stream_request_passes() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(stream()), async {
            engine.next().await.answer(400, "{\"error\":{\"type\":\"invalid_request_error\"}}").await;
        });
        assert_eq!(response.status(), 400);
        assert_eq!(read_json(response).await["error"]["code"], "engine_refused");
        assert_eq!(stage.record()["is_stream"], true);
    });
}

#[test]
fn a_finished_stream_gives_its_connection_back() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        for _ in 0..3 {
            let (response, ()) = tokio::join!(client.chat(stream()), async {
                let speaking = engine.next().await.begin_stream();
                speaking.say("data: [DONE]\n\n").await;
            });
            assert_eq!(read_text(response).await, "data: [DONE]\n\n");
            eventually("the call stays open", || stage.stats()["open_calls"] == 0).await;
        }
        assert!(engine.count_connections() <= 2, "{} connections", engine.count_connections());
        assert_eq!(stage.records(3).len(), 3);
    });
}
