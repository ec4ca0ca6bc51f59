//! After a storm of calls that end in every way, everything is as it was before it: nothing is held, no task is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::engine::{Asked, Engine, Speaking, chat_answer, token_event, usage_event};
use crate::metrics::find;
use crate::stage::{Client, KEY, Setting, Stage, WAIT, build_post, chat_body, read_text};

const PATH: &str = "/v1/chat/completions";
const SLOTS: usize = 4;
const REPLICAS: usize = 2;
/// As many as there are slots: a lost seat and a lost place within the limit both show.
const CALLS_OPEN_MAX: usize = SLOTS * REPLICAS;
/// Some wait in the queue, and some are refused.
const CALLS_AT_ONCE: usize = CALLS_OPEN_MAX + 2;
/// JSON first, then streams.
const ROUNDS: usize = 2;
/// Long enough for a client to be gone before the end.
const PIECES: u64 = 40;
const PIECE_TIME: Duration = Duration::from_millis(1);
/// Shorter than a gateway waits for a silent engine.
const PATIENCE: Duration = Duration::from_millis(200);
const LEASED_NANO: u64 = 1_000_000_000;
/// Whoever leaves does so before the end of a stream, and often of an answer.
const LEAVING_BYTES_MAX: usize = 1_600;

/// What an engine does with a call; its prompt says so. Calls that pass stand between those that harm a breaker.
const FATES: [&str; 12] =
    ["whole", "torn", "whole", "pieces", "whole", "stalled", "pieces", "refused", "whole", "dead", "whole", "silent"];

/// How a client goes about its call.
const MANNERS: [Manner; 8] = [
    Manner::Reads,
    Manner::LeavesAtAByte,
    Manner::Reads,
    Manner::LeavesByHttp2,
    Manner::SendsHalf,
    Manner::ReadsByHttp2,
    Manner::LeavesAtAByte,
    Manner::IsNobody,
];

#[derive(Clone, Copy, Debug)]
enum Manner {
    Reads,
    LeavesAtAByte,
    ReadsByHttp2,
    LeavesByHttp2,
    SendsHalf,
    IsNobody,
}

