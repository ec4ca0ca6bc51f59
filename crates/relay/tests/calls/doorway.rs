//! A real door before the scripted engines of a stage, and clients that speak to it themselves.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keisan_relay::{Door, parse_door_options};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};

use crate::engine::{Engine, chat_answer};
use crate::stage::{Stage, digest, merge};

pub const SECRET: &str = "open-sesame";

pub struct Doorway {
    pub door: Door,
    pub address: SocketAddr,
    pub access_path: PathBuf,
}

impl Doorway {
    /// Opens a door to replicas r1 to r9 of a stage; its gateway does not know of it yet.
    pub fn open(stage: &Stage, changes: &Value) -> Self {
        let directory = stage.directory.path();
        let access_path = directory.join("access.json");
        write_access(directory, &[SECRET]);
        let mut options = json!({"listen_host": "127.0.0.1", "listen_port": 0, "access_path": access_path});
        merge(&mut options, changes);
        let door = Door::open(parse_door_options(&options.to_string()).unwrap());
        let address = door.start().unwrap();
        Self { door, address, access_path }
    }

    /// Opens a door and sends the gateway's calls of so many replicas through it.
    pub fn before(stage: &Stage, replicas: usize) -> Self {
        let doorway = Self::open(stage, &json!({}));
        stage.load(&build_snapshot(stage, replicas, doorway.address, false));
        doorway
    }

    pub fn stats(&self) -> Value {
        serde_json::from_str(&self.door.stats()).unwrap()
    }

    pub async fn connect(&self) -> http1::SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub async fn connect_http_2<B>(&self) -> http2::SendRequest<B>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub fn build_post<B>(&self, path: &str, secret: &str, body: B) -> Request<B> {
        self.build_request(Method::POST, path, secret, body)
    }

    pub fn build_request<B>(&self, method: Method, path: &str, secret: &str, body: B) -> Request<B> {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        let request = request.header("authorization", format!("Bearer {secret}")).header("x-request-id", "i");
        request.body(body).unwrap()
    }
}

/// The stage's snapshot with its replicas behind a door.
pub fn build_snapshot(stage: &Stage, replicas: usize, address: SocketAddr, is_tls: bool) -> Value {
    let mut snapshot = stage.snapshot_of(replicas);
    let place = json!({"host": address.ip().to_string(), "port": address.port(), "is_tls": is_tls});
    for (id, replica) in snapshot["tables"]["replicas"].as_object_mut().unwrap() {
        replica["upstream"] = place.clone();
        merge(&mut replica["upstream"], &json!({"kind": "door", "path": format!("/replicas/{id}")}));
        replica["slots"] = json!(5_000);
    }
    snapshot["tables"]["doors"] = json!({"s": place});
    snapshot["tables"]["doors"]["s"]["secret"] = json!(SECRET);
    snapshot
}

/// Reads from an engine's connection until some text has come.
pub async fn read_until(engine: &mut UnixStream, text: &str) {
    let mut heard = String::new();
    while !heard.contains(text) {
        let mut piece = [0; 1_024];
        let count = engine.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "the door hung up");
        heard.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
}

/// Writes the access file as a site's agent does.
pub fn write_access(directory: &Path, secrets: &[&str]) {
    let socket = |number: u32| directory.join(format!("{number}.sock"));
    let replicas = (1..=9).map(|number| (format!("r{number}"), json!(socket(number)))).collect();
    let digests: Vec<String> = secrets.iter().map(|secret| digest(secret)).collect();
    let text = json!({"digests": digests, "replicas": Value::Object(replicas)}).to_string();
    let fresh = directory.join("access.new");
    std::fs::write(&fresh, text).unwrap();
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(fresh, directory.join("access.json")).unwrap();
}

/// Makes one call that the engine answers, if it comes through; returns what its client was told.
pub async fn call(stage: &Stage, engine: &mut Engine) -> u16 {
    let mut client = stage.connect().await;
    let answering = async { engine.next().await.answer(200, &chat_answer("a")).await };
    tokio::select! {
        biased;
        response = client.chat(json!({})) => response.status().as_u16(),
        response = async { answering.await; std::future::pending().await } => response,
    }
}
