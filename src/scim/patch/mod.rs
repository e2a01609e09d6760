//! PATCH operations (RFC 7644 3.5.2) in canonical form, and what can be done with them.
//!
//! The `dialect` stage turns what clients send into these: every operation has a path that names one attribute, every
//! value has the type of its attribute, path-less operations have become one operation per attribute. [`apply()`] runs
//! them on a resource; [`touched`] and [`member_change`] say what they ask for without one.

mod apply;
mod elements;
mod members;
mod path;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::attr_path::AttrPath;
use super::filter::Filter;

pub use apply::apply;
pub(crate) use elements::{Added, Elements};
pub use members::{MemberChange, is_clear, member_change, touched};
pub use path::{ParsedPath, PatchPathError, PatchTarget, parse};

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
    /// RFC 7644 3.5.2.3. A complex value merges into a complex attribute.
    Replace {
        /// Target.
        path: PatchPath,
        /// Value, never null: clearing is `Remove`. Only for a multi-valued attribute as a whole may it be `[]`: the
        /// client has said that the list is to be empty, which a bare `Remove` of a membership does not say clearly
        /// enough (see [`is_clear`]).
        value: Value,
    },
    /// RFC 7644 3.5.2.2.
    Remove {
        /// Target.
        path: PatchPath,
    },
    /// Removes the elements that equal one of the given values: the same `value` and not another `type`, or, without
    /// a `value`, all else equal. No RFC form; the canonical form of what Entra and others send as `remove` with a value list.
    RemoveElements {
        /// A multi-valued attribute without sub-attribute. With a filter, only elements that satisfy it are removed.
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
