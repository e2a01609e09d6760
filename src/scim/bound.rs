//! The bounds that refuse requests, by the names that the configuration gives them.

/// A key of `[limits]` that refuses what is beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Request header bytes.
    HeaderMaxBytes,
    /// Time for a request header.
    HeaderTimeout,
    /// Request body bytes.
    BodyMaxBytes,
    /// Time for a request body.
    BodyTimeout,
    /// Nesting of a body.
    JsonMaxDepth,
    /// Nesting of a filter.
    FilterMaxDepth,
    /// Comparisons in a filter.
    FilterMaxTerms,
    /// Operations in one PATCH.
    PatchMaxOperations,
    /// Members named or read; `members.max` of a mapping included.
    MembersMax,
    /// Native calls of one request.
    CallsMax,
    /// Time for a request as a whole.
    RequestTimeout,
    /// Native reply bytes.
    ReplyMaxBytes,
    /// Operations in one bulk request.
    BulkMaxOperations,
}

impl Bound {
    /// Every one of them, in the order of the configuration.
    pub const ALL: [Self; 13] = [
        Self::HeaderMaxBytes,
        Self::HeaderTimeout,
        Self::BodyMaxBytes,
        Self::BodyTimeout,
        Self::JsonMaxDepth,
        Self::FilterMaxDepth,
        Self::FilterMaxTerms,
        Self::PatchMaxOperations,
        Self::MembersMax,
        Self::CallsMax,
        Self::RequestTimeout,
        Self::ReplyMaxBytes,
        Self::BulkMaxOperations,
    ];

    /// The name of the key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HeaderMaxBytes => "header_max_bytes",
            Self::HeaderTimeout => "header_timeout",
            Self::BodyMaxBytes => "body_max_bytes",
            Self::BodyTimeout => "body_timeout",
            Self::JsonMaxDepth => "json_max_depth",
            Self::FilterMaxDepth => "filter_max_depth",
            Self::FilterMaxTerms => "filter_max_terms",
            Self::PatchMaxOperations => "patch_max_operations",
            Self::MembersMax => "members_max",
            Self::CallsMax => "calls_max",
            Self::RequestTimeout => "request_timeout",
            Self::ReplyMaxBytes => "reply_max_bytes",
            Self::BulkMaxOperations => "bulk_max_operations",
        }
    }
}
