//! TLS 1.3 as both sides of the venue's door use it: what a certificate and a key in files become. No older version, no
//! renegotiation (TLS 1.3 has none), no resumption, no early data: every connection proves everything anew. Knows no socket.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let at = |fault: &dyn std::fmt::Display| format!("{}: {fault}", path.display());
    let read = CertificateDer::pem_file_iter(path).map_err(|error| at(&error))?;
    let all: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| at(&error))?;
    if all.is_empty() { Err(at(&"there is no certificate in it")) } else { Ok(all) }
}

/// What the venue shows to whoever connects.
pub fn server(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has suites of TLS 1.3");
    let mut config = builder.with_no_client_auth().with_single_cert(chain, secret).map_err(|error| {
        format!("{} and {} do not go together: {error}", certificate.display(), key.display())
    })?;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Trusts the certificates of a file, and nobody else: the venue's own, or those who signed it.
pub fn client(trusted: &Path) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(trusted)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", trusted.display()))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has suites of TLS 1.3");
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// A certificate that vouches for itself, for these names and addresses, and its key: both as PEM.
pub fn self_signed(names: &[String]) -> Result<(String, String), String> {
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|error| format!("a certificate cannot be made: {error}"))?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}
