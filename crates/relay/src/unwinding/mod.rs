//! A call whose task unwinds: a defect ends that call alone, which leaves its record and holds nothing.

mod engine;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keisan_route::breaker::FAILURES_MAX;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::arriving_body::ArrivingBody;
use crate::body::{BrokenAnswer, RelayBody};
use crate::cork::Cork;
use crate::gateway::Gateway;
use crate::listener::{Bounds, Host};
use crate::options::parse_options;
use crate::replica::Replica;
use crate::serving::Serving;
use crate::spool::Spool;
use crate::steps::authenticate::digest_secret;
use engine::serve_engine;

/// Beyond what a busy host needs for anything: only a test that fails waits so long.
const WAIT: Duration = Duration::from_secs(20);
/// Names on a request where its task is to unwind.
const DEFECT: &str = "defect";
const SECRET: &str = "sk-whole";
/// One call beside another, and no more: what the other kept would show at once.
const CALLS_MAX: u32 = 2;

/// A gateway with a defect.
struct Defective(Arc<Gateway>);

/// Unwinds when it is asked for more than its first piece.
struct DefectiveBody {
    body: RelayBody,
    is_defective: bool,
    has_passed: bool,
    has_paused: bool,
}

impl Host for Defective {
    type Body = DefectiveBody;

    async fn answer(self: Arc<Self>, request: Request<ArrivingBody>) -> Response<DefectiveBody> {
        let defect = request.headers().get(DEFECT).cloned();
        let is_at = |place: &str| defect.as_ref().is_some_and(|defect| defect == place);
        let mut answering = pin!(Arc::clone(&self.0).answer(request));
        let response = poll_fn(|context| {
            let polled = answering.as_mut().poll(context);
            assert!(!is_at("answer") || self.0.open_calls.load(Ordering::Acquire) == 0, "a planted defect");
            polled
        });
        response.await.map(|body| DefectiveBody {
            body,
            is_defective: is_at("body"),
            has_passed: false,
            has_paused: false,
        })
    }

    fn open_connections(&self) -> &AtomicU64 {
        self.0.open_connections()
    }

    fn note_connection(&self) {
        self.0.note_connection();
    }

    fn cork(&self) -> &Cork {
        self.0.cork()
    }

    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }
}

impl Body for DefectiveBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        if self.is_defective && self.has_passed {
            assert!(!self.has_paused, "a planted defect");
            // What was passed leaves first.
            self.has_paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.has_passed |= polled.is_ready();
        polled
    }
}

struct Stage {
    gateway: Arc<Gateway>,
    serving: Option<Serving>,
    address: SocketAddr,
    runtime: Runtime,
    /// Tells the engine to end its streams.
    ends: watch::Sender<bool>,
    _directory: TempDir,
}

impl Stage {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = json!({
            "gateway_id": "g", "platform_id": "ab", "incarnation": "i1", "listen_host": "127.0.0.1", "listen_port": 0,
            "worker_threads": 1, "spool_directory": directory.path().join("spool"),
        });
        let options = parse_options(&options.to_string()).unwrap();
        let spool = Spool::open(&options.spool_directory, options.limits.spool_bytes_max).unwrap();
        let gateway = Arc::new(Gateway::new(options, spool));
        gateway.load_snapshot(build_snapshot(&directory).to_string().as_bytes()).unwrap();
        let ticket = json!({"ticket_id": "t", "holder_id": "o", "currency": "CNY", "credit_nano": "9000000000",
            "give_back_nano": "0"});
        let answer = json!({"lease_s": 600, "renew_s": 10, "tickets": [ticket], "default_share_ppm": 1_000_000});
        gateway.credit.apply(&answer.to_string()).unwrap();
        let host = Arc::new(Defective(Arc::clone(&gateway)));
        let serving = Serving::start(host, &gateway.options.listen, "keisan-defect", || {}).unwrap();
        let address = serving.address;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (ends, is_ending) = watch::channel(false);
        let listener = runtime.block_on(async { UnixListener::bind(directory.path().join("engine.sock")).unwrap() });
        runtime.spawn(serve_engine(listener, is_ending));
        Self { gateway, serving: Some(serving), address, runtime, ends, _directory: directory }
    }

    fn run<T>(&self, script: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(2 * WAIT, script).await.expect("the script hangs") })
    }

    fn replica(&self) -> Arc<Replica> {
        Arc::clone(&self.gateway.snapshot().unwrap().models["small"].replicas[0])
    }

    fn count_open(&self) -> u64 {
        self.gateway.open_calls.load(Ordering::Acquire)
    }

    /// Waits for so many records, and returns what each says of how its call ended.
    fn list_endings(&self, count: usize) -> Vec<Value> {
        let until = Instant::now() + WAIT;
        loop {
            let records = self.gateway.spool.read_whole(1_000).unwrap();
            let tell = |record: Vec<u8>| {
                let record: Value = serde_json::from_slice(&record).unwrap();
                ["outcome", "http_status", "usage_source", "quantities"].map(|name| record[name].clone()).into()
            };
            let endings: Vec<Value> = records.into_iter().map(tell).collect();
            if endings.len() >= count {
                return endings;
            }
            assert!(Instant::now() < until, "{} of {count} records", endings.len());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// All that calls hold is free, but for what `calls` that are open have.
    fn check_held(&self, calls: u32) {
        let replica = self.replica();
        let reserved: u128 = self.gateway.credit.sum_up().values().map(|held| held.reserved_nano).sum();
        assert_eq!(self.count_open(), u64::from(calls));
        assert_eq!((replica.station.count_calls(), replica.station.backlog.tokens()), (calls, 0));
        assert_eq!((self.gateway.count_request_bytes(), reserved > 0), (0, calls > 0));
        assert!(replica.station.circuit.allows(self.gateway.now_ns()), "the replica is blamed");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving.take().into_iter().for_each(Serving::stop);
        self.gateway.spool.close();
    }
}

fn build_snapshot(directory: &TempDir) -> Value {
    let digest: Vec<String> = digest_secret(SECRET.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"schema_version": 1, "platform_id": "ab", "incarnation": "i", "version": 1, "compiled_at_ms": 1, "digest": "", "tables": {
        "organizations": {"o": {"billing": "prepaid", "snapshot_age_s_max": null, "limits": {}, "policy": ""}},
        "projects": {"p": {"organization_id": "o", "limits": {}, "policy": ""}},
        "chips": {},
        "keys": {"k": {"digest": digest.concat(), "organization_id": "o", "project_id": "p", "rights": ["call"], "models": null,
            "limits": {"calls_open_max": CALLS_MAX}, "policy": ""}},
        "models": {"m": {"name": "small", "surfaces": ["chat"], "capabilities": ["stream"], "context_tokens": 2048,
            "output_tokens_max": 512, "template_tokens_max": 64, "price_id": "pr", "created_at_s": 7, "owner": "owner"}},
        "prices": {"pr": {"model_id": "m", "version": 1, "currency": "CNY",
            "nano_per_million": {"input": "500000000", "output": "1500000000"}}},
        "engines": {"e": {"running_usage": "llama_cpp_timings", "idle_connection_s": 5, "requests_per_connection_max": 100,
            "is_usage_summed_over_choices": false}},
        "replicas": {"r": {"model_id": "m", "deployment_id": "d", "provider_id": "pv", "site_id": "s", "node_id": "n",
            "engine": "e", "model_digest": "sha256:1", "verdict": "ok", "slots": CALLS_MAX,
            "upstream": {"kind": "unix", "path": directory.path().join("engine.sock")}}},
    }})
}

