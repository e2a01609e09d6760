//! What the client reads when a stage of the vocabulary refuses: the `From` conversions to [`ScimError`].
//!
//! [`PathError`](super::PathError) has none, because its keyword depends on where the path stood: `invalidPath` in a
//! PATCH, `invalidFilter` in a filter, `invalidValue` in `sortBy`.

use super::bound::Bound;
use super::error::ScimError;
use super::filter::FilterError;
use super::query::QueryError;

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        Self { bound: error.bound(), ..Self::invalid_filter(error.to_string()) }
    }
}

impl FilterError {
    /// The bound that refused the filter, if one did.
    pub fn bound(&self) -> Option<Bound> {
        match self {
            Self::TooDeep { .. } => Some(Bound::FilterMaxDepth),
            Self::TooManyTerms { .. } => Some(Bound::FilterMaxTerms),
            _ => None,
        }
    }
}

impl From<QueryError> for ScimError {
    fn from(error: QueryError) -> Self {
        use super::error::ScimType::{InvalidCount, InvalidCursor};
        let detail = error.to_string();
        match error {
            QueryError::Filter(error) => error.into(),
            QueryError::TooLong { .. } | QueryError::Encoding { .. } | QueryError::Body { .. } => {
                Self::invalid_syntax(detail)
            }
            QueryError::Cursor { .. } => Self::bad_request(InvalidCursor, detail),
            QueryError::CursorCount => Self::bad_request(InvalidCount, detail),
            QueryError::Integer { .. }
            | QueryError::Repeated { .. }
            | QueryError::SortBy { .. }
            | QueryError::SortByComplex { .. }
            | QueryError::SortOrder
            | QueryError::TooManyNames { .. } => Self::invalid_value(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::ScimType;
    use super::*;

    #[test]
    fn every_refusal_has_its_keyword() {
        for (error, keyword) in [
            (QueryError::Filter(FilterError::Empty), "invalidFilter"),
            (QueryError::TooLong { max: 1 }, "invalidSyntax"),
            (QueryError::Encoding { parameter: "filter" }, "invalidSyntax"),
            (QueryError::Body { member: "filter", expected: "a string" }, "invalidSyntax"),
            (QueryError::Cursor { max: 1 }, "invalidCursor"),
            (QueryError::CursorCount, "invalidCount"),
            (QueryError::Integer { parameter: "count" }, "invalidValue"),
            (QueryError::Repeated { parameter: "count" }, "invalidValue"),
            (QueryError::SortByComplex { path: "name".to_owned() }, "invalidValue"),
            (QueryError::SortOrder, "invalidValue"),
            (QueryError::TooManyNames { max: 1 }, "invalidValue"),
        ] {
            let error = ScimError::from(error);
            assert_eq!(error.status, 400);
            assert_eq!(error.scim_type.map(ScimType::as_str), Some(keyword), "{}", error.detail);
        }
    }
}
