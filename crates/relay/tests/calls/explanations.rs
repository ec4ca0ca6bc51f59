//! How a replica was chosen, told in a header to those who may know and ask: administrators of the platform.

use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use crate::engine::chat_answer;
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, chat_body, read_json};

const PATH: &str = "/v1/chat/completions";

/// A key that may call, and one that administers.
fn grant(snapshot: &mut Value) {
    snapshot["tables"]["keys"]["k2"]["rights"] = json!(["call", "write_organizations"]);
    snapshot["tables"]["keys"]["k2"]["models"] = Value::Null;
}

fn ask(key: &str, policy: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = build_post(PATH, key, chat_body(&json!({})));
    request.headers_mut().insert("keisan-explain", HeaderValue::from_static("1"));
    request.headers_mut().insert("keisan-policy", policy.parse().unwrap());
    request
}

/// Makes a call that the second replica serves and returns the header.
fn call(stage: &Stage, request: Request<Full<bytes::Bytes>>) -> Option<String> {
    stage.run(async {
        let mut engine = stage.engine(2);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.send(request), async {
            engine.next().await.answer(200, &chat_answer("hi")).await;
        });
        assert_eq!(response.status(), 200);
        let decision = response.headers().get("keisan-decision").map(|value| value.to_str().unwrap().to_owned());
        read_json(response).await;
        decision
    })
}

fn open(replicas: usize) -> Stage {
    Stage::open_with(Setting { replicas, change: Some(grant), ..Setting::default() })
}

fn place_second(stage: &Stage, replicas: usize) {
    let mut snapshot = stage.snapshot_of(replicas);
    grant(&mut snapshot);
    snapshot["tables"]["replicas"]["r2"]["region"] = json!("CN-SX");
    stage.load(&snapshot);
}

#[test]
fn an_administrator_is_told_how_each_replica_stood() {
    let stage = open(2);
    place_second(&stage, 2);
    let decision: Value = serde_json::from_str(&call(&stage, ask("sk-tiny", "region in CN")).unwrap()).unwrap();
    let lines = decision.as_array().unwrap();
    assert_eq!(lines.len(), 2);
    let find = |id: &str| &lines.iter().find(|line| line["replica"] == id).unwrap()["standing"];
    assert_eq!(find("r1"), &json!({"excluded": "policy_fails"}), "{decision}");
    assert!(find("r2")["scored"].is_object(), "{decision}");
}

#[test]
fn an_administrator_is_told_why_no_replica_was_chosen() {
    let stage = open(2);
    let decide = |key: &str| {
        stage.run(async {
            let mut client = stage.connect().await;
            let response = client.send(ask(key, "region in XX")).await;
            assert_eq!(response.status(), 403);
            response.headers().get("keisan-decision").map(|value| value.to_str().unwrap().to_owned())
        })
    };
    let decision: Value = serde_json::from_str(&decide("sk-tiny").unwrap()).unwrap();
    let standings: Vec<_> = decision.as_array().unwrap().iter().map(|line| &line["standing"]).collect();
    assert_eq!(standings, [&json!({"excluded": "policy_fails"}); 2], "{decision}");
    assert_eq!(decide("sk-whole"), None);
}

#[test]
fn nobody_else_is_told_and_nobody_who_did_not_ask() {
    for (key, is_asking) in [("sk-whole", true), ("sk-tiny", false)] {
        let stage = open(2);
        place_second(&stage, 2);
        let mut request = ask(key, "region in CN");
        if !is_asking {
            request.headers_mut().remove("keisan-explain");
        }
        assert_eq!(call(&stage, request), None, "{key}");
    }
}

#[test]
fn a_stranger_learns_nothing_by_asking() {
    let stage = open(1);
    let (status, error) = refuse(&stage, ask("sk-wrong", ""));
    assert_eq!((status, &error["code"]), (401, &json!("invalid_api_key")));
}

#[test]
fn what_is_told_is_bounded() {
    let stage = open(60);
    let mut snapshot = stage.snapshot_of(60);
    grant(&mut snapshot);
    // The one that serves comes last in the snapshot, and first in what is told.
    let mut last = snapshot["tables"]["replicas"]["r2"].take();
    last["region"] = json!("CN-SX");
    snapshot["tables"]["replicas"].as_object_mut().unwrap().remove("r2");
    snapshot["tables"]["replicas"]["z"] = last;
    stage.load(&snapshot);
    let decision = call(&stage, ask("sk-tiny", "region in CN")).unwrap();
    assert!(decision.len() < 8_000, "{} bytes", decision.len());
    let decision: Value = serde_json::from_str(&decision).unwrap();
    assert_eq!((decision.as_array().unwrap().len(), &decision[0]["replica"]), (16, &json!("z")));
}
