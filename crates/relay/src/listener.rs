//! Accepts connections: TCP without delay, TLS if there are certificates, HTTP/1.1 and HTTP/2, a graceful end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::arriving_body::ArrivingBody;
use crate::client_body::ClientBody;
use crate::cork::{Cork, Corked};
use crate::fast_path::FastPath;
use crate::quiet::Quiet;
use crate::tls::Certificates;

/// What a connection may buffer of one head or one read.
const READ_BYTES_MAX: usize = 64 * 1024;
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// After a fault of accepting (no descriptors left, say), how long until it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests that come in: a gateway or a door.
pub trait Host: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static;

    fn answer(self: Arc<Self>, request: Request<ArrivingBody>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Counts those that are open, so that draining can wait for them.
    fn open_connections(&self) -> &AtomicU64;

    fn note_connection(&self);

    fn bounds(&self) -> Bounds;

    /// Holds what its connections write until the end of a turn.
    fn cork(&self) -> &Cork;

    /// Whether a connection is closed unless one of its requests is welcomed (`Welcome`) within the time of a head; else
    /// any request is welcome.
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

    fn is_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Limits of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub connections_max: u64,
    pub head_read_timeout_s: u64,
    /// How long a client may take nothing of an answer.
    pub client_idle_timeout_s: u64,
    /// How long a draining listener accepts, and waits for a quiet connection's next call.
    pub drain_idle_timeout_s: u64,
}

/// What the connections of a listener share.
pub struct Listening<H> {
    pub host: Arc<H>,
    pub certificates: Option<Arc<Certificates>>,
    pub draining: watch::Receiver<bool>,
    /// Another process takes connections from the same queue.
    pub is_handed_over: Arc<AtomicBool>,
}

impl<H: Host> Listening<H> {
    /// Returns when it is time to accept no more: at once when another process does, else after a time in which whoever
    /// sends connections here can see that this one drains.
    async fn wait_for_end(&self) {
        // A sender that is gone is a process that stops.
        let _ = self.draining.clone().wait_for(|is_draining| *is_draining).await;
        if !self.is_handed_over.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_secs(self.host.bounds().drain_idle_timeout_s)).await;
        }
    }
}

/// Accepts until draining is under way, then lets go of the port.
pub async fn accept_connections<H: Host>(listener: Arc<TcpListener>, listening: Arc<Listening<H>>) {
    let most = usize::try_from(listening.host.bounds().connections_max).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let mut ending = std::pin::pin!(listening.wait_for_end());
    loop {
        // Past the limit, connections wait in the system's backlog.
        let accepted = tokio::select! {
            () = ending.as_mut() => break,
            accepted = accept_one(&listener, &places) => accepted,
        };
        match accepted {
            Some((stream, place)) => {
                tokio::spawn(serve_stream(stream, place, Arc::clone(&listening)));
            }
            None => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    if !listening.is_handed_over.load(Ordering::Acquire) {
        sweep_backlog(&listener, &places, &listening).await;
    }
}

/// Takes what the system has connected already: closing the listener would reset it.
async fn sweep_backlog<H: Host>(listener: &TcpListener, places: &Arc<Semaphore>, listening: &Arc<Listening<H>>) {
    while let Ok(place) = Arc::clone(places).try_acquire_owned()
        && let Poll::Ready(Ok((stream, _))) = poll_fn(|context| Poll::Ready(listener.poll_accept(context))).await
    {
        if stream.set_nodelay(true).is_ok() {
            tokio::spawn(serve_stream(stream, place, Arc::clone(listening)));
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
    let stream = Corked::tcp(stream, listening.host.cork().clone());
    match &listening.certificates {
        None => serve_connection(stream, &listening).await,
        // Apart: a connection without TLS has no use for the room.
        Some(certificates) => Box::pin(serve_tls(stream, certificates, &listening)).await,
    }
}

async fn serve_tls<H: Host>(stream: Corked<OwnedReadHalf>, certificates: &Certificates, listening: &Arc<Listening<H>>) {
    let time = Duration::from_secs(listening.host.bounds().head_read_timeout_s);
    if let Ok(Ok(stream)) = tokio::time::timeout(time, certificates.acceptor().accept(stream)).await {
        serve_connection(stream, listening).await;
    }
}

async fn serve_connection<H: Host>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    listening: &Arc<Listening<H>>,
) {
    let welcome = H::CLOSES_STRANGERS.then(Welcome::default);
    let quiet = Arc::new(Quiet::default());
    let ask = |mut request: Request<ArrivingBody>| {
        if let Some(welcome) = &welcome {
            request.extensions_mut().insert(welcome.clone());
        }
        answer(listening, &quiet, request)
    };
    let bounds = listening.host.bounds();
    let head_read_time = Duration::from_secs(bounds.head_read_timeout_s);
    let mut draining = listening.draining.clone();
    let mut closing = std::pin::pin!(async {
        let _ = draining.wait_for(|is_draining| *is_draining).await;
        quiet.wait(Duration::from_secs(bounds.drain_idle_timeout_s)).await;
    });
    // Counted from the start, because a connection that says nothing never comes to have a head that could be late.
    let welcome_until = tokio::time::sleep(head_read_time);
    let mut is_unwelcome = std::pin::pin!(async {
        welcome_until.await;
        if welcome.as_ref().map_or_else(|| quiet.has_begun(), Welcome::is_given) {
            std::future::pending::<()>().await;
        }
    });
    let fast_path = FastPath::new(stream, Arc::clone(&quiet), head_read_time);
    let strange = tokio::select! {
        biased;
        () = is_unwelcome.as_mut() => return,
        strange = fast_path.serve(ask, closing.as_mut()) => strange,
    };
    let Some(stream) = strange else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let answering = ask(request.map(ArrivingBody::Incoming));
        async move { Ok::<_, std::convert::Infallible>(answering.await) }
    });
    let builder = build_protocols(&*listening.host);
    // Apart: a connection of usual requests has no use for the room.
    let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
    // A fault of the connection ends it; the calls on it see their bodies dropped. What was read of it is looked at first.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = is_unwelcome => return,
        () = closing => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn answer<H: Host>(
    listening: &Arc<Listening<H>>,
    quiet: &Arc<Quiet>,
    request: Request<ArrivingBody>,
) -> impl Future<Output = Response<ClientBody<H::Body>>> + use<H> {
    let listening = Arc::clone(listening);
    let busy = quiet.enter();
    let idle_max = Duration::from_secs(listening.host.bounds().client_idle_timeout_s);
    let is_http_2 = request.version() == Version::HTTP_2;
    if is_http_2 {
        quiet.note_http_2();
    }
    // In memory of its own, which is free again once the answer has begun: the connection keeps what is its own.
    let answering = Box::pin(Arc::clone(&listening.host).answer(request));
    async move {
        let mut response = answering.await;
        if is_http_2 {
            return response.map(|body| ClientBody::pumped(body, busy, idle_max));
        }
        if *listening.draining.borrow() {
            // The client goes elsewhere with its next call, and none is under way when the connection closes.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| ClientBody::direct(body, busy))
    }
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
