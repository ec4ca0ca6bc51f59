//! JSON calls: what the engine gets, what the client gets, what is recorded, and when.

use http_body_util::BodyExt;
use serde_json::json;

use crate::engine::chat_answer;
use crate::stage::{Setting, Stage, eventually, read_json, read_piece};

#[test]
fn a_call_is_answered_and_recorded() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let body = json!({"max_completion_tokens": 9, "user": "me", "temperature": null, "top_k": 3});
        let (response, ()) = tokio::join!(client.chat(body), async {
            let asked = engine.next().await;
            let expected =
                json!({"model": "small", "messages": [{"role": "user", "content": "hi"}], "top_k": 3, "max_tokens": 9});
            assert_eq!(asked.request, expected);
            asked.answer(200, &chat_answer("Tokyo")).await;
        });
        assert_eq!(response.status(), 200);
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(headers["x-request-id"], headers["keisan-record-id"]);
        for name in ["server", "access-control-allow-origin", "keisan-max-tokens"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        let answer = read_json(response).await;
        assert_eq!((&answer["model"], &answer["timings"]), (&json!("small"), &json!(null)));
        assert_eq!(answer["usage"]["prompt_tokens"], 37);
        let record = stage.record();
        assert_eq!(record["record_id"], headers["keisan-record-id"].to_str().unwrap());
        assert_eq!(record["quantities"], json!({"input": 1, "input_cached": 36, "output": 8}));
        // 1 x 500 + 36 x 50 + 8 x 1500
        assert_eq!(record["amount_nano"], "14300");
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("completed"), &json!("engine")));
        assert_eq!((&record["surface"], &record["is_stream"]), (&json!("chat"), &json!(false)));
    });
}

#[test]
fn an_absent_limit_is_filled_and_named() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.post("/v1/completions", r#"{"model":"small","prompt":"a"}"#), async {
            let asked = engine.next().await;
            assert_eq!(asked.request, json!({"model": "small", "prompt": "a", "max_tokens": 512}));
            asked.answer(200, "{\"choices\":[]}").await;
        });
        assert_eq!(response.headers()["keisan-max-tokens"], "512");
        let record = stage.record();
        assert_eq!((&record["usage_source"], &record["amount_nano"]), (&json!("none"), &json!("0")));
        assert_eq!(record["surface"], "completions");
    });
}

#[test]
fn the_record_is_written_before_the_last_piece() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let text = chat_answer("Tokyo");
        let (start, end) = text.split_at(text.find("usage").unwrap() + 20);
        let (response, speaking) = tokio::join!(client.chat(json!({})), async {
            let speaking = engine.next().await.begin(200, "application/json", Some(text.len() as u64));
            speaking.say(&start[..10]).await;
            speaking.flushed().await;
            speaking.say(&start[10..]).await;
            speaking
        });
        let mut body = response.into_body();
        let mut read = read_piece(&mut body).await.unwrap();
        assert_eq!(stage.count_written(), 0);
        speaking.say(end).await;
        while let Some(piece) = read_piece(&mut body).await {
            read += &piece;
            if read.len() == text.len() {
                assert_eq!(stage.count_written(), 1, "the last byte came before the record");
            }
        }
        assert_eq!(read, text);
        assert_eq!(stage.record()["quantities"], json!({"input": 1, "input_cached": 36, "output": 8}));
    });
}

#[test]
fn a_client_that_leaves_is_billed_for_a_whole_answer() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let asked = {
            let mut calling = std::pin::pin!(client.chat(json!({})));
            tokio::select! {
                _ = &mut calling => panic!("answered too early"),
                asked = engine.next() => asked,
            }
        };
        client.leave().await;
        let speaking = asked.begin(200, "application/json", None);
        speaking.say(chat_answer("Tokyo")).await;
        drop(speaking);
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("engine")));
        assert_eq!(record["amount_nano"], "14300");
    });
}

#[test]
fn a_client_that_leaves_amid_an_answer_is_billed_for_a_whole_one() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let text = chat_answer("Tokyo");
        let (response, speaking) = tokio::join!(client.chat(json!({})), async {
            let speaking = engine.next().await.begin(200, "application/json", None);
            speaking.say(&text[..20]).await;
            speaking.flushed().await;
            speaking.say(&text[20..30]).await;
            speaking
        });
        let mut body = response.into_body();
        assert!(read_piece(&mut body).await.is_some());
        drop(body);
        client.leave().await;
        speaking.say(&text[30..]).await;
        drop(speaking);
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("engine")));
    });
}

