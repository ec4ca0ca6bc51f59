//! Certificates for "localhost" and 127.0.0.1, made on the spot.

use std::path::Path;

use tokio_rustls::rustls::pki_types::CertificateDer;

/// Writes `chain.pem` and `key.pem`, as one who renews a certificate does.
pub fn write_certificate(directory: &Path) -> CertificateDer<'static> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("chain.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}