/// The gauges, and what each shows when one client is connected and no call is open; `tasks` is known by measuring.
fn list_gauges(tasks: u64) -> [(&'static str, u64); 10] {
    [
        ("keisan_open_calls", 0),
        ("keisan_open_connections", 1),
        ("keisan_request_bytes", 0),
        ("keisan_replica_open_calls", 0),
        ("keisan_queue_waiting_calls", 0),
        ("keisan_replica_backlog_tokens", 0),
        ("keisan_spool_reserved_records", 0),
        ("keisan_credit_reserved_nano{currency=\"CNY\"}", 0),
        ("keisan_credit_waiting_nano{currency=\"CNY\"}", 0),
        ("keisan_tasks", tasks),
    ]
}

fn open() -> Stage {
    let stage = Stage::open_with(Setting {
        limits: json!({"first_byte_timeout_s": 1, "stream_idle_timeout_s": 5, "drain_after_client_s": 1, "queue_requests_max": 4,
            "head_read_timeout_s": 2}),
        change: Some(change),
        replicas: REPLICAS,
        ..Setting::default()
    });
    stage.lease("t1", u128::from(LEASED_NANO));
    stage
}

fn change(snapshot: &mut Value) {
    let tables = &mut snapshot["tables"];
    tables["organizations"]["o"]["billing"] = json!("prepaid");
    tables["keys"]["k1"]["limits"] =
        json!({"calls_open_max": CALLS_OPEN_MAX, "requests_per_minute": 600_000, "tokens_per_minute": 600_000_000});
    for number in 1..=REPLICAS {
        tables["replicas"][format!("r{number}")]["slots"] = json!(SLOTS);
    }
}

/// Treats every call as it asks; one that is held ends when it is released.
async fn serve(mut engine: Engine, release: watch::Receiver<bool>) {
    let mut calls = JoinSet::new();
    loop {
        calls.spawn(treat(engine.next().await, release.clone()));
    }
}

async fn treat(mut asked: Asked, mut release: watch::Receiver<bool>) {
    let fate = asked.request["messages"][0]["content"].as_str().unwrap().to_owned();
    match (fate.as_str(), asked.request["stream"] == true) {
        ("silent", _) => asked.abandoned().await,
        ("dead", _) => drop(asked),
        ("refused", _) => asked.answer(400, r#"{"error":{"type":"invalid_request_error"}}"#).await,
        (fate, true) => stream(fate, asked.begin_stream(), &mut release).await,
        ("whole", false) => asked.answer(200, &chat_answer("hi")).await,
        (fate, false) => {
            let text = chat_answer(&"long ".repeat(240));
            let speaking = asked.begin(200, "application/json", Some(text.len() as u64));
            for piece in text.as_bytes().chunks(90).take(if fate == "pieces" { usize::MAX } else { 2 }) {
                let _ = speaking.try_say(std::str::from_utf8(piece).unwrap()).await;
                tokio::time::sleep(PIECE_TIME).await;
            }
            end(fate, speaking).await;
        }
    }
}

/// A gateway that hung up does not hear the rest.
async fn stream(fate: &str, speaking: Speaking, release: &mut watch::Receiver<bool>) {
    for count in 1..=PIECES {
        let _ = speaking.try_say(format!("data: {}\n\n", token_event("token", count))).await;
        tokio::time::sleep(PIECE_TIME).await;
    }
    if fate == "held" {
        release.wait_for(|is_released| *is_released).await.unwrap();
    }
    if !matches!(fate, "torn" | "stalled") {
        let _ = speaking.try_say(format!("data: {}\n\ndata: [DONE]\n\n", usage_event(PIECES))).await;
    }
    end(fate, speaking).await;
}

async fn end(fate: &str, speaking: Speaking) {
    match fate {
        "torn" => speaking.die().await,
        "stalled" => speaking.cancelled().await,
        _ => drop(speaking),
    }
}

fn build_body(fate: &str, is_stream: bool) -> String {
    chat_body(&json!({"messages": [{"role": "user", "content": fate}], "stream": is_stream, "max_tokens": 10}))
}

/// Makes one call of the storm; returns the id of its record if it heard of one.
async fn call(stage: Arc<Stage>, number: usize) -> Option<String> {
    let fate = FATES[number % FATES.len()];
    let manner = MANNERS[number / FATES.len() % MANNERS.len()];
    // Knuth's multiplier spreads the numbers over all bytes.
    let bytes = number.wrapping_mul(2_654_435_761) % LEAVING_BYTES_MAX;
    let body = build_body(fate, number >= FATES.len() * MANNERS.len());
    match manner {
        Manner::Reads => read_whole(stage.connect().await.post(PATH, body).await).await,
        Manner::IsNobody => read_whole(stage.connect().await.send(build_post(PATH, "sk-of-nobody", body)).await).await,
        Manner::LeavesAtAByte => leave_at(&stage, &body, (body.len(), bytes)).await,
        Manner::SendsHalf => leave_at(&stage, &body, (body.len() / 2, 0)).await,
        Manner::ReadsByHttp2 => call_http_2(&stage, body, usize::MAX).await,
        Manner::LeavesByHttp2 => call_http_2(&stage, body, bytes).await,
    }
}

fn find_record_id(response: &Response<Incoming>) -> Option<String> {
    response.headers().get("keisan-record-id").map(|id| id.to_str().unwrap().to_owned())
}

async fn read_whole(response: Response<Incoming>) -> Option<String> {
    let id = find_record_id(&response);
    // A cut answer is one of those that are wanted.
    let _ = response.into_body().collect().await;
    id
}

/// Sends so much of a body, reads so many bytes of what comes, and is gone.
async fn leave_at(stage: &Stage, body: &str, (sent, read): (usize, usize)) -> Option<String> {
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&body.as_bytes()[..sent]).await.unwrap();
    let mut answer = vec![0; read];
    // Where less comes, the client leaves at the end, or when it has waited for long enough.
    let _ = tokio::time::timeout(PATIENCE, client.read_exact(&mut answer)).await;
    None
}

async fn call_http_2(stage: &Stage, body: String, bytes: usize) -> Option<String> {
    let stream = TokioIo::new(TcpStream::connect(stage.address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request: Request<Full<Bytes>> = Request::post(format!("http://gateway{PATH}"))
        .header("authorization", format!("Bearer {KEY}"))
        .body(Full::from(body))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let id = find_record_id(&response);
    let (mut body, mut read) = (response.into_body(), 0);
    while read < bytes
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    drop((body, sender));
    connection.abort();
    id
}

/// Runs the storm, and returns the ids of records that clients heard of.
async fn storm(stage: &Arc<Stage>) -> BTreeSet<String> {
    let places = Arc::new(Semaphore::new(CALLS_AT_ONCE));
    let mut calls = JoinSet::new();
    for number in 0..FATES.len() * MANNERS.len() * ROUNDS {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let stage = Arc::clone(stage);
        calls.spawn(async move {
            let id = call(stage, number).await;
            drop(place);
            id
        });
    }
    let ids: Vec<String> = calls.join_all().await.into_iter().flatten().collect();
    let told: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(ids.len(), told.len(), "two calls have one record");
    told
}

async fn read_metrics(client: &mut Client) -> String {
    read_text(client.get("/metrics").await).await
}

async fn read_gauge(stage: &Stage, name: &str) -> u64 {
    find(&read_metrics(&mut stage.connect().await).await, name)
}

/// Waits until all is as it was.
async fn settle(stage: &Stage, tasks: u64) {
    let expected = list_gauges(tasks);
    let client = &mut stage.connect().await;
    let settled = tokio::time::timeout(WAIT, async {
        loop {
            let text = read_metrics(client).await;
            if expected.iter().all(|(name, value)| find(&text, name) == *value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    if settled.await.is_err() {
        let text = read_metrics(client).await;
        let found: Vec<_> = expected.iter().map(|(name, value)| (name, value, find(&text, name))).collect();
        panic!("what stays behind (name, expected, found): {found:?}");
    }
}

/// Breakers that the storm opened close again: calls that pass say that their replicas are well.
async fn heal(stage: &Stage) {
    let closed = "keisan_replica_breakers{state=\"closed\"}";
    let until = Instant::now() + WAIT;
    while read_gauge(stage, closed).await < REPLICAS as u64 {
        assert!(Instant::now() < until, "a breaker stays open, or no call passes");
        let heal = async || read_whole(stage.connect().await.post(PATH, build_body("whole", true)).await).await;
        tokio::join!(heal(), heal());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every seat and every place within the key's limit can be taken, and not one more.
async fn fill(stage: &Stage, release: watch::Sender<bool>) {
    let mut held = Vec::new();
    for _ in 0..CALLS_OPEN_MAX {
        let mut caller = stage.connect().await;
        let response = caller.post(PATH, build_body("held", true)).await;
        assert_eq!(response.status(), 200);
        held.push((caller, response));
    }
    assert_eq!(read_gauge(stage, "keisan_replica_open_calls").await, CALLS_OPEN_MAX as u64);
    let refused = read_text(stage.connect().await.post(PATH, build_body("held", true)).await).await;
    assert!(refused.contains("calls_limit_exceeded"), "{refused}");
    release.send_replace(true);
    for (_caller, response) in held {
        assert!(read_text(response).await.ends_with("data: [DONE]\n\n"));
    }
}

fn check_records(stage: &Stage, told: &BTreeSet<String>) {
    let calls = stage.stats()["calls"].as_object().unwrap().clone();
    for outcome in ["completed", "client_closed", "engine_cut", "engine_refused", "engine_unreachable"] {
        assert!(calls[outcome].as_u64() > Some(0), "the storm had no call that was {outcome}: {calls:?}");
    }
    let count = calls.values().filter_map(Value::as_u64).sum::<u64>();
    let records = stage.records(usize::try_from(count).unwrap());
    let ids: BTreeSet<String> = records.iter().map(|record| record["record_id"].as_str().unwrap().to_owned()).collect();
    assert!(ids.len() == records.len() && ids.is_superset(told), "a call has no record, or two");
    let amounts = records.iter().map(|record| record["amount_nano"].as_str().unwrap().parse::<u64>().unwrap());
    let ticket = &stage.report_credit()["tickets"][0];
    assert_eq!(
        (&ticket["reserved_nano"], &ticket["spent_nano"]),
        (&json!("0"), &json!(amounts.sum::<u64>().to_string()))
    );
}

#[test]
fn a_storm_leaves_nothing_behind() {
    let stage = Arc::new(open());
    stage.run(async {
        let (release, is_released) = watch::channel(false);
        let mut engines = JoinSet::new();
        for number in 1..=REPLICAS {
            engines.spawn(serve(stage.engine(number), is_released.clone()));
        }
        let tasks = read_gauge(&stage, "keisan_tasks").await;
        assert!(tasks > 0);
        settle(&stage, tasks).await;
        let told = storm(&stage).await;
        settle(&stage, tasks).await;
        heal(&stage).await;
        fill(&stage, release).await;
        settle(&stage, tasks).await;
        check_records(&stage, &told);
    });
}
