//! PATCH operations (RFC 7644 3.5.2) in canonical form.
//!
//! The `dialect` stage turns what clients send into these: every operation has a path that names one attribute, every
//! value has the type of its attribute, path-less operations have become one operation per attribute.

use serde_json::Value;

use super::attr_path::AttrPath;
use super::filter::Filter;

/// One canonical operation.
#[derive(Clone, Debug, PartialEq)]
pub enum PatchOp {
    /// RFC 7644 3.5.2.1. Adding to a multi-valued attribute appends what is not there yet; a complex value merges.
    Add {
        /// Target.
        path: PatchPath,
        /// Value, never null.
        value: Value,
    },
    /// RFC 7644 3.5.2.3. A complex value merges into a complex attribute; a null sub-attribute in it clears that one.
    Replace {
        /// Target.
        path: PatchPath,
        /// Value, never null (clearing is `Remove`).
        value: Value,
    },
    /// RFC 7644 3.5.2.2.
    Remove {
        /// Target.
        path: PatchPath,
    },
    /// Removes the elements that equal one of the given values (compared by `value` where both have one). No RFC
    /// form; the canonical form of what Entra and others send as `remove` with a value list.
    RemoveElements {
        /// A multi-valued attribute without filter or sub-attribute.
        path: PatchPath,
        /// Elements in canonical form.
        values: Vec<Value>,
    },
}

/// `attribute[filter].sub`.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchPath {
    /// Attribute and, without a filter or behind it, the sub-attribute.
    pub attr: AttrPath,
    /// Value filter between the two; only on multi-valued attributes.
    pub filter: Option<Filter>,
}

impl PatchOp {
    /// The path of the operation.
    pub fn path(&self) -> &PatchPath {
        match self {
            Self::Add { path, .. }
            | Self::Replace { path, .. }
            | Self::Remove { path }
            | Self::RemoveElements { path, .. } => path,
        }
    }
}
