//! What a gateway shows other platforms, and whom it believes: certificates of the configured authorities, whose name in
//! them (SAN URI `keisan://platform/ID`) is who the other side is. TLS 1.3; nothing is resumed, so each connection proves it.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls::{HTTP_2, look_at, read_chain, watch_files};

/// Who dials with it serves what the other side asks.
pub const SERVING: &[u8] = b"keisan-serving/1";
const PLATFORM_URI: &str = "keisan://platform/";

/// PEM files that are read again when they change.
#[derive(Clone, Debug)]
pub struct CredentialFiles {
    pub chain: PathBuf,
    pub key: PathBuf,
    pub authorities: PathBuf,
}

/// What the one who dials will do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Calling,
    Serving,
}

struct Loaded {
    listening: Arc<ServerConfig>,
    calling: Arc<ClientConfig>,
    serving: Arc<ClientConfig>,
}

/// Credentials in force. Connections that are open keep those that they began with.
pub struct Credentials {
    files: CredentialFiles,
    current: ArcSwapOption<Loaded>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Credentials {
    pub const fn new(files: CredentialFiles) -> Self {
        Self { files, current: ArcSwapOption::const_empty() }
    }

    /// Reads the files; the text of the error names the option at fault.
    pub fn load(&self) -> Result<(), String> {
        self.current.store(Some(Arc::new(read_files(&self.files)?)));
        Ok(())
    }

    /// Reads the files, unless they are not there yet: a gateway that its platform gives a certificate may begin without one.
    pub fn load_if_there(&self) -> Result<(), String> {
        let CredentialFiles { chain, key, authorities } = &self.files;
        if [chain, key, authorities].iter().all(|path| path.exists()) { self.load() } else { Ok(()) }
    }

    /// Reads the files again whenever they change. What does not fit together leaves the old ones in force.
    pub async fn watch(self: Arc<Self>) {
        let files = &self.files;
        let look = || [look_at(&files.chain), look_at(&files.key), look_at(&files.authorities)];
        watch_files(look, || self.load().is_ok()).await;
    }

    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        self.current.load().as_ref().map(|loaded| TlsAcceptor::from(Arc::clone(&loaded.listening)))
    }

    pub fn connector(&self, role: Role) -> Option<TlsConnector> {
        let choose = |loaded: &Arc<Loaded>| match role {
            Role::Calling => Arc::clone(&loaded.calling),
            Role::Serving => Arc::clone(&loaded.serving),
        };
        self.current.load().as_ref().map(|loaded| TlsConnector::from(choose(loaded)))
    }
}

fn read_files(files: &CredentialFiles) -> Result<Loaded, String> {
    let blame = |option: &'static str| move |fault: String| format!("federation.{option}: {fault}");
    let chain = read_chain(&files.chain).map_err(blame("certificate_path"))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|fault| blame("certificate_key_path")(fault.to_string()))?;
    if find_platform(chain.first()).is_none() {
        return Err(blame("certificate_path")(format!("expected one that names {PLATFORM_URI}ID, got none")));
    }
    let roots = Arc::new(read_authorities(files).map_err(blame("ca_path"))?);
    let build = |role| build_client(&roots, (chain.clone(), key.clone_key()), role).map_err(blame("certificate_path"));
    let (calling, serving) = (build(HTTP_2)?, build(SERVING)?);
    let listening = build_server(roots, (chain, key.clone_key())).map_err(blame("certificate_path"))?;
    Ok(Loaded { listening: Arc::new(listening), calling: Arc::new(calling), serving: Arc::new(serving) })
}

fn read_authorities(files: &CredentialFiles) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(&files.authorities)? {
        roots.add(certificate).map_err(|fault| fault.to_string())?;
    }
    if roots.is_empty() { Err("expected certificates, got none".to_owned()) } else { Ok(roots) }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn build_server(roots: Arc<RootCertStore>, (chain, key): Identity) -> Result<ServerConfig, String> {
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|fault| fault.to_string())?
        .with_client_cert_verifier(verifier.map_err(|fault| fault.to_string())?)
        .with_single_cert(chain, key)
        .map_err(|fault| fault.to_string())?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), SERVING.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn build_client(roots: &Arc<RootCertStore>, (chain, key): Identity, protocol: &[u8]) -> Result<ClientConfig, String> {
    let provider = Arc::new(default_provider());
    let verifier = PlatformVerifier { roots: Arc::clone(roots), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|fault| fault.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)
        .map_err(|fault| fault.to_string())?;
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Believes the configured authorities. The name that was dialled says nothing: which platform answers is asked afterwards,
/// of its certificate, and a certificate that names none is refused here.
#[derive(Debug)]
struct PlatformVerifier {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PlatformVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        match find_platform(Some(end_entity)) {
            Some(_) => Ok(ServerCertVerified::assertion()),
            None => Err(Error::General("the certificate names no platform".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The platform that a certificate names; none if it names no platform, or two.
pub fn find_platform(certificate: Option<&CertificateDer<'_>>) -> Option<String> {
    let certificate = webpki::EndEntityCert::try_from(certificate?).ok()?;
    let mut names = certificate.valid_uri_names().filter_map(|uri| uri.strip_prefix(PLATFORM_URI));
    let name = names.next().filter(|name| is_platform_id(name))?;
    names.next().is_none().then(|| name.to_owned())
}

/// The hash of a platform's first key, in hex.
fn is_platform_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
