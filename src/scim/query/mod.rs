//! The parameters of a query (RFC 7644 3.4.2 and 3.9, RFC 9865): from a URL, or from the body of a `.search` request
//! (RFC 7644 3.4.3).
//!
//! In: the raw query string or the JSON body. Out: a [`ListQuery`] whose filter is parsed and whose names are resolved.
//! Parameter names are compared without case, unknown ones are ignored, and an empty value counts as none: clients
//! built on form libraries send `filter=&count=`. Page sizes that are too large are for the caller to cut.

mod parameters;

use serde_json::Value;

use super::attr_path::PathError;
use super::error::ScimError;
use super::filter::{Filter, FilterError, FilterLimits, FilterRepair, Parsed};
use super::projection::Projection;
use super::schema::ResourceType;
use super::sort::Sort;

use parameters::{Parameter, Parameters};

/// What a list request asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    /// `filter`.
    pub filter: Option<QueryFilter>,
    /// `startIndex` or `cursor`.
    pub page: Page,
    /// `count`; `None` leaves the page size to the service provider.
    pub count: Option<Count>,
    /// `sortBy` and `sortOrder`.
    pub sort: Option<Sort>,
    /// `attributes` and `excludedAttributes`.
    pub projection: Projection,
}

/// A filter as sent and as understood.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryFilter {
    /// The text, percent-decoded.
    pub text: String,
    /// The filter.
    pub filter: Filter,
    /// What was repaired to understand it.
    pub repairs: Vec<FilterRepair>,
}

/// How the client pages. If it names both ways, the cursor decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// It does not say; the default of the service provider applies (RFC 9865 2.4).
    #[default]
    Unspecified,
    /// By `startIndex`.
    Index(StartIndex),
    /// By `cursor`; `None` for the first page.
    Cursor(Option<String>),
}

/// 1-based index of the first resource of a page. Anything below 1 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartIndex(u64);

impl StartIndex {
    /// The index, at least 1.
    pub fn new(index: u64) -> Self {
        Self(index.max(1))
    }

    /// 1 and above.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Default for StartIndex {
    fn default() -> Self {
        Self(1)
    }
}

/// Largest number of resources that the client wants on a page. 0 asks for the total alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

impl Count {
    /// The number.
    pub fn new(count: u64) -> Self {
        Self(count)
    }

    /// 0 and above.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Bounds on a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Bounds on the filter.
    pub filter: FilterLimits,
    /// Longest query string, in bytes.
    pub max_query_bytes: usize,
    /// Most names in `attributes` and in `excludedAttributes`, each.
    pub max_names: usize,
    /// Longest cursor, in bytes.
    pub max_cursor_bytes: usize,
}

impl Default for QueryLimits {
    /// 128 KiB of query (a filter of the default length may be all percent escapes), 256 names, 4 KiB of cursor.
    fn default() -> Self {
        Self {
            filter: FilterLimits::default(),
            max_query_bytes: 128 * 1024,
            max_names: 256,
            max_cursor_bytes: 4 * 1024,
        }
    }
}

/// Why a query was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The filter is wrong.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The query string is longer than [`QueryLimits::max_query_bytes`].
    #[error("query is longer than {max} bytes")]
    TooLong {
        /// The bound.
        max: usize,
    },
    /// A value is not UTF-8 after percent-decoding.
    #[error("query parameter '{parameter}' is not UTF-8")]
    Encoding {
        /// The parameter.
        parameter: &'static str,
    },
    /// A member of a search request has the wrong JSON type.
    #[error("search request: '{member}' must be {expected}")]
    Body {
        /// The member; `body` for the whole.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A parameter is there twice with different values.
    #[error("query parameter '{parameter}' is given twice with different values")]
    Repeated {
        /// The parameter.
        parameter: &'static str,
    },
    /// A number is none.
    #[error("query parameter '{parameter}' must be an integer")]
    Integer {
        /// The parameter.
        parameter: &'static str,
    },
    /// The cursor cannot be one of ours (RFC 9865 section 2).
    #[error("cursor must be at most {max} letters, digits and -._~; leave it empty to start over")]
    Cursor {
        /// Longest cursor, in bytes.
        max: usize,
    },
    /// A page of a cursor query must have room for something (RFC 9865 section 2).
    #[error("count must be at least 1 when paging by cursor")]
    CursorCount,
    /// `sortBy` names nothing.
    #[error("sortBy: {0}")]
    SortBy(PathError),
    /// `sortBy` names an attribute that has no order of its own.
    #[error("sortBy: '{path}' is complex; name one of its sub-attributes")]
    SortByComplex {
        /// The attribute.
        path: String,
    },
    /// `sortOrder` is neither of its two values.
    #[error("sortOrder must be 'ascending' or 'descending'")]
    SortOrder,
    /// There are more names than [`QueryLimits::max_names`].
    #[error("more than {max} attribute names")]
    TooManyNames {
        /// The bound.
        max: usize,
    },
}

