//! scimshim: a reverse-proxy sidecar that makes an application SCIM-capable by configuration alone.

#[cfg(feature = "server")]
pub mod config {
    //! Configuration.
    pub mod reload;
}
#[cfg(feature = "server")]
pub mod proxy;
pub mod scim;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod telemetry;
