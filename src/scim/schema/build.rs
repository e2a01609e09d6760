//! A row-per-attribute notation for attribute definitions, used by the RFC schemas and by declared extensions.
//!
//! An attribute starts with the defaults of RFC 7643 2.2 (optional, single-valued, readWrite, returned by default, not
//! unique, case ignored); the methods name what differs.

use std::sync::Arc;

use super::{Attribute, AttributeType, Mutability, Returned, Schema, Uniqueness};

impl Attribute {
    /// An attribute with the defaults of RFC 7643 2.2. References and binary values are case exact (RFC 7643 2.3.6,
    /// 2.3.7).
    pub fn new(name: &str, kind: AttributeType, description: &str) -> Self {
        Self {
            name: Arc::from(name),
            kind,
            multi_valued: false,
            description: description.to_owned(),
            required: false,
            case_exact: matches!(kind, AttributeType::Reference | AttributeType::Binary),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
        }
    }

    /// Values form a list.
    #[must_use]
    pub fn multi(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    /// A resource must have it.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Strings compare with case.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    /// Sets who may change it.
    #[must_use]
    pub fn mutability(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }

    /// The service provider alone sets it; so it is with its sub-attributes.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self.sub_attributes = self.sub_attributes.into_iter().map(Self::read_only).collect();
        self
    }

    /// Set once, unchangeable afterwards.
    #[must_use]
    pub fn immutable(self) -> Self {
        self.mutability(Mutability::Immutable)
    }

    /// Sets when it appears in answers.
    #[must_use]
    pub fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    /// Sets how far values must be unique.
    #[must_use]
    pub fn unique(self, uniqueness: Uniqueness) -> Self {
        Self { uniqueness, ..self }
    }

    /// Suggests values.
    #[must_use]
    pub fn canonical(self, values: &[&str]) -> Self {
        Self { canonical_values: owned(values), ..self }
    }

    /// Names what a reference may point to.
    #[must_use]
    pub fn references(self, types: &[&str]) -> Self {
        Self { reference_types: owned(types), ..self }
    }
}

impl Schema {
    /// A schema of the given attributes.
    pub fn new(id: &str, name: &str, description: &str, attributes: Vec<Attribute>) -> Self {
        Self { id: Arc::from(id), name: name.to_owned(), description: description.to_owned(), attributes }
    }
}

pub(super) fn string(name: &str, description: &str) -> Attribute {
    Attribute::new(name, AttributeType::String, description)
}

pub(super) fn boolean(name: &str, description: &str) -> Attribute {
    Attribute::new(name, AttributeType::Boolean, description)
}

pub(super) fn date_time(name: &str, description: &str) -> Attribute {
    Attribute::new(name, AttributeType::DateTime, description)
}

pub(super) fn reference(name: &str, types: &[&str], description: &str) -> Attribute {
    Attribute::new(name, AttributeType::Reference, description).references(types)
}

pub(super) fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Attribute {
    Attribute { sub_attributes, ..Attribute::new(name, AttributeType::Complex, description) }
}

/// A multi-valued complex attribute with the usual sub-attributes of RFC 7643 2.4 around the given `value`.
pub(super) fn plural(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let sub_attributes = vec![
        value,
        string("display", "Text to show for the value"),
        string("type", "What the value is used for").canonical(types),
        boolean("primary", "Whether this is the preferred value; true at most once"),
    ];
    complex(name, description, sub_attributes).multi()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
