//! HTTP/2 connections to one door (R14): several, as one alone would be a queue; calls share them as streams.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::dial::DialFault;
use crate::tls::{Roots, is_http_2, read_trust};
use crate::upstream::{DoorPass, DoorPlace};

/// Streams that may share a connection before another is opened: a quarter of what a door lets in
/// (`listener::STREAMS_PER_CONNECTION_MAX`), so that no call ever waits for a stream, and a lost packet or a lost
/// connection is felt by few.
const STREAMS_SHARING_MAX: usize = 64;
/// What a door may send on one stream that its client has not taken: what an engine's unix socket would hold as well.
/// It is the memory a slow client can bind; past it the door, and behind it the engine, wait. At 100 ms from the door
/// it allows 640 KB/s, far above what a model writes.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Every stream's window at once: a client that does not read must not use up what the others need.
#[allow(clippy::cast_possible_truncation, reason = "64")]
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_SHARING_MAX as u32;
/// A peer that is gone without a word is found out, also while an engine thinks and nothing is sent. One that is only
/// held up, by a busy host or a slow disk, must not be taken for gone: all calls of the connection would end.
pub const PING_TIME: Duration = Duration::from_secs(20);
pub const PING_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_TIME: Duration = Duration::from_secs(30);

type Sender = http2::SendRequest<Full<Bytes>>;

/// Whose door, and where: two sites that name one place share nothing, least of all a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DoorKey {
    pub site_id: String,
    pub place: DoorPlace,
}

/// The connections to one door.
#[derive(Debug)]
pub struct DoorPool {
    pub key: DoorKey,
    roots: Arc<Roots>,
    /// That of the newest snapshot, also for calls that were admitted under an older one: a door forgets old secrets.
    pass: ArcSwapOption<HeldPass>,
    connections: Mutex<Vec<Arc<Shared>>>,
}

/// A pass, with what its certificates come to; none of its own means the gateway's roots.
struct HeldPass {
    pass: Arc<DoorPass>,
    trust: Option<Result<TlsConnector, String>>,
}

impl std::fmt::Debug for HeldPass {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HeldPass").field("pass", &self.pass).finish_non_exhaustive()
    }
}

/// A connection that is open, is being opened by one of those who wait for it, or could not be opened.
#[derive(Debug)]
struct Shared {
    sender: OnceCell<Result<Sender, DialFault>>,
    streams: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// It failed a call: those on it may end there, no other begins.
    is_retired: AtomicBool,
}

impl Shared {
    fn new() -> Self {
        Self {
            sender: OnceCell::new(),
            streams: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            is_retired: AtomicBool::new(false),
        }
    }

    fn is_usable(&self) -> bool {
        let is_dead = matches!(self.sender.get(), Some(sender) if sender.as_ref().map_or(true, Sender::is_closed));
        !is_dead && !self.is_retired.load(Ordering::Relaxed)
    }

    fn has_room(&self) -> bool {
        self.streams.load(Ordering::Acquire) < STREAMS_SHARING_MAX
    }

    fn is_idle(&self, time: Duration) -> bool {
        let since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.streams.load(Ordering::Acquire) == 0 && since.elapsed() >= time
    }
}

/// A call's place on a connection; free again when dropped.
#[derive(Debug)]
struct Place(Arc<Shared>);

impl Place {
    fn enter(connection: &Arc<Shared>) -> Self {
        connection.streams.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(connection))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A call's share of an open connection.
#[derive(Debug)]
pub struct DoorStream {
    place: Place,
    sender: Sender,
    secret: Option<HeaderValue>,
}

impl DoorStream {
    /// What to show at the door.
    pub fn secret(&self) -> Option<HeaderValue> {
        self.secret.clone()
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let answered = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        answered.await.inspect_err(|_| self.place.0.is_retired.store(true, Ordering::Relaxed))
    }
}

impl DoorPool {
    pub fn new(key: DoorKey, roots: Arc<Roots>) -> Self {
        Self { key, roots, pass: ArcSwapOption::empty(), connections: Mutex::new(Vec::new()) }
    }

    /// Takes the pass of a new snapshot. Connections that are open stay; what they send from now on shows the new secret.
    pub fn set_pass(&self, pass: &Arc<DoorPass>) {
        let held = self.pass.load_full();
        let same = held.filter(|held| held.pass.certificates == pass.certificates);
        let trust = match same {
            Some(held) => held.trust.clone(),
            None => (!pass.certificates.is_empty()).then(|| read_trust(&pass.certificates)),
        };
        self.pass.store(Some(Arc::new(HeldPass { pass: Arc::clone(pass), trust })));
    }

    fn secret(&self) -> Option<HeaderValue> {
        self.pass.load().as_ref().map(|held| held.pass.secret.header())
    }

