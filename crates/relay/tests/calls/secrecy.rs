//! No text of a prompt or an answer is kept, whatever goes wrong: not in metrics, health, stats, spans or the spool.

use std::path::Path;

use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use crate::engine::{Asked, chat_answer, token_event, usage_event};
use crate::stage::{Setting, Stage, build_post, chat_body, eventually, read_piece, read_text};

const MARKER: &str = "xyzzy-plugh";
const PATH: &str = "/v1/chat/completions";

/// Requests that say the marker wherever a caller can say something.
fn list_refused() -> Vec<Request<Full<bytes::Bytes>>> {
    let chat = |more: Value| build_post(PATH, "sk-whole", chat_body(&more));
    let mut requests = vec![
        build_post(PATH, MARKER, chat_body(&json!({}))),
        build_post(&format!("/v1/{MARKER}"), "sk-whole", "{}"),
        build_post(PATH, "sk-whole", format!("{{{MARKER}")),
        chat(json!({"model": MARKER})),
        chat(json!({MARKER: 1})),
        chat(json!({"max_tokens": MARKER})),
        chat(json!({"messages": [{"role": MARKER, "content": MARKER}]})),
        chat(json!({"tools": [{"type": MARKER}]})),
    ];
    for name in ["keisan-policy", "traceparent", "tracestate"] {
        let mut request = chat(json!({"model": MARKER}));
        request.headers_mut().insert(name, HeaderValue::from_static(MARKER));
        requests.push(request);
    }
    requests
}

fn ask(is_stream: bool) -> Request<Full<bytes::Bytes>> {
    let messages = json!([{"role": "user", "content": MARKER}]);
    let body = chat_body(&json!({"messages": messages, "user": MARKER, "stop": MARKER, "stream": is_stream}));
    let mut request = build_post(PATH, "sk-whole", body);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request.headers_mut().insert("traceparent", HeaderValue::from_static(parent));
    request.headers_mut().insert("tracestate", HeaderValue::from_static("a=xyzzy-plugh"));
    request.headers_mut().insert("user-agent", HeaderValue::from_static(MARKER));
    request
}

/// What an engine does to a call, and whether that is a stream.
const FAULTS: [(&str, bool); 11] = [
    ("answers", false),
    ("answers in error", false),
    ("answers no JSON", false),
    ("breaks off", false),
    ("dies", false),
    ("streams", true),
    ("streams an error", true),
    ("streams no JSON", true),
    ("breaks off", true),
    ("dies", true),
    ("speaks to nobody", true),
];

async fn play(fault: &str, is_stream: bool, asked: Asked) {
    assert!(asked.request.to_string().contains(MARKER), "the engine gets the prompt");
    assert!(asked.headers["tracestate"].to_str().unwrap().contains(MARKER), "and the trace's state");
    match (fault, is_stream) {
        ("answers", _) => asked.answer(200, &chat_answer(MARKER)).await,
        ("answers in error", _) => {
            asked.answer(400, &json!({"error": {"message": MARKER, "type": MARKER}}).to_string()).await;
        }
        ("answers no JSON", _) => asked.answer(200, MARKER).await,
        ("dies", _) => drop(asked),
        ("breaks off", false) => {
            let speaking = asked.begin(200, "application/json", Some(1_000));
            speaking.say(format!("{{\"{MARKER}")).await;
            speaking.die().await;
        }
        (fault, _) => {
            let speaking = asked.begin_stream();
            speaking.event(&token_event(MARKER, 1)).await;
            match fault {
                "streams" => {
                    speaking.event(&usage_event(1)).await;
                    speaking.say("data: [DONE]\n\n").await;
                }
                "streams an error" => speaking.say(format!("error: {{\"message\":\"{MARKER}\"}}\n\n")).await,
                "streams no JSON" => speaking.say(format!("data: {MARKER}\n\n: {MARKER}\n\n")).await,
                "breaks off" => speaking.die().await,
                _ => speaking.cancelled().await,
            }
        }
    }
}

async fn read_all(stage: &Stage, texts: &mut Vec<(String, String)>) {
    for path in ["/metrics", "/healthz"] {
        texts.push((path.to_owned(), read_text(stage.connect().await.get(path).await).await));
    }
    texts.push(("stats".to_owned(), stage.relay.stats()));
    texts.push(("credit".to_owned(), stage.relay.report_credit()));
    texts.push(("spans".to_owned(), String::from_utf8(stage.relay.take_spans(10_000)).unwrap()));
    read_folder(&stage.directory.path().join("spool"), texts);
}

fn read_folder(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
}

#[test]
fn no_text_of_a_call_is_kept() {
    let stage = Stage::open_with(Setting { options: json!({"trace_sample_ppm": 1_000_000}), ..Setting::default() });
    let mut texts = Vec::new();
    stage.run(async {
        let mut engine = stage.engine(1);
        for request in list_refused() {
            assert!(stage.connect().await.send(request).await.status().is_client_error());
        }
        for (fault, is_stream) in FAULTS {
            let mut client = stage.connect().await;
            let playing = async {
                play(fault, is_stream, engine.next().await).await;
                // A call whose engine died is tried again.
                loop {
                    drop(engine.next().await);
                }
            };
            let reading = async move {
                let mut body = client.send(ask(is_stream)).await.into_body();
                if fault == "speaks to nobody" {
                    read_piece(&mut body).await;
                    return;
                }
                // A broken answer ends in an error, which is fine here.
                while let Some(Ok(_)) = http_body_util::BodyExt::frame(&mut body).await {}
            };
            tokio::select! {
                () = reading => {}
                () = playing => {}
            }
        }
        eventually("calls stay open", || stage.stats()["open_calls"] == 0).await;
        read_all(&stage, &mut texts).await;
    });
    assert_eq!(stage.records(FAULTS.len()).len(), FAULTS.len());
    let spans = &texts.iter().find(|(name, _)| name == "spans").unwrap().1;
    assert!(spans.matches("keisan.record_id").count() == FAULTS.len(), "every call has its span");
    assert!(texts.iter().any(|(name, text)| name.contains("spool") && text.contains("record_id")));
    for (name, text) in &texts {
        assert!(!text.contains(MARKER) && !text.contains("xyzzy"), "{name} holds the marker:\n{text}");
    }
}
