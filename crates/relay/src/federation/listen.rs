//! Where children and siblings come in: mutual TLS, and then HTTP/2, asked by whoever wants that.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keisan_route::Side;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::federation::credentials::{SERVING, find_platform};
use crate::federation::{HANDSHAKE_TIME, PING_TIME, PING_TIMEOUT, REQUEST_WINDOW_BYTES, STREAMS_MAX, answer_peer};
use crate::gateway::Gateway;
use crate::options::Place;
use crate::quiet::Quiet;

const BACKLOG: u32 = 256;
const CONNECTIONS_MAX: usize = 1_024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What of an answer may wait here for a gateway that does not read, beside its window.
const SEND_BYTES_MAX: usize = 64 * 1024;

/// A bound listener.
#[derive(Debug)]
pub struct Listened {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Listened {
    /// Binds within a runtime. The gateway that comes after this one may listen beside it while this one drains.
    pub fn bind(place: &Place) -> io::Result<Self> {
        let mut found = std::net::ToSocketAddrs::to_socket_addrs(&(place.host.as_str(), place.port))?;
        let address = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }
}

/// Accepts until draining begins.
pub async fn accept_peers(listened: Listened, gateway: Arc<Gateway>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut draining = gateway.federation.watch_draining();
    loop {
        let accepted = tokio::select! {
            _ = draining.wait_for(|is_draining| *is_draining) => return,
            accepted = accept_one(&listened.listener, &places) => accepted,
        };
        match accepted {
            Some((stream, place)) => {
                tokio::spawn(serve_stream(stream, place, Arc::clone(&gateway)));
            }
            None => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn accept_one(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some((stream, place))
}

async fn serve_stream(stream: TcpStream, _place: OwnedSemaphorePermit, gateway: Arc<Gateway>) {
    let acceptor = gateway.federation.credentials.as_ref().and_then(|credentials| credentials.acceptor());
    let Some(acceptor) = acceptor else { return };
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await else { return };
    let session = stream.get_ref().1;
    let peer = find_platform(session.peer_certificates().and_then(|chain| chain.first()));
    let Some(peer_id) = peer else { return };
    if session.alpn_protocol() != Some(SERVING) {
        return serve_peer(stream, peer_id, gateway).await;
    }
    let is_child =
        gateway.snapshot().is_some_and(|snapshot| snapshot.neighbours.find_side(&peer_id) == Some(Side::Child));
    if is_child {
        gateway.federation.links.find(&peer_id).drive(stream).await;
    }
}

/// Answers what a platform asks on a connection, whoever dialled it, until it ends or draining begins.
pub async fn serve_peer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer_id: String,
    gateway: Arc<Gateway>,
) {
    let mut draining = gateway.federation.watch_draining();
    let quiet = Arc::new(Quiet::default());
    let peer_id: Arc<str> = peer_id.into();
    let service = service_fn(move |request| {
        let answering = answer_peer(Arc::clone(&gateway), Arc::clone(&peer_id), Arc::clone(&quiet), request);
        // In memory of its own, which is free again once the answer has begun.
        let answering = Box::pin(answering);
        async move { Ok::<_, std::convert::Infallible>(answering.await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(REQUEST_WINDOW_BYTES)
        .initial_connection_window_size(REQUEST_WINDOW_BYTES * 16)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(PING_TIME)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_local_error_reset_streams(None)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = draining.wait_for(|is_draining| *is_draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
