//! One row of the attribute table.

use std::sync::Arc;

use serde_json::Value;

use crate::expr::{Expr, Template};
use crate::scim::{AttrPath, AttributeType};

use super::{Codec, NativePath, Origin};

/// One row: a SCIM attribute and where it lives natively.
#[derive(Clone, Debug)]
pub struct Row {
    /// The SCIM side.
    pub target: Target,
    /// The native side.
    pub source: Source,
    /// Directions.
    pub access: Access,
    /// Sent on create.
    pub on_create: bool,
    /// Sent on update.
    pub on_update: bool,
    /// Fills an absent value on create.
    pub default: Option<Template>,
    /// How "unassigned" looks natively.
    pub omit: Omit,
    /// A resource must have it.
    pub required: bool,
    /// A `mirror` row that disagrees is ignored instead of refused; the author's reason.
    pub lossy: Option<String>,
    /// Its place.
    pub origin: Origin,
}

/// The SCIM side of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Attribute, and sub-attribute if one is meant.
    pub path: AttrPath,
    /// For an element of a multi-valued attribute: sub-attributes it is recognised by (`type` = `work`).
    pub selector: Vec<(Arc<str>, Value)>,
    /// Data type of the value.
    pub kind: AttributeType,
    /// Whether the row is a whole multi-valued attribute.
    pub multi_valued: bool,
    /// Whether case counts when values are compared.
    pub case_exact: bool,
}

/// The native side of a row.
#[derive(Clone, Debug)]
pub enum Source {
    /// A native path through codecs, written left to right.
    Native {
        /// Where.
        path: NativePath,
        /// How.
        codec: Vec<Codec>,
    },
    /// Expressions.
    Computed {
        /// Where `write` goes.
        path: Option<NativePath>,
        /// Native to SCIM, over `native` and `id`.
        read: Option<Expr>,
        /// SCIM to native, over `scim` and `native`.
        write: Option<Expr>,
    },
    /// A second SCIM attribute over another row's value.
    Mirror {
        /// Index of that row.
        row: usize,
    },
}

/// Directions of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and written.
    Both,
    /// Ignored in POST and PUT, 400 `mutability` in PATCH.
    Read,
    /// Never returned.
    Write,
    /// Set on creation, unchangeable afterwards.
    Create,
    /// A write that agrees with the primary row is accepted, another refused.
    Mirror,
}

/// How "unassigned" looks natively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omit {
    /// JSON null.
    Null,
    /// The key is left out.
    Absent,
    /// The empty string, or the empty list for a multi-valued row.
    Empty,
    /// There is no unassigned state: an omission keeps the value, a removal writes the default or is refused.
    Keep,
}
