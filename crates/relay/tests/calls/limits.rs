//! Limits of keys, projects and organizations: taken before a call is forwarded, given back when it was not.

use serde_json::{Value, json};

use crate::engine::chat_answer;
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, chat_body, read_json};

const PATH: &str = "/v1/chat/completions";

fn open(change: fn(&mut Value)) -> Stage {
    let stage = Stage::open_with(Setting { change: Some(change), ..Setting::default() });
    stage.grant_shares(1_000_000);
    stage
}

fn count_admitted(stage: &Stage, tries: usize) -> usize {
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let mut admitted = 0;
        for _ in 0..tries {
            // A refused request never reaches the engine.
            let answering = async {
                engine.next().await.answer(200, &chat_answer("hi")).await;
                std::future::pending().await
            };
            let calling = async {
                let response = client.chat(json!({"max_tokens": 10})).await;
                let is_admitted = response.status().is_success();
                read_json(response).await;
                is_admitted
            };
            admitted +=
                usize::from(tokio::select! { is_admitted = calling => is_admitted, never = answering => never });
        }
        admitted
    })
}

#[test]
fn requests_beyond_the_burst_of_a_key_wait() {
    let stage = open(|snapshot| snapshot["tables"]["keys"]["k1"]["limits"] = json!({"requests_per_minute": 18}));
    assert_eq!(count_admitted(&stage, 6), 3);
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    assert_eq!((status, &error["code"], &error["retryable"]), (429, &json!("rate_limit_exceeded"), &json!(true)));
    assert!(error["message"].as_str().unwrap().contains("key may use 18 requests per minute"), "{error}");
}

#[test]
fn an_organization_s_limit_binds_all_its_keys() {
    let stage = open(|snapshot| {
        snapshot["tables"]["organizations"]["o"]["limits"] = json!({"requests_per_minute": 1});
    });
    assert_eq!(count_admitted(&stage, 1), 1);
    let (status, error) = refuse(&stage, build_post(PATH, "sk-tiny", chat_body(&json!({"model": "tiny"}))));
    assert_eq!(status, 429);
    assert!(error["message"].as_str().unwrap().contains("organization"), "{error}");
}

#[test]
fn tokens_are_reserved_at_the_most_and_corrected_to_what_was_used() {
    // A call reserves about 150 tokens and uses 45, so nearly all of ten pass.
    let stage = open(|snapshot| snapshot["tables"]["projects"]["p"]["limits"] = json!({"tokens_per_minute": 500}));
    assert_eq!(count_admitted(&stage, 8), 8);
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({"max_tokens": 512}))));
    assert_eq!(status, 429);
    assert!(error["message"].as_str().unwrap().contains("may come to"), "{error}");
}

#[test]
fn open_calls_are_bounded() {
    let stage = open(|snapshot| snapshot["tables"]["keys"]["k1"]["limits"] = json!({"calls_open_max": 1}));
    stage.run(async {
        let mut engine = stage.engine(1);
        let (mut one, mut two) = (stage.connect().await, stage.connect().await);
        let (first, ()) = tokio::join!(one.chat(json!({})), async {
            let asked = engine.next().await;
            assert_eq!(read_json(two.chat(json!({})).await).await["error"]["code"], "calls_limit_exceeded");
            asked.answer(200, &chat_answer("hi")).await;
        });
        read_json(first).await;
        let (again, ()) = tokio::join!(two.chat(json!({})), async {
            engine.next().await.answer(200, &chat_answer("hi")).await;
        });
        assert_eq!(again.status(), 200);
    });
}

#[test]
fn a_body_may_be_bounded_below_the_gateway_s_limit() {
    let stage = open(|snapshot| snapshot["tables"]["keys"]["k1"]["limits"] = json!({"body_bytes_max": 90}));
    let long = chat_body(&json!({"messages": [{"role": "user", "content": "x".repeat(200)}]}));
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", long));
    assert_eq!((status, &error["code"]), (413, &json!("body_too_large")));
}

