//! In: `tls` of a backend and its PEM texts. Out: whom a connection trusts, and as whom it shows itself.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::config::secret::Secret;
use crate::config::{BackendTls, ResolvedSecrets};

/// How the other end of a connection is verified.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(crate) config: ClientConfig,
    /// The name on the certificate, where it is not the host.
    pub(crate) server_name: Option<ServerName<'static>>,
}

/// What `tls` of a backend names, decoded: for connections of whoever makes them.
#[derive(Debug)]
pub struct TlsMaterial {
    /// Whom to trust; `None` is whom the system trusts.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// The chain to show, and its private key.
    pub client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl TlsMaterial {
    /// Decodes the PEM texts that the configuration names.
    ///
    /// # Errors
    /// What is not in them, in words of the configuration; never a part of a key.
    pub fn read(tls: &BackendTls, secrets: &ResolvedSecrets) -> io::Result<Self> {
        let text = |index: usize| secrets.get(&index).ok_or_else(|| fault("`tls`: a file is not read"));
        let roots = tls.ca.map(|index| certificates(text(index)?, "ca")).transpose()?;
        let pair =
            |(cert, key)| Ok::<_, io::Error>((certificates(text(cert)?, "client_cert")?, private_key(text(key)?)?));
        Ok(Self { roots, client: tls.client.map(pair).transpose()? })
    }
}

/// Reads what the configuration names; the system's root certificates where it names none.
pub(crate) fn trust(tls: &BackendTls, secrets: &ResolvedSecrets) -> io::Result<Trust> {
    let material = TlsMaterial::read(tls, secrets)?;
    let roots = match material.roots {
        Some(certificates) => given_roots(certificates)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let config = match material.client {
        Some((chain, key)) => {
            // The library's words may hold parts of the key.
            let fault = |_| fault("`client_cert` and `client_key` do not belong together");
            builder.with_client_auth_cert(chain, key).map_err(fault)?
        }
        None => builder.with_no_client_auth(),
    };
    let name = tls.server_name.clone().map(ServerName::try_from).transpose();
    let server_name = name.map_err(|_| fault("`server_name` is not the name of a server"))?;
    Ok(Trust { config, server_name })
}

/// For connections without TLS, by a client that could do with it.
#[cfg(feature = "otlp")]
pub(crate) fn trust_nobody() -> ClientConfig {
    ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
}

/// Whom these certificates vouch for.
fn given_roots(certificates: Vec<CertificateDer<'static>>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|_| fault("`ca` holds a certificate that cannot be used"))?;
    }
    Ok(roots)
}

fn system_roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(fault(&format!("no system root certificates{reason}")));
    }
    Ok(roots)
}

/// The certificates of a PEM text, at least one.
fn certificates(pem: &Secret, key: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(fault(&format!("`{key}` holds no certificate in PEM form"))),
    }
}

/// The private key of a PEM text.
fn private_key(pem: &Secret) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
        .map_err(|_| fault("`client_key` holds no private key in PEM form"))
}

fn fault(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}
