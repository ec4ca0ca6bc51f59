//! What Prometheus is told: it follows what happens, and it does not grow with callers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::{chat_answer, token_event, usage_event};
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, chat_body, digest, read_json, read_text, stream};

const PATH: &str = "/v1/chat/completions";

fn read(stage: &Stage) -> String {
    stage.run(async { read_text(stage.connect().await.get("/metrics").await).await })
}

/// A number without its fraction: everything that is asserted here is a count.
pub fn find(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let number = line.unwrap_or_else(|| panic!("{series} is missing in\n{text}"));
    number.split('.').next().unwrap_or_default().parse().unwrap()
}

#[test]
fn times_of_calls_go_by_the_names_of_the_conventions() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            engine.next().await.answer(200, &chat_answer("a")).await;
        });
        read_json(response).await;
        let (response, ()) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("one", 1)).await;
            speaking.event(&usage_event(1)).await;
            speaking.say("data: [DONE]\n\n").await;
        });
        read_text(response).await;
        let (response, ()) = tokio::join!(client.chat(json!({})), async {
            engine.next().await.answer(500, "{}").await;
        });
        read_json(response).await;
    });
    let text = read(&stage);
    let labels = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"keisan\",gen_ai_request_model=\"small\"";
    assert_eq!(find(&text, &format!("gen_ai_server_request_duration_seconds_count{{{labels}}}")), 2);
    let failed = format!("gen_ai_server_request_duration_seconds_count{{{labels},error_type=\"_OTHER\"}}");
    assert_eq!(find(&text, &failed), 1);
    let first = format!("gen_ai_server_time_to_first_token_seconds_count{{{labels}}}");
    assert_eq!(find(&text, &first), 1, "an answer in one piece has no first token");
    assert_eq!(find(&text, "keisan_overhead_seconds_count"), 3);
}

#[test]
fn a_limit_that_refuses_is_named() {
    let stage = Stage::open_with(Setting {
        limits: json!({"credit_wait_ms": 20}),
        change: Some(|snapshot| {
            snapshot["tables"]["projects"]["p"]["limits"] = json!({"calls_open_max": 1});
            snapshot["tables"]["keys"]["k1"]["limits"] = json!({"tokens_per_minute": 1});
        }),
        ..Setting::default()
    });
    // No share of any limit was granted: the widest one refuses first.
    refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    stage.grant_shares(1_000_000);
    refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    let text = read(&stage);
    let count = |owner: &str, limit: &str| {
        find(&text, &format!("keisan_limit_refusals_total{{owner=\"{owner}\",limit=\"{limit}\"}}"))
    };
    assert_eq!((count("project", "calls"), count("key", "tokens"), count("organization", "requests")), (1, 1, 0));
    assert_eq!(find(&text, "keisan_default_share_ppm"), 1_000_000);
}

#[test]
fn breakers_queues_and_verdicts_are_shown() {
    let stage = Stage::open_with(Setting { replicas: 3, ..Setting::default() });
    let mut snapshot = stage.snapshot_of(3);
    snapshot["tables"]["replicas"]["r2"]["verdict"] = json!("failed");
    snapshot["tables"]["replicas"]["r3"]["verdict"] = json!("unknown");
    stage.load(&snapshot);
    // Nobody listens at r1: after five failures its breaker opens.
    for _ in 0..5 {
        stage.run(async { read_json(stage.connect().await.chat(json!({})).await).await });
    }
    let text = read(&stage);
    for (series, value) in [
        ("keisan_replicas{verdict=\"ok\"}", 1),
        ("keisan_replicas{verdict=\"failed\"}", 1),
        ("keisan_replicas{verdict=\"unknown\"}", 1),
        ("keisan_replica_breakers{state=\"open\"}", 1),
        ("keisan_replica_breakers{state=\"closed\"}", 2),
        ("keisan_replica_breakers{state=\"half_open\"}", 0),
        ("keisan_queue_waiting_calls", 0),
        ("keisan_snapshot_version", 5),
    ] {
        assert_eq!(find(&text, series), value, "{series}");
    }
    assert!(find(&text, "keisan_snapshot_age_seconds") > 1_000);
}

#[test]
fn credit_is_summed_up() {
    let stage = Stage::open_with(Setting {
        change: Some(|snapshot| snapshot["tables"]["organizations"]["o"]["billing"] = json!("prepaid")),
        ..Setting::default()
    });
    stage.lease("t1", 1_000_000);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({"max_tokens": 10})), async {
            let asked = engine.next().await;
            let text = read_text(stage.connect().await.get("/metrics").await).await;
            let (free, reserved) = (
                find(&text, "keisan_credit_free_nano{currency=\"CNY\"}"),
                find(&text, "keisan_credit_reserved_nano{currency=\"CNY\"}"),
            );
            assert_eq!((find(&text, "keisan_credit_tickets{currency=\"CNY\"}"), free + reserved), (1, 1_000_000));
            assert!(reserved > 0);
            assert_eq!((find(&text, "keisan_replica_open_calls"), find(&text, "keisan_open_calls")), (1, 1));
            asked.answer(200, &chat_answer("hi")).await;
        });
        read_json(response).await;
    });
    let text = read(&stage);
    assert_eq!(find(&text, "keisan_credit_free_nano{currency=\"CNY\"}"), 1_000_000 - 14_300);
    assert_eq!(find(&text, "keisan_credit_reserved_nano{currency=\"CNY\"}"), 0);
}

#[test]
fn it_does_not_grow_with_callers() {
    let name_series = |text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
    };
    let stage = Stage::open();
    let mut snapshot = stage.snapshot();
    let keys = snapshot["tables"]["keys"].as_object_mut().unwrap();
    let sample = keys["k1"].clone();
    for number in 0..50 {
        let mut key: Value = sample.clone();
        key["digest"] = json!(digest(&format!("sk-{number}")));
        keys.insert(format!("key-{number}"), key);
    }
    stage.load(&snapshot);
    let ask = |number: usize| {
        let mut request = build_post(PATH, &format!("sk-{number}"), chat_body(&json!({"model": format!("m{number}")})));
        request.headers_mut().insert("traceparent", "no".parse().unwrap());
        request
    };
    refuse(&stage, ask(0));
    let before = name_series(&read(&stage));
    for number in 1..60 {
        refuse(&stage, ask(number));
    }
    let after = name_series(&read(&stage));
    let strangers = ["keisan_refusals_total{code=\"invalid_api_key\"}".to_owned()].into();
    assert_eq!(after.difference(&before).cloned().collect::<BTreeSet<_>>(), strangers);
}
