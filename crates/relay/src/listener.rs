//! Accepts connections: TCP without delay, TLS if there are certificates, HTTP/1.1 and HTTP/2, a graceful end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::client_body::ClientBody;
use crate::tls::Certificates;

/// What a connection may buffer of one head or one read.
const READ_BYTES_MAX: usize = 64 * 1024;
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// After a fault of accepting (no descriptors left, say), how long until it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests that come in: a gateway or a door.
pub trait Host: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static;

    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Counts those that are open, so that draining can wait for them.
    fn open_connections(&self) -> &AtomicU64;

    fn note_connection(&self);

    fn bounds(&self) -> Bounds;

    /// Whether a connection is closed unless one of its requests is welcomed (`Welcome`) within the time of a head.
    const CLOSES_STRANGERS: bool = false;

    /// Sets what this kind of host wants of HTTP/2 beyond the ordinary.
    fn tune_http_2(&self, _: &mut Builder<TokioExecutor>) {}
}

/// Rides on a request; set once it has shown that its connection may stay.
#[derive(Clone, Debug, Default)]
pub struct Welcome(Arc<AtomicBool>);

impl Welcome {
    pub fn give(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Comes to an end when the time is over and it was not given.
    async fn expire(&self, time: Duration) {
        tokio::time::sleep(time).await;
        if self.0.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

/// Limits of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub connections_max: u64,
    pub head_read_timeout_s: u64,
    /// How long a client may take nothing of an answer.
    pub client_idle_timeout_s: u64,
}

/// What the connections of a listener share.
pub struct Listening<H> {
    pub host: Arc<H>,
    pub certificates: Option<Arc<Certificates>>,
    pub draining: watch::Receiver<bool>,
}

/// Accepts until draining begins, then lets go of the port.
pub async fn accept_connections<H: Host>(listener: TcpListener, listening: Arc<Listening<H>>) {
    let most = usize::try_from(listening.host.bounds().connections_max).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let mut draining = listening.draining.clone();
    loop {
        // Past the limit, connections wait in the system's backlog.
        let accepted = tokio::select! {
            _ = draining.wait_for(|is_draining| *is_draining) => return,
            accepted = accept_one(&listener, &places) => accepted,
        };
        match accepted {
            Some((stream, place)) => {
                tokio::spawn(serve_stream(stream, place, Arc::clone(&listening)));
            }
            None => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn accept_one(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _): (TcpStream, SocketAddr) = listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some((stream, place))
}

/// A connection as long as it is served.
struct OpenConnection<H: Host>(Arc<H>);

impl<H: Host> OpenConnection<H> {
    fn open(host: &Arc<H>) -> Self {
        host.note_connection();
        host.open_connections().fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(host))
    }
}

impl<H: Host> Drop for OpenConnection<H> {
    fn drop(&mut self) {
        self.0.open_connections().fetch_sub(1, Ordering::AcqRel);
    }
}

async fn serve_stream<H: Host>(stream: TcpStream, _place: OwnedSemaphorePermit, listening: Arc<Listening<H>>) {
    let _open = OpenConnection::open(&listening.host);
    let Some(certificates) = &listening.certificates else {
        return serve_connection(stream, &listening).await;
    };
    let time = Duration::from_secs(listening.host.bounds().head_read_timeout_s);
    if let Ok(Ok(stream)) = tokio::time::timeout(time, certificates.acceptor().accept(stream)).await {
        serve_connection(stream, &listening).await;
    }
}

async fn serve_connection<H: Host>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    listening: &Listening<H>,
) {
    let builder = build_protocols(&*listening.host);
    let welcome = H::CLOSES_STRANGERS.then(Welcome::default);
    let service = service_fn(|mut request: Request<Incoming>| {
        let host = Arc::clone(&listening.host);
        if let Some(welcome) = &welcome {
            request.extensions_mut().insert(welcome.clone());
        }
        async move { Ok::<_, std::convert::Infallible>(answer(host, request).await) }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut draining = listening.draining.clone();
    let head_read_time = Duration::from_secs(listening.host.bounds().head_read_timeout_s);
    let is_unwelcome = async {
        match &welcome {
            Some(welcome) => welcome.expire(head_read_time).await,
            None => std::future::pending().await,
        }
    };
    // A fault of the connection ends it; the calls on it see their bodies dropped.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = is_unwelcome => return,
        _ = draining.wait_for(|is_draining| *is_draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer<H: Host>(host: Arc<H>, request: Request<Incoming>) -> Response<ClientBody<H::Body>> {
    if request.version() != Version::HTTP_2 {
        return host.answer(request).await.map(ClientBody::direct);
    }
    let idle_max = Duration::from_secs(host.bounds().client_idle_timeout_s);
    host.answer(request).await.map(|body| ClientBody::pumped(body, idle_max))
}

fn build_protocols<H: Host>(host: &H) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(host.bounds().head_read_timeout_s))
        .max_buf_size(READ_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    host.tune_http_2(&mut builder);
    builder
}