#[test]
fn an_answer_that_never_ends_is_not_billed() {
    let stage = Stage::open_with(Setting { limits: json!({"drain_after_client_s": 1}), ..Setting::default() });
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let asked = {
            let mut calling = std::pin::pin!(client.chat(json!({})));
            tokio::select! {
                _ = &mut calling => panic!("answered too early"),
                asked = engine.next() => asked,
            }
        };
        drop(client);
        let speaking = asked.begin(200, "application/json", None);
        speaking.say(&chat_answer("Tokyo")[..200]).await;
        speaking.cancelled().await;
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("client_closed"), &json!("none")));
        assert_eq!(record["amount_nano"], "0");
        eventually("the call stays open", || stage.stats()["open_calls"] == 0).await;
    });
}

#[test]
fn a_cut_answer_is_not_billed() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let text = chat_answer("Tokyo");
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            let speaking = engine.next().await.begin(200, "application/json", Some(text.len() as u64));
            speaking.say(&text[..20]).await;
            speaking.die().await;
        });
        assert_eq!(response.status(), 502);
        assert_eq!(read_json(response).await["error"]["code"], "engine_lost");
        let record = stage.record();
        assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("engine_cut"), &json!("none")));
        assert_eq!(record["http_status"], 502);
    });
}

#[test]
fn an_answer_that_is_no_whole_object_is_the_engine_s_fault() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let whole = chat_answer("Tokyo");
        let texts = ["", "<html>busy</html>", "[]", &whole[..whole.len() - 1]];
        for text in texts {
            let (response, ()) =
                tokio::join!(client.chat(json!({})), async { engine.next().await.answer(200, text).await });
            assert_eq!(response.status(), 502, "{text}");
            assert_eq!(read_json(response).await["error"]["code"], "engine_error");
        }
        let records = stage.records(texts.len());
        assert!(records.iter().all(|record| record["outcome"] == "engine_cut" && record["amount_nano"] == "0"));
    });
}

#[test]
fn an_answer_of_several_pieces_that_is_never_closed_breaks_off() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let text = chat_answer("Tokyo");
        let (response, speaking) = tokio::join!(client.chat(json!({})), async {
            let speaking = engine.next().await.begin(200, "application/json", None);
            speaking.say(&text[..20]).await;
            speaking.flushed().await;
            speaking.say(&text[20..40]).await;
            speaking
        });
        drop(speaking);
        assert!(response.into_body().collect().await.is_err(), "the client must not take it for whole");
        assert_eq!(stage.record()["outcome"], "engine_cut");
    });
}

#[test]
fn an_answer_cut_amid_its_pieces_breaks_off() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let text = chat_answer("Tokyo");
        let (response, speaking) = tokio::join!(client.chat(json!({})), async {
            let speaking = engine.next().await.begin(200, "application/json", None);
            speaking.say(&text[..20]).await;
            speaking.flushed().await;
            speaking.say(&text[20..40]).await;
            speaking
        });
        speaking.die().await;
        assert!(response.into_body().collect().await.is_err(), "the client must not take it for whole");
        assert_eq!(stage.record()["outcome"], "engine_cut");
    });
}

#[test]
fn an_engine_s_refusal_is_said_in_our_words() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let secret = r#"{"error":{"code":400,"message":"parse error at /secret/path","type":"exceed_context_size_error","n_prompt_tokens":5031,"n_ctx":2048}}"#;
        let cases = [(400, secret, 400, "context_length_exceeded"), (404, "{}", 400, "engine_refused"), (500, "boom /secret", 502, "engine_error")];
        for (said, text, status, code) in cases {
            let (response, ()) = tokio::join!(client.chat(json!({})), async { engine.next().await.answer(said, text).await });
            assert_eq!(response.status(), status);
            assert!(response.headers().contains_key("keisan-record-id"));
            let error = read_json(response).await["error"].take();
            assert_eq!((&error["code"], &error["retryable"]), (&json!(code), &json!(status >= 500)));
            assert!(!error["message"].as_str().unwrap().contains("secret"));
        }
        let records = stage.records(3);
        assert!(records.iter().all(|record| record["outcome"] == "engine_refused" && record["amount_nano"] == "0"));
        // The answers were read to their end, so one connection served them all.
        assert_eq!(engine.count_connections(), 1);
    });
}
