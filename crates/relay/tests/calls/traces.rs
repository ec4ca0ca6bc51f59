//! Traces: a call is its caller's child, its attempts are its children, and an engine is the child of its attempt.

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

use crate::doorway::Doorway;
use crate::engine::{Asked, chat_answer, token_event};
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, chat_body, eventually, read_json, read_piece, read_text, stream};

const PATH: &str = "/v1/chat/completions";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
const KINDS: [u64; 2] = [2, 3];
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/gateway-telemetry.md");

fn open(sample_ppm: &Value, replicas: usize) -> Stage {
    let options = json!({"trace_sample_ppm": sample_ppm});
    Stage::open_with(Setting { options, replicas, ..Setting::default() })
}

fn ask(more: &Value, flags: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = build_post(PATH, "sk-whole", chat_body(more));
    request.headers_mut().insert("traceparent", format!("00-{TRACE}-{CALLER}-{flags}").parse().unwrap());
    request.headers_mut().insert("tracestate", "rojo=1,congo=2".parse().unwrap());
    request
}

/// A span of an export, as a test looks at it.
pub struct Seen {
    pub span: Value,
}

impl Seen {
    pub fn text(&self, name: &str) -> &str {
        self.span[name].as_str().unwrap_or_default()
    }

    pub fn nanoseconds(&self, edge: &str) -> u64 {
        self.text(&format!("{edge}TimeUnixNano")).parse().unwrap()
    }

    /// An attribute's value; null if it has none of this name.
    pub fn attribute(&self, name: &str) -> Value {
        let attributes = self.span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|attribute| attribute["key"] == name);
        let value = found.map(|attribute| attribute["value"].as_object().unwrap().values().next().unwrap().clone());
        value.unwrap_or_default()
    }
}

/// Takes all spans that wait; a call's own comes first.
pub fn take_spans(stage: &Stage) -> Vec<Seen> {
    let body = stage.relay.take_spans(1_000);
    if body.is_empty() {
        return Vec::new();
    }
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].take();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let spans: Vec<Seen> = spans.as_array().unwrap().iter().map(|span| Seen { span: span.clone() }).collect();
    for seen in &spans {
        let (start, end) = (seen.nanoseconds("start"), seen.nanoseconds("end"));
        assert!(start <= end && start > 1_700_000_000_000_000_000, "{}", seen.span);
        for attribute in seen.span["attributes"].as_array().unwrap() {
            let name = attribute["key"].as_str().unwrap();
            assert!(page.contains(&format!("| `{name}` |")), "{name} is not on the page");
        }
    }
    spans
}

fn told(asked: &Asked) -> (String, String) {
    let read = |name: &str| asked.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    (read("traceparent"), read("tracestate"))
}

/// Asserts that an engine was told that it is the child of an attempt.
fn check_child(told: &(String, String), attempt: &Seen) {
    assert_eq!(told.0, format!("00-{}-{}-01", attempt.text("traceId"), attempt.text("spanId")));
}

#[test]
fn ids_lead_from_the_caller_through_the_gateway_to_the_engine() {
    let stage = open(&json!(0), 1);
    let told = stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, told) = tokio::join!(client.send(ask(&json!({}), "01")), async {
            let asked = engine.next().await;
            let told = told(&asked);
            asked.answer(200, &chat_answer("hello")).await;
            told
        });
        read_json(response).await;
        told
    });
    let record = stage.record();
    let spans = take_spans(&stage);
    let [call, attempt] = &spans[..] else { panic!("{} spans", spans.len()) };
    assert_eq!([&call.span["kind"], &attempt.span["kind"]], KINDS.map(|kind| json!(kind)).each_ref());
    assert_eq!((call.text("traceId"), call.text("parentSpanId")), (TRACE, CALLER));
    assert_eq!((attempt.text("traceId"), attempt.text("parentSpanId")), (TRACE, call.text("spanId")));
    check_child(&told, attempt);
    assert_eq!(told.1, "rojo=1,congo=2");
    assert!(call.nanoseconds("start") <= attempt.nanoseconds("start"));
    assert!(attempt.nanoseconds("end") <= call.nanoseconds("end"), "an attempt does not outlast its call");
    assert_eq!((call.text("name"), attempt.text("name")), ("chat small", "chat small"));
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("keisan")),
        ("gen_ai.request.model", json!("small")),
        ("gen_ai.response.model", json!("small")),
        ("gen_ai.usage.input_tokens", json!("37")),
        ("gen_ai.usage.output_tokens", json!("8")),
        ("http.response.status_code", json!("200")),
        ("error.type", Value::Null),
        ("keisan.record_id", record["record_id"].clone()),
        ("keisan.replica_id", json!("r1")),
        ("keisan.organization_id", json!("o")),
        ("keisan.outcome", json!("completed")),
        ("keisan.usage_source", json!("engine")),
    ] {
        assert_eq!(call.attribute(name), value, "{name}");
    }
    assert_eq!(attempt.attribute("keisan.replica_id"), "r1");
    assert_eq!(attempt.attribute("http.response.status_code"), "200");
    assert_eq!((&call.span["status"], &attempt.span["status"]), (&Value::Null, &Value::Null));
    assert!(take_spans(&stage).is_empty(), "spans are taken once");
}

