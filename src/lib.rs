//! scimshim: a reverse-proxy sidecar that makes an application SCIM-capable by configuration alone.

pub mod scim;

#[cfg(feature = "server")]
pub mod demo;
