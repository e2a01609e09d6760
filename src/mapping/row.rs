//! One row of the attribute table.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expr::{Expr, Name, Template};
use crate::scim::{AttrPath, AttributeType, Resource};

use super::{Codec, NativePath, Origin};

/// One row: a SCIM attribute and where it lives natively.
#[derive(Clone, Debug)]
pub struct Row {
    /// The SCIM side.
    pub target: Target,
    /// The native side.
    pub source: Source,
    /// Directions.
    pub access: Access,
    /// Sent on create.
    pub on_create: bool,
    /// Sent on update.
    pub on_update: bool,
    /// Fills an absent value on create.
    pub default: Option<Template>,
    /// How "unassigned" looks natively.
    pub omit: Omit,
    /// A resource must have it.
    pub required: bool,
    /// A `mirror` row that disagrees is ignored instead of refused; the author's reason.
    pub lossy: Option<String>,
    /// Its place.
    pub origin: Origin,
}

/// The SCIM side of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Attribute, and sub-attribute if one is meant.
    pub path: AttrPath,
    /// For an element of a multi-valued attribute: sub-attributes it is recognised by (`type` = `work`).
    pub selector: Vec<(Arc<str>, Value)>,
    /// Data type of the value.
    pub kind: AttributeType,
    /// Whether the row is a whole multi-valued attribute.
    pub multi_valued: bool,
    /// Whether case counts when values are compared.
    pub case_exact: bool,
}

/// The native side of a row.
#[derive(Clone, Debug)]
pub enum Source {
    /// A native path through codecs, written left to right.
    Native {
        /// Where.
        path: NativePath,
        /// How.
        codec: Vec<Codec>,
    },
    /// Expressions.
    Computed {
        /// Where `write` goes.
        path: Option<NativePath>,
        /// Native to SCIM, over `native` and `id`.
        read: Option<Expr>,
        /// SCIM to native, over `scim` and `native`.
        write: Option<Expr>,
    },
    /// A second SCIM attribute over another row's value.
    Mirror {
        /// Index of that row.
        row: usize,
    },
}

/// Directions of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and written.
    Both,
    /// Ignored in POST and PUT, 400 `mutability` in PATCH.
    Read,
    /// Never returned.
    Write,
    /// Set on creation, unchangeable afterwards.
    Create,
    /// A write that agrees with the primary row is accepted, another refused.
    Mirror,
}

/// How "unassigned" looks natively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omit {
    /// JSON null.
    Null,
    /// The key is left out.
    Absent,
    /// The empty string, or the empty list for a multi-valued row.
    Empty,
    /// There is no unassigned state: an omission keeps the value, a removal writes the default or is refused.
    Keep,
}

impl Row {
    /// Whether what it writes is made of what was there before.
    pub fn writes_from_native(&self) -> bool {
        matches!(&self.source, Source::Computed { write: Some(write), .. } if write.uses(Name::Native))
    }

    /// The native path this row writes to, if any.
    pub fn native_path(&self) -> Option<&NativePath> {
        match &self.source {
            Source::Native { path, .. } | Source::Computed { path: Some(path), .. } => Some(path),
            Source::Computed { .. } | Source::Mirror { .. } => None,
        }
    }

    /// The same, to be marked while the mapping is compiled.
    pub(crate) fn native_path_mut(&mut self) -> Option<&mut NativePath> {
        match &mut self.source {
            Source::Native { path, .. } | Source::Computed { path: Some(path), .. } => Some(path),
            Source::Computed { .. } | Source::Mirror { .. } => None,
        }
    }

    /// Whether the row's value can be changed after creation.
    pub fn updatable(&self) -> bool {
        matches!(self.access, Access::Both | Access::Write)
    }
}

