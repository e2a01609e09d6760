//! Filters (RFC 7644 3.4.2.2) as a typed tree.

use std::sync::Arc;

use serde_json::Value;

use super::attr_path::AttrPath;
use super::schema::AttributeType;

/// A filter whose every name is resolved and whose every literal has the type of its attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// Any of them.
    Or(Vec<Filter>),
    /// The opposite.
    Not(Box<Filter>),
    /// `path op literal`.
    Compare(Comparison),
    /// `path pr`.
    Present(AttrPath),
    /// `path[filter]`: some element of the multi-valued attribute satisfies the inner filter, whose paths name
    /// sub-attributes (`AttrPath { extension: None, attribute: "type", sub: None }`).
    ValuePath(AttrPath, Box<Filter>),
}

/// One comparison. For a multi-valued attribute it holds if it holds for any element; for a complex element without
/// a named sub-attribute `value` is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub path: AttrPath,
    /// How.
    pub op: CompareOp,
    /// With what; already of the attribute's type.
    pub value: Value,
    /// Data type of the attribute.
    pub kind: AttributeType,
    /// Whether case counts in string comparison.
    pub case_exact: bool,
}

/// Comparison operators of RFC 7644 table 3, without `pr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl CompareOp {
    /// The keyword in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// Parses a keyword without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le]
            .into_iter()
            .find(|op| op.as_str().eq_ignore_ascii_case(text))
    }
}

impl Filter {
    /// Every comparison that must hold for the filter to hold: the top-level conjunction, flattened. A plan may use
    /// any one of them as a pre-filter, because each is implied by the whole.
    pub fn conjuncts(&self) -> Vec<&Comparison> {
        match self {
            Self::Compare(comparison) => vec![comparison],
            Self::And(parts) => parts.iter().flat_map(Self::conjuncts).collect(),
            _ => Vec::new(),
        }
    }
}

/// A bare sub-attribute name as the path used inside a value filter.
pub fn element_path(name: &Arc<str>) -> AttrPath {
    AttrPath { extension: None, attribute: Arc::clone(name), sub: None }
}