    fn connector(&self) -> Result<TlsConnector, DialFault> {
        match self.pass.load().as_ref().and_then(|held| held.trust.clone()) {
            Some(trust) => trust.map_err(|_| DialFault::Untrusted),
            None => self.roots.connector().ok_or(DialFault::Untrusted),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Shared>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place on the first open connection that has one: the last ones then fall idle.
    pub fn take(&self) -> Option<DoorStream> {
        let connections = self.lock();
        connections.iter().filter(|found| found.is_usable() && found.has_room()).find_map(|found| {
            let sender = found.sender.get()?.clone().ok()?;
            Some(DoorStream { place: Place::enter(found), sender, secret: self.secret() })
        })
    }

    /// Takes a place on any connection that has one, or opens another. Who dials is one of those who wait; should it
    /// give up, the next one dials.
    pub async fn open(&self, timeout: Duration) -> Result<DoorStream, DialFault> {
        let place = self.enter_any();
        let dialled = place.0.sender.get_or_init(async || {
            let dialled = tokio::time::timeout(timeout, self.dial()).await;
            dialled.unwrap_or(Err(DialFault::Timeout))
        });
        // Bounded here as well: who takes over from one that gave up has waited before.
        let sender = tokio::time::timeout(timeout, dialled).await.map_err(|_| DialFault::Timeout)?.clone()?;
        Ok(DoorStream { place, sender, secret: self.secret() })
    }

    fn enter_any(&self) -> Place {
        let mut connections = self.lock();
        connections.retain(|found| found.is_usable());
        if let Some(found) = connections.iter().find(|found| found.has_room()) {
            return Place::enter(found);
        }
        let fresh = Arc::new(Shared::new());
        connections.push(Arc::clone(&fresh));
        Place::enter(&fresh)
    }

    async fn dial(&self) -> Result<Sender, DialFault> {
        let place = &self.key.place;
        let host = place.host.trim_start_matches('[').trim_end_matches(']');
        let found = lookup_host((host, place.port)).await.map_err(|_| DialFault::Unreachable)?;
        let addresses: Vec<SocketAddr> = found.collect();
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        if !place.is_tls {
            return shake_hands(stream).await;
        }
        let connector = self.connector()?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| DialFault::Untrusted)?;
        let stream = connector.connect(name, stream).await.map_err(|_| DialFault::Untrusted)?;
        if !is_http_2(stream.get_ref().1.alpn_protocol()) {
            return Err(DialFault::Protocol);
        }
        shake_hands(stream).await
    }

    /// Closes what has been idle too long, and lets go of what is dead.
    pub fn sweep(&self) {
        self.sweep_idle(IDLE_TIME);
    }

    fn sweep_idle(&self, time: Duration) {
        self.lock().retain(|found| found.is_usable() && !found.is_idle(time));
    }
}

async fn shake_hands(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Sender, DialFault> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(PING_TIME)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        // What still arrives on streams that clients have left is no fault of the door's: it must not end the others.
        .max_local_error_reset_streams(None)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| DialFault::Protocol)?;
    // A fault of the connection reaches those who wait for their answers; the task only moves bytes.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(9);

    fn open_pool(port: u16) -> DoorPool {
        let place = DoorPlace { host: "127.0.0.1".to_owned(), port, is_tls: false };
        DoorPool::new(DoorKey { site_id: "s".to_owned(), place }, Arc::new(Roots::new(None)))
    }

    /// A door that answers nothing and tells of each connection that ends.
    async fn listen() -> (DoorPool, mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, ended) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(|_| std::future::pending::<hyper::Result<Response<Full<Bytes>>>>());
                tokio::spawn(async move {
                    let builder = http2::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                    sender.send(()).await.unwrap();
                });
            }
        });
        (open_pool(port), ended)
    }

    #[tokio::test]
    async fn idle_connections_are_closed_and_used_ones_are_kept() {
        let (pool, mut ended) = listen().await;
        let stream = pool.open(TIMEOUT).await.unwrap();
        pool.sweep_idle(Duration::ZERO);
        drop(pool.take().unwrap());
        drop(stream);
        pool.sweep_idle(TIMEOUT);
        drop(pool.take().unwrap());
        pool.sweep_idle(Duration::ZERO);
        assert!(pool.take().is_none());
        tokio::time::timeout(TIMEOUT, ended.recv()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_place_comes_back_and_an_open_one_is_not_dialled_for() {
        let (pool, _ended) = listen().await;
        for _ in 0..3 * STREAMS_SHARING_MAX {
            drop(pool.open(TIMEOUT).await.unwrap());
        }
        assert_eq!(pool.lock().len(), 1);
    }

    #[tokio::test]
    async fn who_gives_up_dialling_leaves_it_to_the_next() {
        let (pool, _ended) = listen().await;
        {
            let mut first = std::pin::pin!(pool.open(TIMEOUT));
            let begun = std::future::poll_fn(|context| std::task::Poll::Ready(first.as_mut().poll(context))).await;
            assert!(begun.is_pending());
        }
        assert!(pool.open(TIMEOUT).await.is_ok());
        assert_eq!(pool.lock().len(), 1);
    }

    #[tokio::test]
    async fn a_door_that_is_not_there_is_dialled_anew_each_time() {
        let (pool, _) = listen().await;
        drop(pool);
        let pool = open_pool(1);
        assert_eq!(pool.open(TIMEOUT).await.unwrap_err(), DialFault::Refused);
        assert!(pool.take().is_none());
        assert_eq!(pool.open(TIMEOUT).await.unwrap_err(), DialFault::Refused);
        assert_eq!(pool.lock().len(), 1);
    }
}
