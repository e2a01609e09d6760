//! Does a resource, or an element of a multi-valued attribute, satisfy a filter?
//!
//! An attribute without a value satisfies no comparison but `ne`; a multi-valued one satisfies a comparison if any
//! element does, and `ne` if none is equal. Values of another JSON type than the attribute's satisfy none.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::attr_path::AttrPath;
use super::super::compare::{elements, scalar_cmp, scalar_eq, text_contains, text_ends_with, text_starts_with};
use super::super::resource::Resource;
use super::{CompareOp, Comparison, Filter};

impl Filter {
    /// Whether a canonical resource satisfies the filter.
    pub fn matches(&self, resource: &Resource) -> bool {
        self.holds(Subject::Resource(resource))
    }

    /// Whether an element satisfies a filter that stood inside a value path.
    pub fn matches_element(&self, element: &Value) -> bool {
        self.holds(Subject::Element(element))
    }

    fn holds(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(subject)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(subject)),
            Self::Not(inner) => !inner.holds(subject),
            Self::Compare(comparison) if comparison.op == CompareOp::Ne => {
                !subject.any(&comparison.path, |value| equals(comparison, value))
            }
            Self::Compare(comparison) => subject.any(&comparison.path, |value| satisfies(comparison, value)),
            Self::Present(path) => subject.any(path, is_present),
            Self::ValuePath(path, inner) => elements(subject.value(path)).iter().any(|one| inner.matches_element(one)),
        }
    }
}

/// What paths are looked up in.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Resource(&'a Resource),
    Element(&'a Value),
}

impl<'a> Subject<'a> {
    /// The value of the attribute that a path names; the sub-attribute is the business of [`Self::any`].
    fn value(self, path: &AttrPath) -> Option<&'a Value> {
        match self {
            Self::Resource(Resource(root)) => match &path.extension {
                Some(urn) => root.get(&**urn)?.get(&*path.attribute),
                None => root.get(&*path.attribute),
            },
            Self::Element(element) => within(element, &path.attribute),
        }
    }

    /// Whether any value at the path passes the test.
    fn any(self, path: &AttrPath, test: impl Fn(&Value) -> bool) -> bool {
        elements(self.value(path)).iter().any(|element| match &path.sub {
            Some(sub) => elements(within(element, sub)).iter().any(&test),
            None => test(element),
        })
    }
}

/// A sub-attribute of an element. A simple value is its own `value`.
fn within<'a>(element: &'a Value, name: &str) -> Option<&'a Value> {
    match element {
        Value::Object(object) => object.get(name),
        simple => (name == "value").then_some(simple),
    }
}

fn satisfies(comparison: &Comparison, value: &Value) -> bool {
    let exact = comparison.case_exact;
    let order = || scalar_cmp(value, &comparison.value, comparison.kind, exact);
    let texts = value.as_str().zip(comparison.value.as_str());
    match comparison.op {
        CompareOp::Eq => equals(comparison, value),
        CompareOp::Ne => !equals(comparison, value),
        CompareOp::Co => texts.is_some_and(|(text, part)| text_contains(text, part, exact)),
        CompareOp::Sw => texts.is_some_and(|(text, part)| text_starts_with(text, part, exact)),
        CompareOp::Ew => texts.is_some_and(|(text, part)| text_ends_with(text, part, exact)),
        CompareOp::Gt => order() == Some(Ordering::Greater),
        CompareOp::Ge => order().is_some_and(Ordering::is_ge),
        CompareOp::Lt => order() == Some(Ordering::Less),
        CompareOp::Le => order().is_some_and(Ordering::is_le),
    }
}

fn equals(comparison: &Comparison, value: &Value) -> bool {
    scalar_eq(value, &comparison.value, comparison.kind, comparison.case_exact)
}

/// `pr` of RFC 7644 table 3: a non-empty value, or a complex one with a non-empty sub-attribute.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.values().any(|sub| !is_empty(sub)),
        simple => !is_empty(simple),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
