//! Credit of prepaid organizations: leased ahead as tickets, reserved before a call, spent by its record.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::{chat_answer, token_event, usage_event};
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, build_ticket, chat_body, read_json, read_text, stream};

const PATH: &str = "/v1/chat/completions";
/// What one call with 10 tokens of output may come to: 142 tokens at 500, 10 at 1,500.
const CALL_NANO: u128 = 87_000;
/// What the scripted answer costs: 1 token at 500, 36 at 50, 8 at 1,500.
const ANSWER_NANO: u128 = 14_300;

fn open() -> Stage {
    open_waiting(20)
}

fn open_waiting(credit_wait_ms: u64) -> Stage {
    Stage::open_with(Setting {
        limits: json!({"credit_wait_ms": credit_wait_ms}),
        change: Some(|snapshot| snapshot["tables"]["organizations"]["o"]["billing"] = json!("prepaid")),
        ..Setting::default()
    })
}

fn ticket_of(stage: &Stage) -> Value {
    stage.report_credit()["tickets"][0].clone()
}

async fn call(stage: &Stage, engine: &mut crate::engine::Engine) -> Value {
    let mut client = stage.connect().await;
    let (response, ()) = tokio::join!(client.chat(json!({"max_tokens": 10})), async {
        engine.next().await.answer(200, &chat_answer("hi")).await;
    });
    read_json(response).await
}

#[test]
fn a_call_reserves_the_most_and_spends_what_it_cost() {
    let stage = open();
    stage.lease("t1", CALL_NANO + 5);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({"max_tokens": 10})), async {
            let asked = engine.next().await;
            let reserved: u128 = ticket_of(&stage)["reserved_nano"].as_str().unwrap().parse().unwrap();
            assert!((CALL_NANO - 10_000..=CALL_NANO).contains(&reserved), "{reserved}");
            asked.answer(200, &chat_answer("hi")).await;
        });
        read_json(response).await;
    });
    let record = stage.record();
    assert_eq!((&record["ticket_id"], &record["amount_nano"]), (&json!("t1"), &json!(ANSWER_NANO.to_string())));
    let ticket = ticket_of(&stage);
    assert_eq!((&ticket["reserved_nano"], &ticket["spent_nano"]), (&json!("0"), &json!(ANSWER_NANO.to_string())));
}

#[test]
fn a_postpaid_call_names_no_ticket() {
    let stage = Stage::open();
    stage.run(async { call(&stage, &mut stage.engine(1)).await });
    assert_eq!(stage.record()["ticket_id"], Value::Null);
}

#[test]
fn too_little_credit_is_refused_with_both_numbers() {
    let stage = open_waiting(10_000);
    stage.lease("t1", 100);
    let told =
        json!({"refused": [{"holder_id": "o", "currency": "CNY"}], "tickets": [build_ticket("t1", "CNY", "100")]});
    let refused = stage.answer_credit_when_rung(|_| told);
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({"max_tokens": 10}))));
    refused.join().unwrap();
    assert_eq!((status, &error["code"], &error["retryable"]), (402, &json!("insufficient_credit"), &json!(false)));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("and 100 are left"), "{message}");
    assert_eq!(stage.count_written(), 0);
}

#[test]
fn a_call_waits_for_the_lease_that_it_needs() {
    let stage = open_waiting(10_000);
    let leased = stage.answer_credit_when_rung(|report| {
        let wanted = &report["wanted"][0];
        assert_eq!(wanted["holder_id"], "o");
        assert_eq!(wanted["currency"], "CNY");
        json!({"tickets": [build_ticket("t9", "CNY", wanted["wanted_nano"].as_str().unwrap())]})
    });
    stage.run(async { call(&stage, &mut stage.engine(1)).await });
    leased.join().unwrap();
    assert_eq!(stage.record()["ticket_id"], "t9");
}

#[test]
fn a_silent_platform_makes_it_later_and_not_never() {
    let stage = open();
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    assert_eq!((status, &error["code"], &error["retryable"]), (503, &json!("credit_unavailable"), &json!(true)));
}

