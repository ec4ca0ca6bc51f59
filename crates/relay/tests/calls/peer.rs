//! Another platform's gateway as a test plays it: its certificate, its connection, and what it says, also what it should not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An authority with its certificate in a folder.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    pub path: PathBuf,
}

/// A certificate and its key as files.
#[derive(Clone)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub authorities: PathBuf,
}

impl Authority {
    pub fn create(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let path = folder.join(format!("{name}.ca.pem"));
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder: folder.to_owned(), path }
    }

    /// Writes a certificate with these names in it.
    pub fn issue(&self, uris: &[&str], is_over: bool) -> Files {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["gateway.example".to_owned()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        if is_over {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        }
        let number = std::fs::read_dir(&self.folder).unwrap().count();
        let (certificate, key_path) =
            (self.folder.join(format!("{number}.pem")), self.folder.join(format!("{number}.key")));
        std::fs::write(&certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        Files { certificate, key: key_path, authorities: self.path.clone() }
    }

    pub fn issue_to(&self, platform_id: &str) -> Files {
        self.issue(&[&format!("keisan://platform/{platform_id}")], false)
    }
}

/// A connection to a gateway's place for other platforms.
pub struct Peer(http2::SendRequest<Full<Bytes>>);

/// What was answered: status, code and text.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub code: Option<String>,
    pub text: String,
}

impl Peer {
    /// Nothing if the gateway does not let it in.
    pub async fn connect(address: &str, files: Option<&Files>, authorities: &Path) -> Option<Self> {
        Self::connect_as(address, files, authorities, b"h2").await
    }

    pub async fn connect_as(address: &str, files: Option<&Files>, authorities: &Path, protocol: &[u8]) -> Option<Self> {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(build_config(files, authorities, protocol)));
        let stream = connector.connect(ServerName::try_from("gateway.example").unwrap(), stream).await.ok()?;
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
        tokio::spawn(async move { drop(connection.await) });
        // TLS 1.3 tells a client only afterwards that its certificate was refused.
        let request = Request::get("https://gateway.example/keisan/echo").body(Full::default()).unwrap();
        sender.send_request(request).await.ok()?;
        Some(Self(sender))
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Option<Answer> {
        self.0.ready().await.ok()?;
        let response = self.0.send_request(request).await.ok()?;
        let code = response.headers().get("keisan-call-code").map(|code| code.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.ok()?.to_bytes();
        Some(Answer { status, code, text: String::from_utf8(text.to_vec()).unwrap() })
    }

    pub async fn ask(&mut self, block: &Value, body: impl Into<Bytes>) -> Answer {
        self.send(build_call(&block.to_string(), body)).await.expect("an answer")
    }

    /// The code of the refusal of a call.
    pub async fn refuse(&mut self, block: &Value) -> String {
        let answer = self.ask(block, crate::stage::chat_body(&json!({}))).await;
        answer.code.unwrap_or_else(|| format!("{} {}", answer.status, answer.text))
    }
}

pub fn build_call(block: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("https://gateway.example/v1/chat/completions").header("keisan-call", block);
    request.body(Full::new(body.into())).unwrap()
}

fn build_config(files: Option<&Files>, authorities: &Path, protocol: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authorities).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match files {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let chain = vec![CertificateDer::from_pem_file(&files.certificate).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.key).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}