#[test]
fn who_is_not_sampled_is_told_so_and_leaves_no_span() {
    for (sample_ppm, request, ending) in [
        (json!(1_000_000), ask(&json!({}), "00"), "-00"),
        (json!(0), build_post(PATH, "sk-whole", chat_body(&json!({}))), "-00"),
        (json!(1_000_000), build_post(PATH, "sk-whole", chat_body(&json!({}))), "-01"),
    ] {
        let stage = open(&sample_ppm, 1);
        let (given, _) = stage.run(async {
            let mut engine = stage.engine(1);
            let mut client = stage.connect().await;
            let (response, told) = tokio::join!(client.send(request), async {
                let asked = engine.next().await;
                let told = told(&asked);
                asked.answer(200, &chat_answer("hello")).await;
                told
            });
            read_json(response).await;
            told
        });
        assert!(given.ends_with(ending) && !given.contains(CALLER), "{given}");
        let record_id = stage.record()["record_id"].as_str().unwrap().replace('-', "");
        assert_eq!(given.contains(&record_id), !given.contains(TRACE), "a new trace has the record's id");
        assert_eq!(take_spans(&stage).len(), if ending == "-01" { 2 } else { 0 });
    }
}

#[test]
fn a_gateway_that_collects_nothing_passes_a_trace_on() {
    let stage = open(&Value::Null, 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let plain = build_post(PATH, "sk-whole", chat_body(&json!({})));
        let words = (format!("00-{TRACE}-{CALLER}-01"), "rojo=1,congo=2".to_owned());
        for (request, words) in [(ask(&json!({}), "01"), words), (plain, Default::default())] {
            let (response, ()) = tokio::join!(client.send(request), async {
                let asked = engine.next().await;
                assert_eq!(told(&asked), words);
                asked.answer(200, &chat_answer("hello")).await;
            });
            read_json(response).await;
        }
    });
    assert!(take_spans(&stage).is_empty());
}

#[test]
fn the_trace_goes_through_the_door() {
    let stage = open(&json!(0), 1);
    let _doorway = Doorway::before(&stage, 1);
    let told = stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, told) = tokio::join!(client.send(ask(&json!({}), "01")), async {
            let asked = engine.next().await;
            let told = told(&asked);
            asked.answer(200, &chat_answer("hello")).await;
            told
        });
        read_json(response).await;
        told
    });
    let spans = take_spans(&stage);
    check_child(&told, &spans[1]);
    assert_eq!(told.1, "rojo=1,congo=2");
}

#[test]
fn each_attempt_is_a_span_of_its_own() {
    let stage = open(&json!(1_000_000), 2);
    let told = stage.run(async {
        let mut engine = stage.engine(2);
        let mut told_all = Vec::new();
        // One of the two is dead; whoever is first in line is tried first.
        for _ in 0..2 {
            let mut client = stage.connect().await;
            let (response, words) = tokio::join!(client.chat(json!({})), async {
                let asked = engine.next().await;
                let words = told(&asked);
                asked.answer(200, &chat_answer("a")).await;
                words
            });
            read_json(response).await;
            told_all.push(words);
        }
        told_all
    });
    let spans = take_spans(&stage);
    assert_eq!(spans.len(), 5, "two calls, one of them with two attempts");
    let failed = spans.iter().position(|seen| seen.attribute("keisan.replica_id") == "r1").unwrap();
    let (call, lost, answered) = (&spans[failed - 1], &spans[failed], &spans[failed + 1]);
    assert_eq!((lost.attribute("error.type"), &lost.span["status"]), (json!("engine_lost"), &json!({"code": 2})));
    assert_eq!((answered.attribute("error.type"), answered.attribute("keisan.replica_id")), (Value::Null, json!("r2")));
    assert_eq!(
        (call.attribute("http.response.status_code"), call.attribute("error.type")),
        (json!("200"), Value::Null)
    );
    assert_ne!(lost.text("spanId"), answered.text("spanId"));
    assert_eq!(lost.text("parentSpanId"), answered.text("parentSpanId"));
    assert!(told.iter().any(|words| words.0.contains(answered.text("spanId"))));
}

