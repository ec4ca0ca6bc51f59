//! Accepts connections: TCP without delay, TLS if there are certificates, HTTP/1.1 and HTTP/2, a graceful end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::gateway::Gateway;
use crate::options::CertificateFiles;
use crate::server::answer;

/// What a connection may buffer of one head or one read.
const READ_BYTES_MAX: usize = 64 * 1024;
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// After a fault of accepting (no descriptors left, say), how long until it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const CERTIFICATE_LOOK_TIME: Duration = Duration::from_secs(1);

/// Certificates in force, and what their files looked like when they were read.
pub struct Certificates {
    files: CertificateFiles,
    current: ArcSwap<ServerConfig>,
}

impl Certificates {
    pub fn load(files: CertificateFiles) -> Result<Arc<Self>, String> {
        let current = ArcSwap::from_pointee(read_certificates(&files)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again whenever they change. A pair that does not fit leaves the old one in force.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.look();
        loop {
            tokio::time::sleep(CERTIFICATE_LOOK_TIME).await;
            let now = self.look();
            if now != seen
                && let Ok(config) = read_certificates(&self.files)
            {
                self.current.store(Arc::new(config));
                seen = now;
            }
        }
    }

    fn look(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.files.chain, &self.files.key].map(|path| {
            let facts = std::fs::metadata(path).ok()?;
            Some((facts.modified().ok()?, facts.len()))
        })
    }
}

fn read_certificates(files: &CertificateFiles) -> Result<ServerConfig, String> {
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|fault| format!("certificate_path: {fault}"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|fault| format!("certificate_key_path: {fault}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| format!("certificate_path: {fault}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|fault| format!("certificate_path: {fault}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What the connections of a listener share.
pub struct Listening {
    pub gateway: Arc<Gateway>,
    pub certificates: Option<Arc<Certificates>>,
    pub draining: watch::Receiver<bool>,
}

/// Accepts until draining begins, then lets go of the port.
pub async fn accept_connections(listener: TcpListener, listening: Arc<Listening>) {
    let most = usize::try_from(listening.gateway.limits().connections_max).unwrap_or(Semaphore::MAX_PERMITS);
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
struct OpenConnection(Arc<Gateway>);

impl OpenConnection {
    fn open(gateway: &Arc<Gateway>) -> Self {
        gateway.metrics.connections.add(1);
        gateway.open_connections.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(gateway))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn serve_stream(stream: TcpStream, _place: OwnedSemaphorePermit, listening: Arc<Listening>) {
    let _open = OpenConnection::open(&listening.gateway);
    let Some(certificates) = &listening.certificates else {
        return serve_connection(stream, &listening).await;
    };
    let acceptor = TlsAcceptor::from(certificates.current.load_full());
    let time = Duration::from_secs(listening.gateway.limits().head_read_timeout_s);
    if let Ok(Ok(stream)) = tokio::time::timeout(time, acceptor.accept(stream)).await {
        serve_connection(stream, &listening).await;
    }
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, listening: &Listening) {
    let builder = build_protocols(listening.gateway.limits().head_read_timeout_s);
    let service = service_fn(|request| {
        let gateway = Arc::clone(&listening.gateway);
        async move { Ok::<_, std::convert::Infallible>(answer(gateway, request).await) }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut draining = listening.draining.clone();
    // A fault of the connection ends it; the calls on it see their bodies dropped.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = draining.wait_for(|is_draining| *is_draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn build_protocols(head_read_timeout_s: u64) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(head_read_timeout_s))
        .max_buf_size(READ_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    builder
}
