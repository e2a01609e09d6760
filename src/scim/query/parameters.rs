//! The parameters of a query as text: split, decoded and named, before any of them is understood.

use std::borrow::Cow;

use serde_json::Value;

use super::super::projection::Projection;
use super::super::schema::{AttributeType, ResourceType};
use super::super::sort::{Sort, SortOrder};
use super::{QueryError, QueryLimits};

/// What was given, each at most once but for the lists of names.
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) filter: Option<String>,
    pub(super) start_index: Option<String>,
    pub(super) count: Option<String>,
    pub(super) cursor: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

/// A parameter that we know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Filter,
    StartIndex,
    Count,
    Cursor,
    SortBy,
    SortOrder,
    Attributes,
    ExcludedAttributes,
}

impl Parameter {
    const ALL: [Self; 8] = [
        Self::Filter,
        Self::StartIndex,
        Self::Count,
        Self::Cursor,
        Self::SortBy,
        Self::SortOrder,
        Self::Attributes,
        Self::ExcludedAttributes,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::StartIndex => "startIndex",
            Self::Count => "count",
            Self::Cursor => "cursor",
            Self::SortBy => "sortBy",
            Self::SortOrder => "sortOrder",
            Self::Attributes => "attributes",
            Self::ExcludedAttributes => "excludedAttributes",
        }
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name))
    }

    fn is_list(self) -> bool {
        matches!(self, Self::Attributes | Self::ExcludedAttributes)
    }

    fn is_number(self) -> bool {
        matches!(self, Self::StartIndex | Self::Count)
    }
}

impl Parameters {
    pub(super) fn from_query(raw_query: &str, limits: &QueryLimits) -> Result<Self, QueryError> {
        if raw_query.len() > limits.max_query_bytes {
            return Err(QueryError::TooLong { max: limits.max_query_bytes });
        }
        let mut given = Self::default();
        for pair in raw_query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name that does not decode is none that we know.
            let Some(parameter) = decode(name).and_then(|name| Parameter::find(&name)) else { continue };
            let value = decode(value).ok_or(QueryError::Encoding { parameter: parameter.as_str() })?;
            given.put(parameter, value.into_owned())?;
        }
        Ok(given)
    }

    pub(super) fn from_body(body: &Value) -> Result<Self, QueryError> {
        let object = body.as_object().ok_or(QueryError::Body { member: "body", expected: "an object" })?;
        let mut given = Self::default();
        for (name, value) in object {
            let Some(parameter) = Parameter::find(name) else { continue };
            for text in member_texts(parameter, value)? {
                given.put(parameter, text)?;
            }
        }
        Ok(given)
    }

    fn put(&mut self, parameter: Parameter, value: String) -> Result<(), QueryError> {
        // An empty cursor asks for the first page; any other empty value says nothing.
        if value.trim().is_empty() && parameter != Parameter::Cursor {
            return Ok(());
        }
        let slot = match parameter {
            Parameter::Filter => &mut self.filter,
            Parameter::StartIndex => &mut self.start_index,
            Parameter::Count => &mut self.count,
            Parameter::Cursor => &mut self.cursor,
            Parameter::SortBy => &mut self.sort_by,
            Parameter::SortOrder => &mut self.sort_order,
            Parameter::Attributes => {
                self.attributes.push(value);
                return Ok(());
            }
            Parameter::ExcludedAttributes => {
                self.excluded.push(value);
                return Ok(());
            }
        };
        match slot {
            Some(before) if *before != value => Err(QueryError::Repeated { parameter: parameter.as_str() }),
            _ => {
                *slot = Some(value);
                Ok(())
            }
        }
    }

    pub(super) fn projection(
        &self,
        resource_type: &ResourceType,
        limits: &QueryLimits,
    ) -> Result<Projection, QueryError> {
        if self.attributes.is_empty() && self.excluded.is_empty() {
            return Ok(Projection::All);
        }
        let attributes = names(&self.attributes, limits.max_names)?;
        let excluded = names(&self.excluded, limits.max_names)?;
        Ok(Projection::new(attributes, excluded, resource_type))
    }

    /// A complex attribute with a `value` is sorted by it.
    pub(super) fn sort(&self, resource_type: &ResourceType) -> Result<Option<Sort>, QueryError> {
        let order = match self.sort_order.as_deref().map(str::trim) {
            None => SortOrder::Ascending,
            Some(text) if text.eq_ignore_ascii_case("ascending") => SortOrder::Ascending,
            Some(text) if text.eq_ignore_ascii_case("descending") => SortOrder::Descending,
            Some(_) => return Err(QueryError::SortOrder),
        };
        let Some(text) = &self.sort_by else { return Ok(None) };
        let resolved = resource_type.resolve_attribute(text.trim()).map_err(QueryError::SortBy)?;
        let mut path = resolved.path.clone();
        let mut leaf = resolved.leaf();
        if leaf.kind == AttributeType::Complex {
            leaf = leaf
                .sub_attribute("value")
                .ok_or_else(|| QueryError::SortByComplex { path: resolved.path.to_string() })?;
            path = path.child(&leaf.name);
        }
        Ok(Some(Sort { path, kind: leaf.kind, case_exact: leaf.case_exact, order }))
    }
}

/// The texts of a member of a search request: one, several for a list of names, none for null.
fn member_texts(parameter: Parameter, value: &Value) -> Result<Vec<String>, QueryError> {
    let wrong = |expected| Err(QueryError::Body { member: parameter.as_str(), expected });
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Number(number) if parameter.is_number() => Ok(vec![number.to_string()]),
        Value::Array(names) if parameter.is_list() => {
            let texts = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>();
            texts.map_or_else(|| wrong("a list of strings"), Ok)
        }
        _ if parameter.is_list() => wrong("a list of strings"),
        _ if parameter.is_number() => wrong("an integer"),
        _ => wrong("a string"),
    }
}

/// `application/x-www-form-urlencoded`: plus is a space, `%2B` a plus. A `%` that no two digits follow is itself.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = text.bytes().position(|byte| matches!(byte, b'%' | b'+')) else { return Some(text.into()) };
    let (plain, encoded) = text.as_bytes().split_at(first);
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(plain);
    let mut rest = encoded;
    while let [byte, behind @ ..] = rest {
        let (byte, behind) = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (digit(*high) << 4 | digit(*low), behind)
            }
            (b'+', behind) => (b' ', behind),
            (byte, behind) => (*byte, behind),
        };
        decoded.push(byte);
        rest = behind;
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u8 {
    (byte & 0xf) + if byte.is_ascii_digit() { 0 } else { 9 }
}

/// The names in comma-separated lists.
fn names(lists: &[String], max: usize) -> Result<Vec<&str>, QueryError> {
    let names = lists.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<&str> = names.take(max + 1).collect();
    if names.len() > max { Err(QueryError::TooManyNames { max }) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_decoded_as_forms_are(text in "([a%+é0-9A-Fg]|%[0-9a-fA-F]{2}){0,12}") {
            let spaced = text.replace('+', " ");
            let expected = percent_decode_str(&spaced).decode_utf8().ok();
            prop_assert_eq!(decode(&text), expected);
        }
    }
}
