//! How bytes reach a replica (R9): a unix socket on this host now; a site's door has its place here.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Deserializer};
use tokio::net::UnixStream;

/// The longest path that fits a socket address. Source: `sun_path` of Linux, 108 bytes with the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// A whole head of an engine's answer fits; a body passes through in pieces of at most this.
const READ_BYTES_MAX: usize = 64 * 1024;

pub type Sender = http1::SendRequest<Full<Bytes>>;

/// Where a replica listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    Unix {
        path: PathBuf,
    },
    /// A kind of a later version: the replica cannot be used by this gateway.
    Unknown,
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Text {
            kind: String,
            path: Option<PathBuf>,
        }
        let text = Text::deserialize(deserializer)?;
        Ok(match (text.kind.as_str(), text.path) {
            ("unix", Some(path)) => Self::Unix { path },
            _ => Self::Unknown,
        })
    }
}

impl Upstream {
    pub fn is_reachable(&self) -> bool {
        match self {
            Self::Unix { path } => path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX,
            Self::Unknown => false,
        }
    }

    /// Opens a connection; a task of its own drives it until it closes.
    pub async fn dial(&self, timeout: Duration) -> io::Result<Sender> {
        let Self::Unix { path } = self else {
            return Err(io::ErrorKind::Unsupported.into());
        };
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
}
