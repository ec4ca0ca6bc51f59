//! Refusals: each leaves no record, forwards nothing, and has `OpenAI`'s shape with a code of ours.

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

use crate::stage::{Setting, Stage, build_post, chat_body, read_json};

pub fn refuse(stage: &Stage, request: Request<Full<bytes::Bytes>>) -> (u16, Value) {
    stage.run(async {
        let response = stage.connect().await.send(request).await;
        assert!(response.headers().contains_key("x-request-id"));
        assert!(!response.headers().contains_key("keisan-record-id"));
        let status = response.status().as_u16();
        let error = read_json(response).await["error"].take();
        for field in ["message", "type", "param", "code", "retryable"] {
            assert!(error.get(field).is_some(), "{field} is missing in {error}");
        }
        (status, error)
    })
}

#[test]
fn each_fault_has_its_status_and_code() {
    let stage = Stage::open();
    let chat = |more: Value| build_post("/v1/chat/completions", "sk-whole", chat_body(&more));
    let cases = [
        (build_post("/v1/chat/completions", "sk-wrong", chat_body(&json!({}))), 401, "invalid_api_key"),
        (build_post("/v1/chat/completions", "sk-nothing", chat_body(&json!({}))), 403, "permission_denied"),
        (Request::get("/v1/models").body(Full::default()).unwrap(), 401, "invalid_api_key"),
        (Request::get("/v1/nothing").body(Full::default()).unwrap(), 404, "not_found"),
        (Request::get("/v1/chat/completions").body(Full::default()).unwrap(), 405, "method_not_allowed"),
        (build_post("/v1/chat/completions", "sk-whole", "{"), 400, "invalid_json"),
        (chat(json!({"model": "unheard of"})), 404, "model_not_found"),
        (chat(json!({"n_predict": 9})), 400, "unknown_parameter"),
        (chat(json!({"n": 2})), 400, "unsupported_value"),
        (chat(json!({"max_tokens": 513})), 400, "invalid_value"),
        (chat(json!({"tools": [{"type": "function"}]})), 400, "unsupported_value"),
        (chat(json!({"messages": []})), 400, "invalid_value"),
        (build_post("/v1/completions", "sk-tiny", r#"{"model":"tiny","prompt":"a"}"#), 400, "unsupported_value"),
        (build_post("/v1/chat/completions", "sk-tiny", chat_body(&json!({}))), 404, "model_not_found"),
    ];
    for (request, status, code) in cases {
        let shown = format!("{request:?}");
        let (found, error) = refuse(&stage, request);
        assert_eq!((found, error["code"].as_str().unwrap()), (status, code), "{shown}");
        assert_eq!(error["retryable"], false);
    }
    assert_eq!(stage.count_written(), 0);
    assert_eq!(stage.stats()["refusals"]["model_not_found"], 2);
}

#[test]
fn an_unknown_model_names_those_available_to_the_key() {
    let stage = Stage::open();
    let (_, whole) = refuse(&stage, build_post("/v1/chat/completions", "sk-whole", chat_body(&json!({"model": "x"}))));
    let (_, narrow) =
        refuse(&stage, build_post("/v1/chat/completions", "sk-tiny", chat_body(&json!({"model": "small"}))));
    assert!(whole["message"].as_str().unwrap().ends_with(": small, tiny"), "{whole}");
    assert!(narrow["message"].as_str().unwrap().ends_with(": tiny"), "{narrow}");
}

#[test]
fn a_limit_above_the_model_s_names_both() {
    let stage = Stage::open();
    let (_, error) =
        refuse(&stage, build_post("/v1/chat/completions", "sk-whole", chat_body(&json!({"max_tokens": 5_000}))));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("512") && message.contains("5000"), "{message}");
    assert_eq!(error["param"], "max_tokens");
}

#[test]
fn a_large_body_is_refused_with_its_length_announced_or_not() {
    let stage = Stage::open_with(Setting { limits: json!({"body_bytes_max": 2048}), ..Setting::default() });
    let long = json!({"messages": [{"role": "user", "content": "x".repeat(20_000)}]});
    let (status, error) = refuse(&stage, build_post("/v1/chat/completions", "sk-whole", chat_body(&long)));
    assert_eq!((status, &error["code"]), (413, &json!("body_too_large")));
    stage.run(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(stage.address).await.unwrap();
        let head = "POST /v1/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer sk-whole\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(format!("bb8\r\n{}\r\n0\r\n\r\n", "x".repeat(3_000)).as_bytes()).await.unwrap();
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).await.unwrap();
        assert!(read[..length].starts_with(b"HTTP/1.1 413"));
    });
}

#[test]
fn a_body_that_does_not_come_whole_is_refused() {
    let stage = Stage::open_with(Setting { limits: json!({"head_read_timeout_s": 1}), ..Setting::default() });
    stage.run(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(stage.address).await.unwrap();
        let head =
            "POST /v1/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer sk-whole\r\ncontent-length: 10\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).await.unwrap();
        assert!(read[..length].starts_with(b"HTTP/1.1 400"));
    });
}
