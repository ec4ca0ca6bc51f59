//! A connection to send one request on: an engine's own (HTTP/1.1), or a stream of one to a door (HTTP/2).

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::door_pool::DoorStream;

/// A whole head of an engine's answer fits; a body passes through in pieces of at most this.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Opens a connection to an engine; a task of its own drives it until it closes.
pub async fn dial_engine<B>(path: &Path, timeout: Duration) -> io::Result<http1::SendRequest<B>>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let stream = tokio::time::timeout(timeout, UnixStream::connect(path)).await??;
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // A fault of the connection reaches whoever waits for its answer; the task only moves bytes.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// A connection that a call has to itself, or its share of one.
#[derive(Debug)]
pub enum Connection {
    Engine {
        sender: http1::SendRequest<Full<Bytes>>,
        /// How many answers were read from it.
        requests: u64,
    },
    Door(DoorStream),
}

impl Connection {
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Engine { sender, .. } => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Door(stream) => stream.send(request).await,
        }
    }
}
