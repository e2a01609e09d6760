//! The error contract towards the provisioning client (RFC 7644 3.12).
//!
//! Every stage has its own small error; what the client reads is always a [`ScimError`].

use serde_json::{Value, json};

use super::bound::Bound;

/// The schema URN of an error body.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// An error as the provisioning client sees it.
///
/// ```
/// use scimshim::scim::{ScimError, ScimType};
/// let error = ScimError::new(400, "title holds one value").with_type(ScimType::InvalidValue);
/// assert_eq!(error.to_json()["status"], "400");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimError {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// The detail keyword of RFC 7644 table 9, where one applies.
    pub scim_type: Option<ScimType>,
    /// What the administrator of the identity provider can do about it. Never holds a secret or an upstream body.
    pub detail: String,
    /// Seconds for `Retry-After`, where waiting helps.
    pub retry_after: Option<u64>,
    /// Whose fault it is: the label of the metric.
    pub side: Side,
    /// The bound that was reached, if that is why.
    pub bound: Option<Bound>,
}

/// Which side caused an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The provisioning client sent something that cannot be done.
    Downstream,
    /// The native API failed or refused.
    Upstream,
    /// The adapter or its mapping is at fault.
    Internal,
}

impl Side {
    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// `scimType` of RFC 7644 3.12, table 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter could not be parsed, or names an attribute or comparison that is not supported.
    InvalidFilter,
    /// The request would return or change more than the server is willing to process.
    TooMany,
    /// A value is already in use or reserved.
    Uniqueness,
    /// The attribute cannot be changed like this (readOnly, immutable).
    Mutability,
    /// The body does not have the structure of the request.
    InvalidSyntax,
    /// The path of a PATCH operation is malformed or names nothing.
    InvalidPath,
    /// The path of a PATCH operation matched nothing that could be changed.
    NoTarget,
    /// A required value is missing, or a value does not fit the attribute.
    InvalidValue,
    /// The protocol version of the request is not supported.
    InvalidVers,
    /// The request carries sensitive data in its URI.
    Sensitive,
    /// The cursor of RFC 9865 is malformed, forged or belongs to another query.
    InvalidCursor,
    /// The cursor of RFC 9865 is too old.
    ExpiredCursor,
    /// The page size is refused (RFC 9865).
    InvalidCount,
}

impl ScimType {
    /// The keyword on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }

    /// The keyword as a mapping author writes it in an error rule.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Every keyword, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::InvalidFilter,
        Self::TooMany,
        Self::Uniqueness,
        Self::Mutability,
        Self::InvalidSyntax,
        Self::InvalidPath,
        Self::NoTarget,
        Self::InvalidValue,
        Self::InvalidVers,
        Self::Sensitive,
        Self::InvalidCursor,
        Self::ExpiredCursor,
        Self::InvalidCount,
    ];
}

// Cold, so that code that makes an error is kept apart from code that runs for every request.
impl ScimError {
    /// An error of the downstream side (400 to 499) or the upstream side (500 and above).
    #[cold]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        let side = if status < 500 { Side::Downstream } else { Side::Upstream };
        Self { status, scim_type: None, detail: detail.into(), retry_after: None, side, bound: None }
    }

    /// 400 with the given keyword.
    #[cold]
    pub fn bad_request(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self::new(400, detail).with_type(scim_type)
    }

    /// 400 `invalidValue`.
    #[cold]
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidValue, detail)
    }

    /// 400 `invalidSyntax`.
    #[cold]
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidSyntax, detail)
    }

    /// 400 `invalidPath`.
    #[cold]
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidPath, detail)
    }

    /// 400 `invalidFilter`.
    #[cold]
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidFilter, detail)
    }

    /// 400 `noTarget`.
    #[cold]
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::NoTarget, detail)
    }

    /// 400 `mutability`.
    #[cold]
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::Mutability, detail)
    }

    /// 400 `tooMany`.
    #[cold]
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::TooMany, detail)
    }

    /// 413 for a request that names more than the service provider takes at once. RFC 7644 keeps `tooMany` for queries.
    #[cold]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(413, detail)
    }

    /// 409 `uniqueness`.
    #[cold]
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::new(409, detail).with_type(ScimType::Uniqueness)
    }

    /// 404 for a resource id that names nothing.
    #[cold]
    pub fn not_found(resource_type: &str, id: &str) -> Self {
        Self::new(404, format!("{resource_type} {id} not found"))
    }

    /// 500 for a fault of the mapping or the adapter itself.
    #[cold]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self { side: Side::Internal, ..Self::new(500, detail) }
    }

    /// Adds the `scimType` keyword.
    #[must_use]
    pub fn with_type(mut self, scim_type: ScimType) -> Self {
        self.scim_type = Some(scim_type);
        self
    }

    /// Names the bound that was reached.
    #[must_use]
    pub fn with_bound(mut self, bound: Bound) -> Self {
        self.bound = Some(bound);
        self
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The body of RFC 7644 3.12; `status` is a string there.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(object)) = (self.scim_type, body.as_object_mut()) {
            object.insert("scimType".to_owned(), Value::from(scim_type.as_str()));
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_parses_back() {
        for kind in ScimType::ALL {
            assert_eq!(ScimType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(ScimType::parse("invalidvalue"), None);
    }

    #[test]
    fn status_is_a_string_and_the_keyword_is_optional() {
        assert_eq!(
            ScimError::not_found("User", "7").to_json(),
            json!({"schemas": [ERROR_SCHEMA], "status": "404", "detail": "User 7 not found"})
        );
        assert_eq!(ScimError::uniqueness("taken").to_json()["scimType"], "uniqueness");
    }
}
