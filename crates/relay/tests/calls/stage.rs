//! A relay with its snapshot, scripted engines and a client, set up for one test.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use keisan_relay::{Relay, parse_options};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::engine::Engine;

pub const KEY: &str = "sk-whole";
/// Beyond what a busy host needs for anything: only a test that fails waits so long.
pub const WAIT: Duration = Duration::from_secs(60);
const PLATFORM: &str = "ab";

pub struct Stage {
    pub relay: Arc<Relay>,
    pub address: SocketAddr,
    pub directory: TempDir,
    runtime: Runtime,
}

/// What a test changes of the ordinary stage.
#[derive(Default)]
pub struct Setting {
    pub limits: Value,
    pub options: Value,
    /// Applied to the snapshot before it is loaded.
    pub change: Option<fn(&mut Value)>,
    /// Replicas; one if zero.
    pub replicas: usize,
}

impl Stage {
    pub fn open() -> Self {
        Self::open_with(Setting::default())
    }

    pub fn open_with(setting: Setting) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = json!({
            "gateway_id": "g", "platform_id": PLATFORM, "listen_host": "127.0.0.1", "listen_port": 0,
            "certificate_path": null, "certificate_key_path": null, "worker_threads": 1, "incarnation": "i1",
            "spool_directory": directory.path().join("spool"),
        });
        merge(&mut options, &setting.options);
        if setting.limits.is_object() {
            options["limits"] = setting.limits;
        }
        let mut snapshot = build_snapshot(&directory, setting.replicas.max(1));
        if let Some(change) = setting.change {
            change(&mut snapshot);
        }
        let relay = Arc::new(Relay::open(parse_options(&options.to_string()).unwrap()).unwrap());
        relay.load_snapshot(snapshot.to_string().as_bytes()).unwrap();
        let address = relay.start().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { relay, address, directory, runtime }
    }

    pub fn run<T>(&self, script: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(3 * WAIT, script).await.expect("the script hangs") })
    }

    pub fn engine(&self, number: usize) -> Engine {
        Engine::listen(self.directory.path(), &format!("{number}.sock"))
    }

    /// Waits until the spool holds exactly so many records, and returns them.
    pub fn records(&self, count: usize) -> Vec<Value> {
        let until = Instant::now() + WAIT;
        loop {
            let batch = self.relay.read_batch(1_000).unwrap();
            let found = batch.count;
            if found >= count {
                assert_eq!(found, count, "more records than calls");
                return read_records(batch.lines());
            }
            assert!(Instant::now() < until, "{found} of {count} records");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn record(&self) -> Value {
        self.records(1).remove(0)
    }

    /// What is in the spool file at this instant, synced or not.
    pub fn count_written(&self) -> u64 {
        self.stats()["spool"]["written_records"].as_u64().unwrap()
    }

    pub fn stats(&self) -> Value {
        serde_json::from_str(&self.relay.stats()).unwrap()
    }

    pub fn report_credit(&self) -> Value {
        serde_json::from_str(&self.relay.report_credit()).unwrap()
    }

    /// Grants this gateway the same share of every limit, as the only one or one of some.
    pub fn grant_shares(&self, share_ppm: u64) {
        self.apply_credit(&json!({"tickets": []}), share_ppm);
    }

    /// Leases credit to the organization "o".
    pub fn lease(&self, ticket_id: &str, credit_nano: u128) {
        self.apply_credit(&json!({"tickets": [build_ticket(ticket_id, "CNY", &credit_nano.to_string())]}), 1_000_000);
    }

    pub fn apply_credit(&self, more: &Value, share_ppm: u64) {
        apply_credit(&self.relay, more, share_ppm);
    }

    /// Plays the shell once: waits until the relay asks for an exchange, and answers its report.
    pub fn answer_credit_when_rung(
        &self,
        answer: impl FnOnce(Value) -> Value + Send + 'static,
    ) -> std::thread::JoinHandle<()> {
        let relay = Arc::clone(&self.relay);
        std::thread::spawn(move || {
            assert!(relay.wait_credit(WAIT), "the relay asks for no exchange");
            let report = serde_json::from_str(&relay.report_credit()).unwrap();
            apply_credit(&relay, &answer(report), 0);
        })
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    pub fn snapshot(&self) -> Value {
        self.snapshot_of(1)
    }

    pub fn snapshot_of(&self, replicas: usize) -> Value {
        build_snapshot(&self.directory, replicas)
    }

    pub fn load(&self, snapshot: &Value) {
        self.relay.load_snapshot(snapshot.to_string().as_bytes()).unwrap();
    }
}

/// An open ticket of the organization "o", as the platform tells it.
pub fn build_ticket(ticket_id: &str, currency: &str, credit_nano: &str) -> Value {
    json!({"ticket_id": ticket_id, "holder_id": "o", "currency": currency, "credit_nano": credit_nano, "give_back_nano": "0"})
}

fn apply_credit(relay: &Relay, more: &Value, share_ppm: u64) {
    let mut answer = json!({"lease_s": 600, "renew_s": 10, "tickets": [], "rates": [], "default_share_ppm": share_ppm});
    merge(&mut answer, more);
    relay.apply_credit(&answer.to_string()).unwrap();
}

/// The records of an upload, as the platform reads them.
fn read_records(lines: &[u8]) -> Vec<Value> {
    let (mut parts, mut records) = (Vec::new(), Vec::new());
    for line in std::str::from_utf8(lines).unwrap().lines() {
        if let Some(part) = line.strip_prefix('+') {
            parts.push(part);
            continue;
        }
        let (numbers, own) = line.split_once(':').unwrap();
        let pieces = numbers.split(',').map(|number| parts[number.parse::<usize>().unwrap()]);
        records.push(serde_json::from_str(&pieces.chain([own]).collect::<String>()).unwrap());
    }
    records
}

pub fn merge(target: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
}

/// SHA-256 of a secret, in hex.
pub fn digest(secret: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// SHA-256 of `sk-whole`, `sk-tiny` (which may name the model "tiny" only) and `sk-nothing` (which may not call).
fn build_snapshot(directory: &TempDir, replicas: usize) -> Value {
    let key = |secret: &str, rights: Value, models: Value| {
        json!({"digest": digest(secret), "organization_id": "o", "project_id": "p", "rights": rights, "models": models,
            "limits": {}, "policy": ""})
    };
    let model = |name: &str, surfaces: Value, capabilities: Value| {
        json!({"name": name, "surfaces": surfaces, "capabilities": capabilities, "context_tokens": 2048, "output_tokens_max": 512,
            "template_tokens_max": 64, "price_id": "pr", "created_at_s": 7, "owner": "owner"})
    };
    let replica = |number: usize| {
        json!({"model_id": "m1", "deployment_id": "d", "provider_id": "pv", "site_id": "s", "node_id": "n", "region": "JP-13",
            "chip": "cpu", "engine": "e", "model_digest": "sha256:1", "verdict": "ok", "slots": 2,
            "upstream": {"kind": "unix", "path": directory.path().join(format!("{number}.sock"))}})
    };
    let replicas: serde_json::Map<String, Value> =
        (1..=replicas).map(|number| (format!("r{number}"), replica(number))).collect();
    json!({"schema_version": 1, "platform_id": PLATFORM, "incarnation": "i", "version": 5, "compiled_at_ms": 1, "digest": "",
    "tables": {
        "organizations": {"o": {"billing": "postpaid", "snapshot_age_s_max": null, "limits": {}, "policy": ""}},
        "projects": {"p": {"organization_id": "o", "limits": {}, "policy": ""}},
        "chips": {"cpu": {"facts": {"vendor": {"values": ["metax"], "grade": "B"}, "advisory": {"values": [], "grade": "A"}}}},
        "keys": {"k1": key(KEY, json!(["call"]), Value::Null), "k2": key("sk-tiny", json!(["call"]), json!(["tiny"])),
            "k3": key("sk-nothing", json!(["read"]), Value::Null)},
        "models": {"m1": model("small", json!(["chat", "completions"]), json!(["stream"])), "m2": model("tiny", json!(["chat"]), json!(["tools"]))},
        "prices": {"pr": {"model_id": "m1", "version": 1, "currency": "CNY",
            "nano_per_million": {"input": "500000000", "input_cached": "50000000", "output": "1500000000"}}},
        "engines": {"e": {"running_usage": "llama_cpp_timings", "idle_connection_s": 5, "requests_per_connection_max": 100,
            "is_usage_summed_over_choices": false}},
        "replicas": replicas,
    }})
}

/// One HTTP/1.1 connection to the gateway. Dropped, it closes.
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: tokio::task::JoinHandle<()>,
    ports: [u16; 2],
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let ports = [address.port(), stream.local_addr().unwrap().port()];
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self { sender, connection, ports }
    }

    /// Leaves, and waits until the gateway has heard of it, which then closes its side too.
    pub async fn leave(self) {
        let ports = self.ports;
        drop(self);
        eventually("the gateway does not hear that its client left", || !has_socket(ports)).await;
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    pub async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
        self.send(build_post(path, KEY, body)).await
    }

    pub async fn chat(&mut self, more: Value) -> Response<Incoming> {
        self.post("/v1/chat/completions", chat_body(&more)).await
    }

    /// Tells whether the gateway closed the connection, waiting for it a while.
    pub async fn is_closed(&mut self) -> bool {
        tokio::time::timeout(WAIT, async {
            while self.sender.ready().await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .is_ok()
    }

    pub async fn get(&mut self, path: &str) -> Response<Incoming> {
        let request = Request::get(path).header("host", "gateway").header("authorization", format!("Bearer {KEY}"));
        self.send(request.body(Full::default()).unwrap()).await
    }
}

pub fn build_post(path: &str, key: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post(path).header("host", "gateway").header("authorization", format!("Bearer {key}"));
    request.body(Full::new(body.into())).unwrap()
}

/// A chat request for the model "small", with what is given besides.
pub fn chat_body(more: &Value) -> String {
    let mut body = json!({"model": "small", "messages": [{"role": "user", "content": "hi"}]});
    merge(&mut body, more);
    body.to_string()
}

pub fn stream() -> Value {
    json!({"stream": true})
}

pub async fn read_text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

pub async fn read_json(response: Response<Incoming>) -> Value {
    serde_json::from_str(&read_text(response).await).unwrap()
}

/// The next bytes of a body; nothing at its end.
pub async fn read_piece(body: &mut Incoming) -> Option<String> {
    let frame = tokio::time::timeout(WAIT, body.frame()).await.expect("no bytes come")?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

/// Tells whether a process holds the socket from one port to another.
fn has_socket(ports: [u16; 2]) -> bool {
    let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    sockets.lines().skip(1).any(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let is_of = |word: &str, port: u16| word.ends_with(&format!(":{port:04X}"));
        // Without an inode no process has it any more: the system alone ends the connection.
        is_of(words[1], ports[0]) && is_of(words[2], ports[1]) && words[9] != "0"
    })
}

/// Polls until something holds.
pub async fn eventually(text: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < until, "{text}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
