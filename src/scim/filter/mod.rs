//! Filters (RFC 7644 3.4.2.2) as a typed tree.
//!
//! In: filter text and a resource type. Out: a [`Filter`], which can be evaluated, printed in canonical form and asked
//! what it implies. Which native query a filter becomes is the business of the plan.

mod error;
mod eval;
mod lex;
mod literal;
mod parse;
mod print;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(in crate::scim) mod tests;

use std::sync::Arc;

pub use error::FilterError;

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

/// Bounds on a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterLimits {
    /// How deep parentheses and brackets may nest.
    pub max_depth: usize,
    /// How many comparisons it may have.
    pub max_terms: usize,
    /// How long its text may be, in bytes.
    pub max_length: usize,
}

impl Default for FilterLimits {
    /// Room for what clients send (a lookup of some hundred ids at once), not for what only an attacker would:
    /// 32 levels, 512 comparisons, 32 KiB.
    fn default() -> Self {
        Self { max_depth: 32, max_terms: 512, max_length: 32 * 1024 }
    }
}

/// A parsed filter and what was repaired on the way, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The filter.
    pub filter: Filter,
    /// One entry per repaired literal.
    pub repairs: Vec<FilterRepair>,
}

/// A writing habit that the grammar does not allow and that cannot be misread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterRepair {
    /// `userName eq bob@example.com`.
    UnquotedValue,
    /// `userName eq 'bob'`.
    SingleQuotes,
    /// `userName eq “bob”`.
    TypographicQuotes,
    /// `active eq "True"`.
    StringBoolean,
    /// `loginCount eq "3"`.
    StringNumber,
}

impl FilterRepair {
    /// A word for it; in metrics and logs it is a [`Repair`](crate::dialect::Repair).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnquotedValue => "filter_unquoted_value",
            Self::SingleQuotes => "filter_single_quotes",
            Self::TypographicQuotes => "filter_typographic_quotes",
            Self::StringBoolean => "filter_string_boolean",
            Self::StringNumber => "filter_string_number",
        }
    }
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

    /// Whether it looks at the text of a value, not at what the text means.
    pub fn is_textual(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }

    /// Whether values of that type can be compared so (RFC 7644 table 3): there is no order of booleans and binary
    /// values, and no text in numbers.
    pub fn applies_to(self, kind: AttributeType) -> bool {
        match self {
            Self::Eq | Self::Ne => kind != AttributeType::Complex,
            Self::Co | Self::Sw | Self::Ew => matches!(
                kind,
                AttributeType::String | AttributeType::Reference | AttributeType::Binary | AttributeType::DateTime
            ),
            Self::Gt | Self::Ge | Self::Lt | Self::Le => {
                !matches!(kind, AttributeType::Boolean | AttributeType::Binary | AttributeType::Complex)
            }
        }
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

    /// Every comparison that the filter implies: the [conjuncts](Self::conjuncts), and those inside value paths of the
    /// top-level conjunction, addressed from the resource. `emails[type eq "work" and value eq "x"]` implies
    /// `emails.type eq "work"` and `emails.value eq "x"`.
    ///
    /// `ne` inside a value path is left out: it holds for one element, where `emails.value ne "x"` asks all.
    pub fn implied(&self) -> Vec<Comparison> {
        match self {
            Self::Compare(comparison) => vec![comparison.clone()],
            Self::And(parts) => parts.iter().flat_map(Self::implied).collect(),
            Self::ValuePath(path, inner) => inner
                .conjuncts()
                .into_iter()
                .filter(|comparison| comparison.op != CompareOp::Ne)
                .map(|comparison| Comparison { path: path.child(&comparison.path.attribute), ..comparison.clone() })
                .collect(),
            Self::Or(_) | Self::Not(_) | Self::Present(_) => Vec::new(),
        }
    }

    /// Every path that must be known to evaluate the filter, each once, in order of appearance. Paths inside a value
    /// path are addressed from the resource.
    pub fn mentions(&self) -> Vec<AttrPath> {
        let mut paths = Vec::new();
        self.collect_mentions(None, &mut paths);
        paths
    }

    fn collect_mentions(&self, around: Option<&AttrPath>, paths: &mut Vec<AttrPath>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_mentions(around, paths)),
            Self::Not(inner) => inner.collect_mentions(around, paths),
            Self::ValuePath(path, inner) => inner.collect_mentions(Some(path), paths),
            Self::Compare(Comparison { path, .. }) | Self::Present(path) => {
                let path = around.map_or_else(|| path.clone(), |outer| outer.child(&path.attribute));
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
    }

    /// All of the given filters, without a conjunction inside a conjunction.
    pub fn all(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::And(inner) => inner,
            other => vec![other],
        });
        Self::single_or(flat.collect(), Self::And)
    }

    /// Any of the given filters, without a disjunction inside a disjunction.
    pub fn any(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        Self::single_or(flat.collect(), Self::Or)
    }

    fn single_or(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                join(parts)
            }
        }
    }
}

/// A bare sub-attribute name as the path used inside a value filter.
pub fn element_path(name: &Arc<str>) -> AttrPath {
    AttrPath { extension: None, attribute: Arc::clone(name), sub: None }
}
