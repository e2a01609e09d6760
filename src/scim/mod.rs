//! The vocabulary of RFC 7643 and RFC 7644: attribute paths, filters, PATCH, schemas, resources, errors.
//!
//! In: text and JSON that already passed the size bounds of the edge. Out: typed values in canonical form (attribute
//! names and schema URNs in the spelling of the schema). This module knows no tenant, no identity provider's habits
//! and no native API.

pub mod attr_path;
pub mod error;
pub mod filter;
pub mod patch;
pub mod resource;
pub mod schema;

pub use attr_path::{AttrPath, PathError, Resolved, Target};
pub use error::{ScimError, ScimType};
pub use filter::Filter;
pub use patch::{PatchOp, PatchPath};
pub use resource::Resource;
pub use schema::{Attribute, AttributeType, ResourceType, Schema};
