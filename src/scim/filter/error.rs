//! What can be wrong with a filter. Every one of them reaches the client as 400 `invalidFilter`.

use super::super::attr_path::PathError;

/// Why a filter was refused. Positions count bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The filter is longer than [`FilterLimits::max_length`](super::FilterLimits).
    #[error("filter is longer than {max} bytes")]
    TooLong {
        /// The bound.
        max: usize,
    },
    /// Parentheses and brackets are nested deeper than [`FilterLimits::max_depth`](super::FilterLimits).
    #[error("filter is nested deeper than {max} levels")]
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// There are more comparisons than [`FilterLimits::max_terms`](super::FilterLimits).
    #[error("filter has more than {max} comparisons")]
    TooManyTerms {
        /// The bound.
        max: usize,
    },
    /// There is no filter in the text.
    #[error("filter is empty")]
    Empty,
    /// Something else stands where the grammar wants `expected`.
    #[error("filter: expected {expected} at position {position}, found {found}")]
    Syntax {
        /// Where.
        position: usize,
        /// What the grammar allows there.
        expected: &'static str,
        /// What stands there, shortened; `the end` at the end.
        found: String,
    },
    /// A quoted value has no end or holds a wrong escape.
    #[error("filter: the value at position {position} is not a JSON string")]
    BadString {
        /// Where the value begins.
        position: usize,
    },
    /// A name in the filter names nothing.
    #[error("filter: {0}")]
    Path(#[from] PathError),
    /// The operator has no meaning for the attribute's type.
    #[error("filter: '{op}' cannot be applied to '{path}', which is {kind}")]
    NotComparable {
        /// The attribute.
        path: String,
        /// The operator.
        op: &'static str,
        /// The attribute's type.
        kind: &'static str,
    },
    /// The value has another type than the attribute.
    #[error("filter: '{path}' is {kind}; {found} is no such value")]
    WrongType {
        /// The attribute.
        path: String,
        /// The attribute's type.
        kind: &'static str,
        /// The value, shortened.
        found: String,
    },
    /// The attribute is never returned, so that filters must not reveal it either.
    #[error("filter: '{path}' cannot be used in a filter")]
    NotFilterable {
        /// The attribute.
        path: String,
    },
    /// Brackets follow an attribute that has neither sub-attributes nor several values.
    #[error("filter: '{path}' has no elements to put a value filter on")]
    NoElements {
        /// The attribute.
        path: String,
    },
}
