//! Schemas and resource types (RFC 7643 sections 2, 6 and 7) as data.
//!
//! A [`ResourceType`] knows two views of itself: everything that may appear in a request (`schema`, `extensions`: the
//! full RFC definitions plus declared custom ones), and, in `announced`, the part that the loaded mapping can really
//! hold, which is what discovery shows.
//!
//! The definitions of the RFC are in `rfc`, the builder they are written with in `build`, discovery documents in `json`. Nothing here reads a request.

mod build;
mod json;
mod rfc;

use std::sync::Arc;

pub use json::{RESOURCE_TYPE_SCHEMA, SCHEMA_SCHEMA};
pub use rfc::{
    CORE_1_SCHEMA, ENTERPRISE_1_SCHEMA, ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA, common_attributes,
    enterprise_schema, group_type, user_type,
};

/// One attribute definition (RFC 7643 section 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Name in its canonical spelling.
    pub name: Arc<str>,
    /// Data type.
    pub kind: AttributeType,
    /// Whether values form a list.
    pub multi_valued: bool,
    /// Human-readable text for discovery.
    pub description: String,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether string comparison regards case.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it appears in answers.
    pub returned: Returned,
    /// How far values must be unique.
    pub uniqueness: Uniqueness,
    /// Suggested values, in order.
    pub canonical_values: Vec<String>,
    /// For references: the resource types, or `uri`, `external`.
    pub reference_types: Vec<String>,
    /// Sub-attributes of a complex attribute.
    pub sub_attributes: Vec<Attribute>,
}

/// Data types of RFC 7643 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// UTF-8 text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A real number.
    Decimal,
    /// A whole number.
    Integer,
    /// RFC 3339 date and time.
    DateTime,
    /// Base64 text.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// RFC 7643 section 7, `mutability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// Set by the service provider alone.
    ReadOnly,
    /// May be changed at any time.
    ReadWrite,
    /// Set on creation, unchangeable afterwards.
    Immutable,
    /// May be set, is never returned.
    WriteOnly,
}

/// RFC 7643 section 7, `returned`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Returned {
    /// In every answer, whatever was asked for.
    Always,
    /// Never.
    Never,
    /// Unless it was excluded or others were asked for.
    Default,
    /// Only when asked for by name.
    Request,
}

/// RFC 7643 section 7, `uniqueness`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// No constraint.
    None,
    /// Unique within the endpoint.
    Server,
    /// Unique everywhere.
    Global,
}

/// A schema: a URN and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The URN in its canonical spelling.
    pub id: Arc<str>,
    /// Short name, such as `User`.
    pub name: String,
    /// Human-readable text.
    pub description: String,
    /// Attributes in order of definition.
    pub attributes: Vec<Attribute>,
}

/// A resource type (RFC 7643 section 6) with everything that may appear in its resources.
///
/// The common attributes `schemas`, `id`, `externalId` and `meta` are looked up through [`common_attributes`], not
/// repeated in every schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// `User`, `Group`, or a declared name.
    pub name: Arc<str>,
    /// Path below the base, with a leading slash: `/Users`.
    pub endpoint: Arc<str>,
    /// Human-readable text.
    pub description: String,
    /// The core schema, in full.
    pub schema: Schema,
    /// Known extensions, in full.
    pub extensions: Vec<Schema>,
    /// What the mapping can hold: core schema first, then extensions. Subset of the above with mutability and other
    /// characteristics adjusted to the mapping. Empty until a mapping is compiled.
    pub announced: Vec<Schema>,
}

impl Schema {
    /// The attribute of that name, compared without case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

impl ResourceType {
    /// The schemas that answers follow: the announced ones once a mapping is compiled, else all, core first.
    pub fn effective_schemas(&self) -> impl Iterator<Item = &Schema> {
        let full = self.announced.is_empty();
        let (core, extensions) = if full { (Some(&self.schema), &self.extensions) } else { (None, &self.announced) };
        core.into_iter().chain(extensions)
    }

    /// The known extension with that URN, compared without case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
}

impl AttributeType {
    /// The keyword of RFC 7643 2.3.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

impl Mutability {
    /// The keyword of RFC 7643 section 7.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

impl Returned {
    /// The keyword of RFC 7643 section 7.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

impl Uniqueness {
    /// The keyword of RFC 7643 section 7.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

impl Attribute {
    /// The sub-attribute of that name, compared without case.
    pub fn sub_attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }
}

/// Looks an attribute up by name without regard to case (RFC 7643 2.1).
pub fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