impl ListQuery {
    /// From a raw query string, without its `?`. An empty one asks for everything.
    ///
    /// # Errors
    /// See [`QueryError`]: `invalidFilter`, `invalidValue`, `invalidSyntax`, `invalidCursor` or `invalidCount`.
    pub fn parse(raw_query: &str, resource_type: &ResourceType, limits: &QueryLimits) -> Result<Self, ScimError> {
        Ok(Self::read(Parameters::from_query(raw_query, limits)?, resource_type, limits)?)
    }

    /// From the body of a search request.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_search_request(
        body: &Value,
        resource_type: &ResourceType,
        limits: &QueryLimits,
    ) -> Result<Self, ScimError> {
        Ok(Self::read(Parameters::from_body(body)?, resource_type, limits)?)
    }

    fn read(given: Parameters, resource_type: &ResourceType, limits: &QueryLimits) -> Result<Self, QueryError> {
        let projection = given.projection(resource_type, limits)?;
        let sort = given.sort(resource_type)?;
        let count = given.count.as_deref().map(|text| integer(text, Parameter::Count)).transpose()?.map(Count::new);
        let page = match (given.cursor, given.start_index) {
            (Some(cursor), _) => {
                if count == Some(Count(0)) {
                    return Err(QueryError::CursorCount);
                }
                Page::Cursor(checked_cursor(cursor, limits.max_cursor_bytes)?)
            }
            (None, Some(text)) => Page::Index(StartIndex::new(integer(&text, Parameter::StartIndex)?)),
            (None, None) => Page::Unspecified,
        };
        let filter = match given.filter {
            Some(text) => {
                let Parsed { filter, repairs } = Filter::parse(&text, resource_type, &limits.filter)?;
                Some(QueryFilter { text, filter, repairs })
            }
            None => None,
        };
        Ok(Self { filter, page, count, sort, projection })
    }
}

/// `attributes` and `excludedAttributes` alone, for requests that answer with one resource. The other parameters have
/// no meaning there and are not looked at.
///
/// # Errors
/// `invalidSyntax` or `invalidValue`, see [`QueryError`].
pub fn parse_projection(
    raw_query: &str,
    resource_type: &ResourceType,
    limits: &QueryLimits,
) -> Result<Projection, ScimError> {
    Ok(Parameters::from_query(raw_query, limits)?.projection(resource_type, limits)?)
}

/// An integer of any size; what is below 0 counts as 0, what is too large as the largest.
fn integer(text: &str, parameter: Parameter) -> Result<u64, QueryError> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QueryError::Integer { parameter: parameter.as_str() });
    }
    if text.starts_with('-') {
        return Ok(0);
    }
    // All digits, so the only way to fail is to be too large.
    Ok(digits.parse().unwrap_or(u64::MAX))
}

/// RFC 9865 allows the unreserved characters of RFC 3986. An empty cursor asks for the first page.
fn checked_cursor(cursor: String, max: usize) -> Result<Option<String>, QueryError> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if cursor.len() > max || !cursor.bytes().all(unreserved) {
        return Err(QueryError::Cursor { max });
    }
    Ok((!cursor.is_empty()).then_some(cursor))
}

#[cfg(test)]
mod tests;
