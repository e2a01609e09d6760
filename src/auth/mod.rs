//! Stage 3: who is asking.
//!
//! In: the `Authorization` header of a request and the hashes of the tokens a route accepts. Out: a [`Principal`], or
//! an [`AuthFailure`] that knows its challenge. Secrets are read elsewhere; after [`TokenHash::parse`] nothing here
//! holds a token.

mod bearer;
mod expiry;

use std::sync::Arc;

pub use bearer::{BearerVerifier, TOKEN_MAX_BYTES, TokenError, TokenHash};
pub use expiry::jwt_expiry;

/// `[auth.<name>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// Its name: label of metrics and logs.
    pub name: Arc<str>,
    /// What it asks for.
    pub kind: AuthKind,
    /// Id of the user resource it belongs to, which `/Me` names (RFC 7644 3.11).
    pub user: Option<String>,
    /// What is known of each of its tokens, in their order.
    pub tokens: Vec<TokenFacts>,
}

/// What the configuration says about a token, besides where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// What it is called: label of metrics, and never the token.
    pub name: Arc<str>,
    /// Seconds since 1970 at which it expires.
    pub expires: Option<i64>,
}

/// Kinds of inbound authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// A bearer token (RFC 6750), one of several, so that a new one can be handed out before the old one goes.
    Bearer {
        /// Indices into the snapshot's secrets.
        tokens: Vec<usize>,
    },
    /// Nothing: whoever reaches the listener may provision.
    None,
}

/// Who a request comes from, for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the authenticator, or `anonymous`.
    pub name: Arc<str>,
    /// Which of its credentials was used, counted from 0 in configuration order; `None` where there are none.
    pub credential: Option<usize>,
}

impl Principal {
    /// Whoever reaches a route that asks for no credential.
    pub fn anonymous() -> Self {
        Self { name: Arc::from("anonymous"), credential: None }
    }
}

/// Why a request is not authenticated. The answer is 401 in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthFailure {
    /// No credential was sent.
    #[error("send the token of this service in the Authorization header: Bearer TOKEN")]
    Missing,
    /// What was sent is not a bearer token.
    #[error("the Authorization header is not of the form: Bearer TOKEN")]
    Malformed,
    /// The token is not one of those accepted here.
    #[error("the token is not valid for this base URL")]
    Unknown,
}

impl AuthFailure {
    /// Every reason, so that its counter exists before it happens.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Malformed, Self::Unknown];

    /// HTTP status of the answer.
    pub const STATUS: u16 = 401;

    /// Value of `WWW-Authenticate` (RFC 6750 3): the error code only where something was sent.
    pub fn challenge(self) -> &'static str {
        match self {
            Self::Missing => r#"Bearer realm="scim""#,
            Self::Malformed | Self::Unknown => r#"Bearer realm="scim", error="invalid_token""#,
        }
    }

    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
        }
    }
}