#[test]
fn a_stream_that_is_cut_is_a_failed_call() {
    let stage = open(&json!(1_000_000), 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("one", 1)).await;
            speaking
        });
        speaking.die().await;
        read_text(response).await;
    });
    let spans = take_spans(&stage);
    for seen in &spans {
        assert_eq!((seen.attribute("error.type"), &seen.span["status"]), (json!("engine_lost"), &json!({"code": 2})));
        assert_eq!(seen.attribute("http.response.status_code"), "200", "the head had left");
    }
    assert_eq!((spans.len(), spans[0].attribute("keisan.usage_source")), (2, json!("engine_running")));
    assert_eq!(spans[0].attribute("gen_ai.response.model"), Value::Null);
}

#[test]
fn a_client_that_left_is_told_of_as_such() {
    let stage = open(&json!(1_000_000), 1);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("one", 1)).await;
            speaking
        });
        let mut body = response.into_body();
        read_piece(&mut body).await;
        drop((body, client));
        speaking.cancelled().await;
        eventually("the call does not end", || stage.stats()["open_calls"] == 0).await;
    });
    let spans = take_spans(&stage);
    assert_eq!(spans[0].attribute("keisan.outcome"), "client_closed");
    assert_eq!((&spans[0].span["status"], &spans[1].span["status"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_refusal_is_a_span_only_of_somebody_who_is_known() {
    let stage = open(&json!(1_000_000), 1);
    refuse(&stage, build_post(PATH, "sk-wrong", chat_body(&json!({}))));
    assert!(take_spans(&stage).is_empty(), "strangers cannot fill the queue");
    refuse(&stage, ask(&json!({"model": "unheard of"}), "01"));
    stage.load(&{
        let mut snapshot = stage.snapshot();
        snapshot["tables"]["replicas"] = json!({});
        snapshot
    });
    refuse(&stage, ask(&json!({}), "01"));
    let spans = take_spans(&stage);
    let [unknown, down] = &spans[..] else { panic!("{} spans", spans.len()) };
    assert_eq!(
        (unknown.attribute("error.type"), unknown.attribute("http.response.status_code")),
        (json!("model_not_found"), json!("404"))
    );
    assert_eq!((&unknown.span["status"], unknown.text("name")), (&Value::Null, "chat"), "the client is at fault");
    assert_eq!(
        (down.attribute("error.type"), &down.span["status"]),
        (json!("no_healthy_replica"), &json!({"code": 2}))
    );
    assert_eq!((down.text("parentSpanId"), down.attribute("keisan.organization_id")), (CALLER, json!("o")));
}

/// The call is refused before anybody knows which model it wants.
#[test]
fn a_refusal_while_the_body_is_read_is_a_span_too() {
    let options = json!({"trace_sample_ppm": 1_000_000});
    let stage = Stage::open_with(Setting { options, limits: json!({"body_bytes_max": 2_048}), ..Setting::default() });
    refuse(&stage, ask(&json!({"user": "x".repeat(2_048)}), "01"));
    let ask_nonsense = || {
        let mut request = ask(&json!({}), "01");
        *request.body_mut() = Full::from("{");
        request
    };
    refuse(&stage, ask_nonsense());
    let told = take_spans(&stage).iter().map(|span| span.attribute("error.type")).collect::<Vec<_>>();
    assert_eq!(told, [json!("body_too_large"), json!("invalid_json")]);
}

#[test]
fn so_many_are_taken_as_are_asked_for() {
    let stage = open(&json!(0), 1);
    for _ in 0..3 {
        refuse(&stage, ask(&json!({"model": "unheard of"}), "01"));
    }
    let count = |spans_max: usize| {
        let body: Value = serde_json::from_slice(&stage.relay.take_spans(spans_max)).unwrap();
        body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len()
    };
    assert_eq!((count(2), count(2)), (2, 1));
    assert!(stage.relay.take_spans(2).is_empty());
}
