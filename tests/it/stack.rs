//! The adapter in this process, for tests of the whole stack.

use std::net::SocketAddr;

pub(crate) use scimshim::demo::sidecar::Sidecar;
use scimshim::demo::sidecar::{Setup, SidecarError};

/// The token of the provisioning client.
pub(crate) const SCIM_TOKEN: &str = "scim-token-for-tests";
/// The key of the application.
pub(crate) const APP_KEY: &str = "application-key-for-tests";

/// Serves a configuration on a port of its own.
pub(crate) async fn sidecar(text: &str) -> Sidecar {
    sidecar_at(text, None).await
}

/// The same in front of another application than the configuration says.
pub(crate) async fn sidecar_at(text: &str, upstream: Option<String>) -> Sidecar {
    start(text, upstream).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A configuration that may be refused.
pub(crate) async fn try_sidecar(text: &str) -> Result<Sidecar, SidecarError> {
    start(text, None).await
}

async fn start(text: &str, upstream: Option<String>) -> Result<Sidecar, SidecarError> {
    let setup = Setup {
        file: "config.toml".into(),
        text: text.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        upstream,
        variables: vec![("SCIM_TOKEN", SCIM_TOKEN.to_owned()), ("ACME_KEY", APP_KEY.to_owned())],
        expires: None,
    };
    Sidecar::start(setup).await
}