impl Target {
    /// The value of this row in a resource.
    ///
    /// `sole` says that no other row is about the same multi-valued attribute. The application then holds one value
    /// where SCIM may have several, and the most fitting element counts, as [`Target::element`] says.
    pub fn read<'r>(&self, resource: &'r Resource, sole: bool) -> Option<Cow<'r, Value>> {
        self.read_below(self.top(resource)?, sole)
    }

    /// The attribute, or the extension that it is in, as it stands on the top level of a resource.
    pub fn top<'r>(&self, resource: &'r Resource) -> Option<&'r Value> {
        resource.0.get(&**self.path.extension.as_ref().unwrap_or(&self.path.attribute))
    }

    /// What [`Self::read`] finds in what [`Self::top`] has found.
    pub fn read_below<'r>(&self, top: &'r Value, sole: bool) -> Option<Cow<'r, Value>> {
        let attribute = if self.path.extension.is_some() { top.get(&*self.path.attribute)? } else { top };
        let value = if self.selector.is_empty() { attribute } else { self.element(attribute.as_array()?, sole)? };
        let value = match &self.path.sub {
            Some(sub) => value.get(&**sub)?,
            None => value,
        };
        Some(Cow::Borrowed(value))
    }

    /// The element of a list that the row is about: the selector's match.
    ///
    /// For a `sole` row without a match it is one that says nothing else, the primary one first: `type` is optional. One
    /// of another type has another function (RFC 7643 4.1.2: a home address is no work address) and is left out, unless
    /// it is a single value, such as an e-mail address, and the client prefers it to all others.
    pub fn element<'e>(&self, elements: &'e [Value], sole: bool) -> Option<&'e Value> {
        let selected = elements.iter().find(|element| self.selects(element));
        if selected.is_some() || !sole {
            return selected;
        }
        let is_primary = |element: &&Value| element.get("primary") == Some(&Value::Bool(true));
        let open = || elements.iter().filter(|element| self.leaves_open(element));
        let preferred =
            || if self.path.sub.as_deref() == Some("value") { elements.iter().find(is_primary) } else { None };
        open().find(is_primary).or_else(preferred).or_else(|| open().next())
    }

    /// Whether an element says nothing about what the selector asks for.
    pub fn leaves_open(&self, element: &Value) -> bool {
        self.selector.iter().all(|(name, expected)| match (element.get(&**name), expected) {
            // False is what a `primary` that is not there means.
            (None | Some(Value::Null), _) | (Some(Value::Bool(false)), Value::Bool(true)) => true,
            (Some(_), _) => has(element, name, expected),
        })
    }

    /// Sets the value of this row in a resource that is being built from a native document.
    pub fn write(&self, resource: &mut Resource, value: Value) {
        if self.selector.is_empty() {
            resource.set(&self.path, Some(value));
            return;
        }
        let attribute = AttrPath { sub: None, ..self.path.clone() };
        let mut elements = match resource.get(&attribute) {
            Some(Value::Array(elements)) => elements.clone(),
            _ => Vec::new(),
        };
        let position = elements.iter().position(|element| self.selects(element)).unwrap_or_else(|| {
            elements.push(Value::Object(self.constants()));
            elements.len() - 1
        });
        if let Some(Value::Object(element)) = elements.get_mut(position) {
            match (&self.path.sub, value) {
                (Some(sub), value) => {
                    element.insert(sub.to_string(), value);
                }
                (None, Value::Object(fields)) => element.extend(fields),
                (None, _) => {}
            }
        }
        resource.set(&attribute, Some(Value::Array(elements)));
    }

    /// Whether an element is the one that the row asks for.
    pub fn selects(&self, element: &Value) -> bool {
        self.selector.iter().all(|(name, expected)| has(element, name, expected))
    }

    fn constants(&self) -> Map<String, Value> {
        self.selector.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    }
}

/// Types are compared without case, as RFC 7643 has them.
fn has(element: &Value, name: &str, expected: &Value) -> bool {
    match (element.get(name), expected) {
        (Some(Value::String(actual)), Value::String(expected)) => actual.eq_ignore_ascii_case(expected),
        (actual, expected) => actual == Some(expected),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.selector.is_empty() {
            return write!(f, "{}", self.path);
        }
        write!(f, "{}[", AttrPath { sub: None, ..self.path.clone() })?;
        for (index, (name, value)) in self.selector.iter().enumerate() {
            let and = if index == 0 { "" } else { " and " };
            write!(f, "{and}{name} eq {value}")?;
        }
        f.write_str("]")?;
        match &self.path.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}
