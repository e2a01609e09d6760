//! How the application's certificate is verified where requests pass through, and as whom we show ourselves.
//!
//! In: certificates and keys as decoded. Out: the forms in which the proxy library takes them. It looks at them when it
//! connects and panics at what it cannot read, so that they are looked at here first.

use std::fmt;
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// TLS to the application.
#[derive(Clone, Default)]
pub struct UpstreamTls {
    server_name: Option<String>,
    roots: Option<Arc<CaType>>,
    client: Option<Arc<CertKey>>,
}

impl UpstreamTls {
    /// `server_name` is the name on the certificate, where it is not the host; `roots` are trusted instead of the
    /// system's; `client` is the chain that is shown, and its private key.
    ///
    /// # Errors
    /// Which of them cannot be used; never a part of a key.
    pub fn new(
        server_name: Option<String>,
        roots: Option<Vec<CertificateDer<'static>>>,
        client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Result<Self, TlsFault> {
        let roots = roots.map(|roots| readable(roots, TlsFault::Root)).transpose()?;
        let roots = roots.map(|roots| roots.into_iter().map(|root| WrappedX509::new(root, parse_x509)).collect());
        let client = client.map(|(chain, key)| {
            let key = key.secret_der().to_vec();
            // The kind of the key is guessed again from its bytes.
            PrivateKeyDer::try_from(key.as_slice()).map_err(|_| TlsFault::Key)?;
            Ok(Arc::new(CertKey::new(readable(chain, TlsFault::Chain)?, key)))
        });
        Ok(Self { server_name, roots, client: client.transpose()? })
    }

    /// A peer whose certificate is verified so.
    pub(super) fn peer(&self, address: std::net::SocketAddr, host: &str) -> HttpPeer {
        let name = self.server_name.clone().unwrap_or_else(|| host.to_owned());
        let mut peer = HttpPeer::new(address, true, name);
        peer.options.ca.clone_from(&self.roots);
        peer.client_cert_key.clone_from(&self.client);
        peer
    }
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// What of `tls` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// A certificate of `ca`.
    #[error("`ca` holds a certificate that cannot be used")]
    Root,
    /// A certificate of `client_cert`.
    #[error("`client_cert` holds a certificate that cannot be used")]
    Chain,
    /// `client_key`.
    #[error("`client_key` holds a private key that cannot be used")]
    Key,
}

fn readable(certificates: Vec<CertificateDer<'static>>, fault: TlsFault) -> Result<Vec<Vec<u8>>, TlsFault> {
    let readable = |der: CertificateDer<'static>| {
        x509_parser::parse_x509_certificate(&der).map_err(|_| fault)?;
        Ok(der.to_vec())
    };
    let found: Vec<Vec<u8>> = certificates.into_iter().map(readable).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(fault) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_the_library_could_not_read_is_refused_before_it_looks() {
        let broken = || vec![CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])];
        let key = || PrivateKeyDer::Pkcs8(vec![1, 2, 3].into());
        let fault = |roots, client| UpstreamTls::new(None, roots, client).map(drop).unwrap_err();
        assert_eq!(fault(Some(broken()), None), TlsFault::Root);
        assert_eq!(fault(Some(Vec::new()), None), TlsFault::Root);
        assert_eq!(fault(None, Some((broken(), key()))), TlsFault::Key);
        let real = || PrivateKeyDer::from_pem_slice(include_bytes!("../../tests/tls/adapter.key")).unwrap();
        assert_eq!(fault(None, Some((broken(), real()))), TlsFault::Chain);
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../../tests/tls/adapter.pem")).unwrap();
        let chain = vec![certificate];
        let tls =
            UpstreamTls::new(Some("app.internal".to_owned()), Some(chain.clone()), Some((chain, real()))).unwrap();
        let peer = tls.peer("127.0.0.1:443".parse().unwrap(), "app.example");
        assert_eq!(peer.sni, "app.internal");
        assert!(peer.options.ca.is_some() && peer.client_cert_key.is_some());
        assert_eq!(format!("{tls:?}"), "UpstreamTls { server_name: Some(\"app.internal\"), .. }");
    }
}
