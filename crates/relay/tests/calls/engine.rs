//! An engine that says exactly what a test tells it: a hyper server on a unix socket, scripted request by request.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::stage::WAIT;

const FLUSH_TIME: Duration = Duration::from_millis(50);

/// What comes out of an engine: bytes, or its death.
pub type Piece = Result<Bytes, std::io::Error>;

pub struct Engine {
    pub connections: Arc<AtomicUsize>,
    asked: mpsc::Receiver<Asked>,
}

/// A request that the engine got and has not answered.
pub struct Asked {
    pub request: serde_json::Value,
    pub request_id: String,
    pub headers: hyper::HeaderMap,
    answer: oneshot::Sender<Response<ScriptedBody>>,
}

/// An answer under way; dropping it ends the body cleanly.
pub struct Speaking(mpsc::Sender<Piece>);

pub struct ScriptedBody {
    pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
}

impl ScriptedBody {
    /// A body that is said piece by piece.
    pub fn open(length: Option<u64>) -> (Speaking, Self) {
        let (sender, pieces) = mpsc::channel(64);
        (Speaking(sender), Self { pieces, length })
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.length.map_or_else(hyper::body::SizeHint::default, hyper::body::SizeHint::with_exact)
    }
}

impl Engine {
    pub fn listen(directory: &Path, name: &str) -> Self {
        let listener = UnixListener::bind(directory.join(name)).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (sender, asked) = mpsc::channel(64);
        tokio::spawn(serve(listener, sender, Arc::clone(&connections)));
        Self { connections, asked }
    }

    pub async fn next(&mut self) -> Asked {
        tokio::time::timeout(WAIT, self.asked.recv()).await.expect("the engine was not asked").unwrap()
    }

    /// Tells whether no request waits.
    pub fn is_idle(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    /// Hands a request to the test and waits for its answer.
    pub async fn handle(
        request: Request<Incoming>,
        sender: mpsc::Sender<Asked>,
    ) -> Result<Response<ScriptedBody>, std::io::Error> {
        let headers = request.headers().clone();
        let request_id = headers["x-request-id"].to_str().unwrap().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let request = serde_json::from_slice(&body).unwrap();
        let (answer, answered) = oneshot::channel();
        sender.send(Asked { request, request_id, headers, answer }).await.unwrap();
        // A test that drops the request kills the connection without an answer.
        answered.await.map_err(|_| std::io::Error::other("the engine died"))
    }

    pub fn count_connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(listener: UnixListener, sender: mpsc::Sender<Asked>, connections: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let sender = sender.clone();
        let service = service_fn(move |request| Engine::handle(request, sender.clone()));
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Asked {
    /// Waits until nobody waits for the answer any more.
    pub async fn abandoned(&mut self) {
        tokio::time::timeout(WAIT, self.answer.closed()).await.expect("the request is not cancelled");
    }

    /// Begins an answer.
    pub fn begin(self, status: u16, kind: &str, length: Option<u64>) -> Speaking {
        let (speaking, body) = ScriptedBody::open(length);
        let response = Response::builder()
            .status(status)
            .header("content-type", kind)
            .header("server", "llama.cpp")
            .header("access-control-allow-origin", "*")
            .body(body)
            .unwrap();
        let _ = self.answer.send(response);
        speaking
    }

    pub fn begin_stream(self) -> Speaking {
        self.begin(200, "text/event-stream", None)
    }

    /// Answers whole.
    pub async fn answer(self, status: u16, text: &str) {
        let speaking = self.begin(status, "application/json; charset=utf-8", Some(text.len() as u64));
        // A gateway that has read enough of it need not wait for the rest.
        let _ = speaking.try_say(text).await;
    }
}

impl Speaking {
    pub async fn say(&self, text: impl Into<String>) {
        self.try_say(text).await.expect("the gateway hung up");
    }

    pub async fn try_say(&self, text: impl Into<String>) -> Result<(), mpsc::error::SendError<Piece>> {
        self.0.send(Ok(Bytes::from(text.into()))).await
    }

    /// Waits until what was said has left the engine. Its socket says nothing of that, so the last step is a pause.
    pub async fn flushed(&self) {
        while self.0.capacity() < self.0.max_capacity() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(FLUSH_TIME).await;
    }

    pub async fn event(&self, json: &str) {
        self.say(format!("data: {json}\n\n")).await;
    }

    pub async fn die(self) {
        self.flushed().await;
        let _ = self.0.send(Err(std::io::Error::other("the engine died"))).await;
    }

    /// Waits until the gateway cancels.
    pub async fn cancelled(&self) {
        tokio::time::timeout(WAIT, self.0.closed()).await.expect("the gateway does not cancel");
    }
}

/// A chat event with the running counts of llama.cpp.
pub fn token_event(content: &str, predicted: u64) -> String {
    let content = serde_json::to_string(content).unwrap();
    format!(
        r#"{{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":{content}}}}}],"created":1,"id":"c","model":"-","object":"chat.completion.chunk","timings":{{"cache_n":36,"prompt_n":1,"prompt_ms":1.5,"predicted_n":{predicted},"predicted_ms":2.5}}}}"#
    )
}

/// The last chunk, with the usage.
pub fn usage_event(completion: u64) -> String {
    format!(
        r#"{{"choices":[],"created":1,"id":"c","model":"-","usage":{{"completion_tokens":{completion},"prompt_tokens":37,"total_tokens":40,"prompt_tokens_details":{{"cached_tokens":36}}}},"timings":{{"cache_n":36,"prompt_n":1,"predicted_n":{completion}}}}}"#
    )
}

/// A whole chat answer as llama.cpp gives it.
pub fn chat_answer(content: &str) -> String {
    let content = serde_json::to_string(content).unwrap();
    format!(
        r#"{{"choices":[{{"finish_reason":"stop","index":0,"message":{{"role":"assistant","content":{content}}}}}],"created":1,"model":"/weights/x.gguf","usage":{{"completion_tokens":8,"prompt_tokens":37,"total_tokens":45,"prompt_tokens_details":{{"cached_tokens":36}}}},"id":"c","timings":{{"cache_n":36,"prompt_n":1,"predicted_n":8}}}}"#
    )
}
