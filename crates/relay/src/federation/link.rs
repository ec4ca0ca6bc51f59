//! The connections to one platform, whoever dialled them: calls share them as streams, the emptiest first.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::federation::awake_time::AwakeTime;
use crate::federation::hearing::{Heard, Hearing};
use crate::federation::{ANSWER_WINDOW_BYTES, PING_TIME, PING_TIMEOUT, STREAMS_MAX};

type Sender = http2::SendRequest<LinkBody>;

/// What a call sends: its own body, or one that passes through, up to so many bytes.
#[derive(Debug)]
pub enum LinkBody {
    Whole(Bytes),
    Through { incoming: Incoming, bytes_left: u64 },
}

/// The body that passes is longer than a gateway takes, or its sender is gone.
#[derive(Debug)]
pub struct BrokenBody;

impl std::fmt::Display for BrokenBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the body that passes did not come whole")
    }
}

impl std::error::Error for BrokenBody {}

impl Body for LinkBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Through { incoming, bytes_left } => {
                let polled = std::task::ready!(Pin::new(incoming).poll_frame(context));
                Poll::Ready(polled.map(|frame| count_frame(frame.map_err(|_| BrokenBody)?, bytes_left)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Through { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Through { incoming, .. } => incoming.size_hint(),
        }
    }
}

fn count_frame(frame: Frame<Bytes>, bytes_left: &mut u64) -> Result<Frame<Bytes>, BrokenBody> {
    let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
    *bytes_left = bytes_left.checked_sub(bytes).ok_or(BrokenBody)?;
    Ok(frame)
}

/// One connection.
#[derive(Debug)]
struct Connection {
    sender: Sender,
    streams: AtomicUsize,
    /// It failed a call: those on it may end there, no other begins.
    is_retired: AtomicBool,
    /// While it is silent no call begins on it, and once it is heard again they do.
    hearing: Arc<Hearing>,
}

impl Connection {
    fn is_usable(&self) -> bool {
        !self.is_retired.load(Ordering::Relaxed) && !self.sender.is_closed() && !self.hearing.is_silent()
    }
}

/// All connections to one platform, and how far it is.
#[derive(Debug, Default)]
pub struct Link {
    awake: Arc<AwakeTime>,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// There and back through all gateways on the way; 0 until it is measured.
    distance_us: AtomicU64,
}

/// A call's share of a connection.
#[derive(Debug)]
pub struct LinkStream {
    connection: Arc<Connection>,
    sender: Sender,
}

impl LinkStream {
    pub async fn send(&mut self, request: Request<LinkBody>) -> hyper::Result<Response<Incoming>> {
        let answered = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        answered.await.inspect_err(|fault| {
            // A body of our own that broke says nothing of the connection.
            if !fault.is_user() {
                self.connection.is_retired.store(true, Ordering::Relaxed);
            }
        })
    }
}

impl Drop for LinkStream {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_up(&self) -> bool {
        self.lock().iter().any(|connection| connection.is_usable())
    }

    pub fn count_connections(&self) -> usize {
        self.lock().iter().filter(|connection| connection.is_usable()).count()
    }

    /// Takes a place on the connection with the fewest calls; none if there is no connection, or all are full.
    pub fn take(&self) -> Option<LinkStream> {
        let connections = self.lock();
        let usable = connections.iter().filter(|connection| connection.is_usable());
        let emptiest = usable.min_by_key(|connection| connection.streams.load(Ordering::Acquire))?;
        if emptiest.streams.fetch_add(1, Ordering::AcqRel) >= STREAMS_MAX as usize {
            emptiest.streams.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(LinkStream { connection: Arc::clone(emptiest), sender: emptiest.sender.clone() })
    }

    pub fn distance_us(&self) -> u64 {
        self.distance_us.load(Ordering::Relaxed)
    }

    /// Takes a measured distance. One that is slow once counts for little: the way is as long as ever.
    pub fn note_distance(&self, measured: Duration) {
        let measured_us = u64::try_from(measured.as_micros()).unwrap_or(u64::MAX).max(1);
        let held_us = self.distance_us();
        let smooth_us = if held_us == 0 { measured_us } else { held_us - held_us / 4 + measured_us / 4 };
        self.distance_us.store(smooth_us.min(measured_us.saturating_mul(2)), Ordering::Relaxed);
    }

    /// Asks over a connection, whoever dialled it, until it ends.
    pub async fn drive(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let hearing = Arc::new(Hearing::begin(Arc::clone(&self.awake)));
        let stream = Heard::new(stream, Arc::clone(&hearing));
        let shaken = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(ANSWER_WINDOW_BYTES)
            .initial_connection_window_size(ANSWER_WINDOW_BYTES * STREAMS_MAX)
            .keep_alive_interval(PING_TIME)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            // Clients leave in crowds: what still arrives on the streams that they left must not end the others.
            .max_local_error_reset_streams(None)
            .handshake(TokioIo::new(stream))
            .await;
        let Ok((sender, driving)) = shaken else { return };
        let connection =
            Arc::new(Connection { sender, streams: AtomicUsize::new(0), is_retired: AtomicBool::new(false), hearing });
        self.lock().push(Arc::clone(&connection));
        let _listed = Listed { link: self, connection };
        // A fault of it reaches those who wait for answers.
        let _ = driving.await;
    }
}

/// A connection is listed as long as somebody drives it.
struct Listed<'a> {
    link: &'a Link,
    connection: Arc<Connection>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.link.lock().retain(|listed| !Arc::ptr_eq(listed, &self.connection));
    }
}

/// The links to all platforms that were ever named, by their ids.
#[derive(Debug, Default)]
pub struct LinkBook {
    /// By which their silence is reckoned, while somebody keeps it.
    pub awake: Arc<AwakeTime>,
    links: Mutex<HashMap<String, Arc<Link>>>,
}

impl LinkBook {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the link to a platform, which may have no connection.
    pub fn find(&self, platform_id: &str) -> Arc<Link> {
        let mut links = self.lock();
        if let Some(link) = links.get(platform_id) {
            return Arc::clone(link);
        }
        let link = Arc::new(Link { awake: Arc::clone(&self.awake), ..Link::default() });
        links.insert(platform_id.to_owned(), Arc::clone(&link));
        link
    }

    pub fn count_up(&self) -> u64 {
        self.lock().values().filter(|link| link.is_up()).count() as u64
    }

    pub fn list(&self) -> Vec<(String, Arc<Link>)> {
        self.lock().iter().map(|(id, link)| (id.clone(), Arc::clone(link))).collect()
    }
}