/// The key k2 is limited, and no share of anything is granted.
fn open_unshared(credit_wait_ms: u64) -> Stage {
    Stage::open_with(Setting {
        limits: json!({"credit_wait_ms": credit_wait_ms}),
        change: Some(|snapshot| {
            let limits = json!({"requests_per_minute": 600, "tokens_per_minute": 90_000, "calls_open_max": 7});
            snapshot["tables"]["keys"]["k2"]["limits"] = limits;
        }),
        ..Setting::default()
    })
}

fn refuse_limited(stage: &Stage) -> (u16, Value) {
    refuse(stage, build_post(PATH, "sk-tiny", chat_body(&json!({"model": "tiny"}))))
}

#[test]
fn without_a_share_a_limited_key_is_not_served_and_others_are() {
    let stage = open_unshared(20);
    let (status, error) = refuse_limited(&stage);
    assert_eq!((status, &error["code"], &error["retryable"]), (429, &json!("calls_limit_exceeded"), &json!(true)));
    assert!(error["message"].as_str().unwrap().contains("holds none"), "{error}");
    assert!(stage.relay.wait_credit(std::time::Duration::ZERO), "the shell is not asked for a share");
    assert_eq!(count_admitted(&stage, 1), 1);
}

/// Nobody serves the model "tiny": who is told so has passed the limits.
const ADMITTED: &str = "no_healthy_replica";

#[test]
fn the_first_call_waits_for_its_shares() {
    let stage = open_unshared(10_000);
    let told = stage.answer_credit_when_rung(|report| {
        let named: Vec<Value> = report["rates"].as_array().unwrap().clone();
        assert!(named.len() == 3 && named.iter().all(|line| line["demand_per_minute"] != 0), "{named:?}");
        let tell = |line: &Value| json!({"limit_id": line["limit_id"], "share_ppm": 500_000});
        json!({"rates": named.iter().map(tell).collect::<Vec<_>>()})
    });
    assert_eq!(refuse_limited(&stage).1["code"], ADMITTED);
    told.join().unwrap();
}

/// Plays the platform once, with the same word on all limits.
fn tell_all(stage: &Stage, word: Value) -> std::thread::JoinHandle<()> {
    stage.answer_credit_when_rung(move |report| {
        let tell = |line: &Value| {
            let mut line = json!({"limit_id": line["limit_id"]});
            crate::stage::merge(&mut line, &word);
            line
        };
        json!({"rates": report["rates"].as_array().unwrap().iter().map(tell).collect::<Vec<_>>()})
    })
}

#[test]
fn who_is_told_that_there_is_no_share_is_refused_at_once() {
    let stage = open_unshared(60_000);
    let told = tell_all(&stage, json!({"share_ppm": 0}));
    assert_eq!(refuse_limited(&stage).0, 429);
    told.join().unwrap();
    assert_eq!(refuse_limited(&stage).0, 429, "nobody need ask again so soon");
}

#[test]
fn who_is_told_that_a_share_is_coming_waits_on() {
    let stage = open_unshared(60_000);
    let told = tell_all(&stage, json!({"share_ppm": 0, "is_awaited": true}));
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| refuse_limited(&stage));
        told.join().unwrap();
        tell_all(&stage, json!({"share_ppm": 1_000_000})).join().unwrap();
        assert_eq!(calling.join().unwrap().1["code"], ADMITTED);
    });
}

#[test]
fn a_share_whose_lease_is_over_is_used_no_more() {
    let stage = open_unshared(20);
    stage.grant_shares(1_000_000);
    assert_eq!(refuse_limited(&stage).1["code"], ADMITTED);
    stage.apply_credit(&json!({"tickets": [], "lease_s": 0}), 1_000_000);
    assert_eq!(refuse_limited(&stage).0, 429);
    stage.grant_shares(1_000_000);
    assert_eq!(refuse_limited(&stage).1["code"], ADMITTED);
}

#[test]
fn a_key_without_its_organization_may_not_call() {
    let stage = open(|snapshot| snapshot["tables"]["organizations"] = json!({}));
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    assert_eq!((status, &error["code"]), (403, &json!("permission_denied")));
}

#[test]
fn an_old_snapshot_serves_only_those_who_allow_it() {
    let stage = open(|snapshot| snapshot["tables"]["organizations"]["o"]["snapshot_age_s_max"] = json!(3_600));
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    assert_eq!((status, &error["code"]), (503, &json!("snapshot_expired")));
}
