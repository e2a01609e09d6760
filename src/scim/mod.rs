//! The vocabulary of RFC 7643 and RFC 7644: attribute paths, filters, PATCH, schemas, resources, errors.
//!
//! In: text and JSON that already passed the size bounds of the edge. Out: typed values in canonical form (attribute
//! names and schema URNs in the spelling of the schema). This module knows no tenant, no identity provider's habits
//! and no native API.

pub mod attr_path;
mod bound;
pub mod compare;
mod convert;
pub mod digest;
pub mod discovery;
pub mod equality;
pub mod error;
pub mod filter;
pub mod list;
pub mod patch;
pub mod projection;
pub mod query;
pub mod resource;
pub mod schema;
pub mod sort;

pub use attr_path::{AttrPath, PathError, Resolved, Target};
pub use bound::Bound;
pub use equality::values_equal;
pub use error::{ScimError, ScimType};
pub use filter::{Filter, FilterError, FilterLimits, FilterRepair};
pub use list::{ListResponse, Listing};
pub use patch::{PatchOp, PatchPath};
pub use projection::{Projection, set_schemas};
pub use query::{ListQuery, QueryError, QueryLimits};
pub use resource::Resource;
pub use schema::{Attribute, AttributeType, ResourceType, Schema};
pub use sort::{Sort, SortOrder};
