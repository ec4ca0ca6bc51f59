//! TLS from files that are read again when they change: a listener's certificates, and the roots that doors are checked
//! against. Connections that are open keep what they began with, so a rotation ends no call.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::options::CertificateFiles;

const FILE_LOOK_TIME: Duration = Duration::from_secs(1);
pub const HTTP_2: &[u8] = b"h2";

/// What a file looked like when it was read.
pub type Look = Option<(SystemTime, u64)>;

pub fn look_at(path: &Path) -> Look {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

/// Calls `read` whenever what `look` sees has changed, until it says that it could use what is there.
pub async fn watch_files<L: PartialEq>(look: impl Fn() -> L, read: impl Fn() -> bool) {
    let mut seen = look();
    loop {
        tokio::time::sleep(FILE_LOOK_TIME).await;
        let now = look();
        if now != seen && read() {
            seen = now;
        }
    }
}

/// Certificates in force.
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
        let look = || [look_at(&self.files.chain), look_at(&self.files.key)];
        let read = || read_certificates(&self.files).map(|config| self.current.store(Arc::new(config))).is_ok();
        watch_files(look, read).await;
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read_certificates(files: &CertificateFiles) -> Result<ServerConfig, String> {
    let chain = read_chain(&files.chain).map_err(|fault| format!("certificate_path: {fault}"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|fault| format!("certificate_key_path: {fault}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| format!("certificate_path: {fault}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|fault| format!("certificate_path: {fault}"))?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    chain.map_err(|fault| fault.to_string())
}

/// The roots in force; without a file no door that speaks TLS is trusted.
#[derive(Debug)]
pub struct Roots {
    path: Option<PathBuf>,
    current: ArcSwapOption<ClientConfig>,
}

impl Roots {
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self { path, current: ArcSwapOption::const_empty() }
    }

    pub fn load(&self) -> Result<(), String> {
        if let Some(path) = &self.path {
            let config = read_roots(path).map_err(|fault| format!("upstream_ca_path: {fault}"))?;
            self.current.store(Some(Arc::new(config)));
        }
        Ok(())
    }

    /// Reads the file again whenever it changes. One that cannot be used leaves the old roots in force.
    pub async fn watch(self: Arc<Self>) {
        if let Some(path) = &self.path {
            watch_files(|| look_at(path), || self.load().is_ok()).await;
        }
    }

    pub fn connector(&self) -> Option<TlsConnector> {
        self.current.load_full().map(TlsConnector::from)
    }
}

fn read_roots(path: &Path) -> Result<ClientConfig, String> {
    trust(read_chain(path)?)
}

/// Trusts what stands in a text (PEM), and nobody else.
pub fn read_trust(text: &str) -> Result<TlsConnector, String> {
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let config = trust(chain.map_err(|fault| fault.to_string())?)?;
    Ok(TlsConnector::from(Arc::new(config)))
}

fn trust(certificates: Vec<CertificateDer<'static>>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|fault| fault.to_string())?;
    }
    if roots.is_empty() {
        return Err("expected certificates, got none".to_owned());
    }
    let builder: ConfigBuilder<ClientConfig, WantsClientCert> =
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|fault| fault.to_string())?
            .with_root_certificates(roots);
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![HTTP_2.to_vec()];
    Ok(config)
}

/// Tells whether both sides settled on HTTP/2.
pub fn is_http_2(protocol: Option<&[u8]>) -> bool {
    protocol == Some(HTTP_2)
}
