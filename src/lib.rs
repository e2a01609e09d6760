//! scimshim: a reverse-proxy sidecar that makes an application SCIM-capable by configuration alone.

pub mod dialect;
pub mod scim;
