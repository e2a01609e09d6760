//! The adapter in this process, for tests of the whole stack.

use std::net::SocketAddr;

use scimshim::demo::sidecar::Setup;
pub use scimshim::demo::sidecar::Sidecar;

/// The token of the provisioning client.
pub const SCIM_TOKEN: &str = "scim-token-for-tests";
/// The key of the application.
pub const APP_KEY: &str = "application-key-for-tests";

/// Serves a configuration on a port of its own.
pub async fn sidecar(text: &str) -> Sidecar {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let setup = Setup { name: "config.toml".to_owned(), text: text.to_owned(), listen, upstream: None };
    let environment = |name: &str| match name {
        "SCIM_TOKEN" => Some(SCIM_TOKEN.to_owned()),
        "ACME_KEY" => Some(APP_KEY.to_owned()),
        _ => None,
    };
    Sidecar::start(setup, environment).await.unwrap_or_else(|error| panic!("{error}"))
}