/// Calls on a connection each, or on one together.
enum Caller {
    Apart(SocketAddr),
    Together(http2::SendRequest<Full<Bytes>>),
}

impl Caller {
    async fn together(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self::Together(sender)
    }

    async fn call(&self, defect: &str) -> hyper::Result<Response<Incoming>> {
        let body = r#"{"model":"small","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
        let request = Request::post("http://gateway/v1/chat/completions").header("host", "gateway");
        let request = request.header("authorization", format!("Bearer {SECRET}")).header(DEFECT, defect);
        let request = request.body(Full::from(body)).unwrap();
        match self {
            Self::Apart(address) => {
                let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
                let (mut sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                sender.send_request(request).await
            }
            Self::Together(sender) => sender.clone().send_request(request).await,
        }
    }
}

async fn eventually(text: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < until, "{text}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// More calls unwind than a breaker bears failures, beside one that goes on, and with one that comes after them.
async fn unwind_beside_others(stage: &Stage, caller: Caller) {
    let mut neighbour = caller.call("").await.unwrap().into_body();
    neighbour.frame().await.unwrap().unwrap();
    for _ in 0..=FAILURES_MAX {
        let response = caller.call("body").await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.is_err(), "it looks whole");
        eventually("the call stays open", || stage.count_open() == 1).await;
        stage.check_held(1);
    }
    let mut after = caller.call("").await.unwrap().into_body();
    after.frame().await.unwrap().unwrap();
    stage.ends.send_replace(true);
    for body in [neighbour, after] {
        assert_eq!(body.collect().await.unwrap().to_bytes(), "data: [DONE]\n\n");
    }
    drop(caller);
    eventually("connections stay open", || stage.gateway.open_connections.load(Ordering::Acquire) == 0).await;
}

fn check_endings(stage: &Stage) {
    let unwound = json!(["engine_cut", 500, "engine_running", {"input": 1, "input_cached": 36, "output": 1}]);
    let completed = json!(["completed", 200, "engine", {"input": 37, "input_cached": 0, "output": 3}]);
    let count = usize::try_from(FAILURES_MAX).unwrap() + 1;
    let expected = [vec![unwound; count], vec![completed; 2]].concat();
    assert_eq!(stage.list_endings(expected.len()), expected);
    stage.check_held(0);
}

#[test]
fn a_connection_s_task_that_unwinds_ends_its_call_alone() {
    let stage = Stage::open();
    stage.run(unwind_beside_others(&stage, Caller::Apart(stage.address)));
    check_endings(&stage);
}

#[test]
fn a_stream_s_task_that_unwinds_leaves_its_neighbours_on_the_connection() {
    let stage = Stage::open();
    stage.run(async { unwind_beside_others(&stage, Caller::together(stage.address).await).await });
    check_endings(&stage);
}

#[test]
fn a_call_that_unwinds_before_its_answer_is_recorded_and_billed_nothing() {
    let stage = Stage::open();
    stage.run(async {
        let caller = Caller::Apart(stage.address);
        assert!(caller.call("answer").await.is_err());
        assert_eq!(stage.list_endings(1), [json!(["engine_cut", 500, "none", {}])]);
        eventually("the call stays open", || stage.count_open() == 0).await;
        stage.check_held(0);
        stage.ends.send_replace(true);
        assert!(caller.call("").await.unwrap().into_body().collect().await.is_ok());
    });
    assert_eq!(stage.list_endings(2).len(), 2);
}