/// Of N calls at once on credit for one, one is forwarded; the others take nothing.
#[test]
fn a_race_for_one_call_s_credit_has_one_winner() {
    let stage = open();
    stage.lease("t1", CALL_NANO + 5);
    stage.run(async {
        let mut engine = stage.engine(1);
        let calls = (0..16).map(|_| async {
            let mut client = stage.connect().await;
            let response = client.chat(json!({"max_tokens": 10})).await;
            let status = response.status().as_u16();
            read_text(response).await;
            status
        });
        let (statuses, ()) = tokio::join!(futures_join(calls), async {
            let asked = engine.next().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert!(engine.is_idle(), "a second call was forwarded");
            asked.answer(200, &chat_answer("hi")).await;
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    });
    assert_eq!(stage.record()["ticket_id"], "t1");
}

async fn futures_join<T>(calls: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = calls.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (call, result) in calls.iter_mut().zip(&mut done) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = call.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            return std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect());
        }
        std::task::Poll::Pending
    })
    .await
}

#[test]
fn a_cut_stream_spends_what_was_said_and_frees_the_rest() {
    let stage = open();
    stage.lease("t1", 10 * CALL_NANO);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, speaking) = tokio::join!(client.chat(json!({"stream": true, "max_tokens": 10})), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 3)).await;
            speaking
        });
        speaking.die().await;
        assert!(read_text(response).await.contains("engine_lost"));
    });
    let record = stage.record();
    let ticket = ticket_of(&stage);
    assert_eq!((&ticket["spent_nano"], &ticket["reserved_nano"]), (&record["amount_nano"], &json!("0")));
    assert_ne!(record["amount_nano"], "0");
}

#[test]
fn a_call_that_never_reached_an_engine_costs_nothing() {
    let stage = open();
    stage.lease("t1", CALL_NANO + 5);
    for _ in 0..3 {
        stage.run(async {
            let response = stage.connect().await.chat(json!({"max_tokens": 10})).await;
            assert_eq!(read_json(response).await["error"]["code"], "no_healthy_replica");
        });
    }
    let ticket = ticket_of(&stage);
    assert_eq!((&ticket["spent_nano"], &ticket["reserved_nano"]), (&json!("0"), &json!("0")));
}

#[test]
fn a_whole_stream_is_spent_as_its_usage_says() {
    let stage = open();
    stage.lease("t1", 10 * CALL_NANO);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(stream()), async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&usage_event(4)).await;
            speaking.say("data: [DONE]\n\n").await;
        });
        read_text(response).await;
    });
    assert_eq!(ticket_of(&stage)["spent_nano"], stage.record()["amount_nano"]);
}

#[test]
fn a_model_is_paid_in_the_currency_of_its_price() {
    let stage = Stage::open_with(Setting {
        limits: json!({"credit_wait_ms": 20}),
        change: Some(|snapshot| {
            let tables = &mut snapshot["tables"];
            tables["organizations"]["o"]["billing"] = json!("prepaid");
            tables["prices"]["yen"] = tables["prices"]["pr"].clone();
            tables["prices"]["yen"]["currency"] = json!("JPY");
            tables["models"]["m1"]["price_id"] = json!("yen");
        }),
        ..Setting::default()
    });
    stage.lease("t1", 10 * CALL_NANO);
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({"max_tokens": 10}))));
    assert_eq!((status, &error["code"]), (503, &json!("credit_unavailable")));
    assert!(error["message"].as_str().unwrap().contains("JPY"), "{error}");
    let credit = CALL_NANO.to_string();
    stage
        .apply_credit(&json!({"tickets": [build_ticket("t1", "CNY", &credit), build_ticket("t2", "JPY", &credit)]}), 0);
    stage.run(async { call(&stage, &mut stage.engine(1)).await });
    assert_eq!(stage.record()["ticket_id"], "t2");
}

#[test]
fn a_ticket_that_was_closed_meanwhile_pays_for_the_call_that_is_open_and_no_other() {
    let stage = open();
    stage.lease("t1", 10 * CALL_NANO);
    stage.run(async {
        let mut engine = stage.engine(1);
        let mut client = stage.connect().await;
        let (response, ()) = tokio::join!(client.chat(json!({"max_tokens": 10})), async {
            let asked = engine.next().await;
            stage.apply_credit(&json!({"tickets": []}), 0);
            let refused = read_json(stage.connect().await.chat(json!({"max_tokens": 10})).await).await;
            assert_eq!(refused["error"]["code"], "credit_unavailable");
            asked.answer(200, &chat_answer("hi")).await;
        });
        read_json(response).await;
    });
    assert_eq!(stage.record()["ticket_id"], "t1");
    let ticket = ticket_of(&stage);
    assert_eq!((&ticket["reserved_nano"], &ticket["spent_nano"]), (&json!("0"), &json!(ANSWER_NANO.to_string())));
}
