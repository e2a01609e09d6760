//! Attribute paths (RFC 7644 3.10) in canonical form, and how text becomes one.
//!
//! In: `[urn:]attribute[.sub]` as a client or a mapping author wrote it, and a resource type. Out: the attribute it
//! names, with every name in the spelling of its schema. Value filters (`emails[...]`) belong to the filter and PATCH
//! parsers, which call this module for the names around the brackets.

use std::fmt;
use std::sync::Arc;

use super::schema::{
    Attribute, CORE_1_SCHEMA, ENTERPRISE_1_SCHEMA, ENTERPRISE_SCHEMA, ResourceType, Schema, common_attributes, find,
};

/// Where a value lives in a resource: `[urn:]attribute[.sub]`, resolved against a resource type, so every name has
/// the spelling of its schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// URN of the extension schema; `None` for the core schema and the common attributes.
    pub extension: Option<Arc<str>>,
    /// Attribute name.
    pub attribute: Arc<str>,
    /// Sub-attribute name.
    pub sub: Option<Arc<str>>,
}

/// What a text names.
#[derive(Clone, Debug, PartialEq)]
pub enum Target<'a> {
    /// The core schema itself, by its URN.
    Core,
    /// An extension itself, by its URN.
    Extension(&'a Schema),
    /// An attribute or a sub-attribute.
    Attribute(Resolved<'a>),
}

/// An attribute path together with the definitions it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved<'a> {
    /// The canonical path.
    pub path: AttrPath,
    /// The attribute.
    pub attribute: &'a Attribute,
    /// The sub-attribute, where the path has one.
    pub sub: Option<&'a Attribute>,
}

/// Why a text names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text does not have the form of a path.
    #[error("{reason} in attribute path '{text}'")]
    Syntax {
        /// The path, shortened.
        text: String,
        /// What is wrong, such as `empty name`.
        reason: &'static str,
    },
    /// The URN is that of no schema of this resource type.
    #[error("no schema '{urn}' for {resource_type}{}", hint(suggestion.as_deref()))]
    UnknownSchema {
        /// The URN, shortened.
        urn: String,
        /// The resource type that was asked.
        resource_type: String,
        /// The URN that was probably meant.
        suggestion: Option<String>,
    },
    /// No schema in question has an attribute of that name.
    #[error("{resource_type} has no attribute '{name}'{}", hint(suggestion.as_deref()))]
    UnknownAttribute {
        /// The name, shortened.
        name: String,
        /// The resource type or extension that was asked.
        resource_type: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// The attribute has no such sub-attribute.
    #[error("attribute '{attribute}' has no sub-attribute '{name}'{}", hint(suggestion.as_deref()))]
    UnknownSubAttribute {
        /// The attribute in its canonical spelling.
        attribute: String,
        /// The name, shortened.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// Several extensions have an attribute of that name, so it needs its URN.
    #[error("attribute '{name}' is in several schemas; put the URN of one of them in front")]
    Ambiguous {
        /// The name.
        name: String,
    },
    /// A schema is named where an attribute is needed.
    #[error("'{urn}' names a schema; an attribute of it is needed here")]
    NotAnAttribute {
        /// The URN in its canonical spelling.
        urn: String,
    },
}

impl ResourceType {
    /// Finds what a text names, without regard to case.
    ///
    /// A bare name is looked for in the core schema, the common attributes, the enterprise extension and then in the
    /// other extensions, where it must be unique. The URNs of SCIM 1.1 stand for their successors. After a whole URN
    /// a dot is taken for the colon, which some clients mix up.
    pub fn resolve(&self, text: &str) -> Result<Target<'_>, PathError> {
        let Some((scope, rest)) = self.split_urn(text)? else {
            return self.resolve_bare(text).map(Target::Attribute);
        };
        match (scope, rest) {
            (Scope::Core, None) => Ok(Target::Core),
            (Scope::Extension(schema), None) => Ok(Target::Extension(schema)),
            (Scope::Core, Some(rest)) => self.resolve_core(rest).map(Target::Attribute),
            (Scope::Extension(schema), Some(rest)) => resolve_extension(schema, rest).map(Target::Attribute),
        }
    }

    /// Like [`Self::resolve`], where only an attribute will do.
    pub fn resolve_attribute(&self, text: &str) -> Result<Resolved<'_>, PathError> {
        let urn = match self.resolve(text)? {
            Target::Attribute(resolved) => return Ok(resolved),
            Target::Core => &self.schema.id,
            Target::Extension(schema) => &schema.id,
        };
        Err(PathError::NotAnAttribute { urn: urn.to_string() })
    }

    /// The definition that a canonical path names: the attribute and, if the path has one, the sub-attribute.
    pub fn definition(&self, path: &AttrPath) -> Option<(&Attribute, Option<&Attribute>)> {
        let attribute = match &path.extension {
            Some(urn) => self.extension(urn)?.attribute(&path.attribute)?,
            None => self.core_attribute(&path.attribute)?,
        };
        match &path.sub {
            Some(sub) => Some((attribute, Some(attribute.sub_attribute(sub)?))),
            None => Some((attribute, None)),
        }
    }

    /// Splits a known schema URN off. The longest one wins, because a URN may be the beginning of another.
    fn split_urn<'t>(&self, text: &'t str) -> Result<Option<(Scope<'_>, Option<&'t str>)>, PathError> {
        if !text.contains(':') {
            return Ok(None);
        }
        let found = self
            .known_urns()
            .filter_map(|(urn, scope)| after_urn(text, urn).map(|tail| (urn.len(), scope, tail)))
            .max_by_key(|(length, ..)| *length);
        if let Some((_, scope, tail)) = found {
            return Ok(Some((scope, tail.strip_prefix([':', '.']))));
        }
        let urn = text.rsplit_once(':').map_or(text, |(urn, _)| urn);
        let known: Vec<&str> = self.known_urns().map(|(urn, _)| urn).collect();
        // The whole text may itself be a misspelt URN; take the reading that is closer to a known one.
        let suggestion = nearest(text, known.iter().copied()).or_else(|| nearest(urn, known.iter().copied()));
        Err(PathError::UnknownSchema { urn: shorten(urn), resource_type: self.name.to_string(), suggestion })
    }

    fn known_urns(&self) -> impl Iterator<Item = (&str, Scope<'_>)> {
        let enterprise =
            self.extension(ENTERPRISE_SCHEMA).map(|schema| (ENTERPRISE_1_SCHEMA, Scope::Extension(schema)));
        let extensions = self.extensions.iter().map(|schema| (&*schema.id, Scope::Extension(schema)));
        [(&*self.schema.id, Scope::Core), (CORE_1_SCHEMA, Scope::Core)].into_iter().chain(extensions).chain(enterprise)
    }

    fn resolve_bare(&self, text: &str) -> Result<Resolved<'_>, PathError> {
        let (name, sub) = split_names(text)?;
        if let Some(attribute) = self.core_attribute(name) {
            return resolve_sub(None, attribute, sub);
        }
        let mut holders = self.extensions.iter().filter(|schema| schema.attribute(name).is_some());
        let enterprise = self.extension(ENTERPRISE_SCHEMA).filter(|schema| schema.attribute(name).is_some());
        if let Some(schema) = enterprise {
            return resolve_extension(schema, text);
        }
        match (holders.next(), holders.next()) {
            (Some(schema), None) => resolve_extension(schema, text),
            (Some(_), Some(_)) => Err(PathError::Ambiguous { name: shorten(name) }),
            (None, _) => Err(self.unknown_attribute(name)),
        }
    }

    fn resolve_core(&self, text: &str) -> Result<Resolved<'_>, PathError> {
        let (name, sub) = split_names(text)?;
        let attribute = self.core_attribute(name).ok_or_else(|| self.unknown_attribute(name))?;
        resolve_sub(None, attribute, sub)
    }

    /// The attribute of the core schema, or the common attribute, of that name, compared without case.
    pub fn core_attribute(&self, name: &str) -> Option<&Attribute> {
        self.schema.attribute(name).or_else(|| find(common_attributes(), name))
    }

    fn unknown_attribute(&self, name: &str) -> PathError {
        let schemas = std::iter::once(&self.schema).chain(&self.extensions);
        let known = schemas.flat_map(|schema| &schema.attributes).chain(common_attributes());
        // A name that an extension has gets here only behind the core URN, so what is wrong is the URN.
        let elsewhere = self.extensions.iter().find_map(|schema| {
            let attribute = schema.attribute(name)?;
            Some(format!("{}:{}", schema.id, attribute.name))
        });
        PathError::UnknownAttribute {
            name: shorten(name),
            resource_type: self.name.to_string(),
            suggestion: elsewhere.or_else(|| nearest(name, known.map(|attribute| &*attribute.name))),
        }
    }
}

impl<'a> Resolved<'a> {
    /// The definition at the end of the path: the sub-attribute if there is one.
    pub fn leaf(&self) -> &'a Attribute {
        self.sub.unwrap_or(self.attribute)
    }
}

impl AttrPath {
    /// A path in the core schema or to a common attribute.
    pub fn core(attribute: &str, sub: Option<&str>) -> Self {
        Self { extension: None, attribute: Arc::from(attribute), sub: sub.map(Arc::from) }
    }

    /// The path without its sub-attribute.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self { sub: None, ..self.clone() }
    }

    /// The path of a sub-attribute of this attribute.
    #[must_use]
    pub fn child(&self, sub: &Arc<str>) -> Self {
        Self { sub: Some(Arc::clone(sub)), ..self.clone() }
    }

    /// Whether both name the same attribute, whatever their sub-attributes.
    pub fn same_attribute(&self, other: &Self) -> bool {
        self.extension == other.extension && self.attribute == other.attribute
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(sub) = &self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Scope<'a> {
    Core,
    Extension(&'a Schema),
}

/// What follows the URN: nothing, or a separator and more. `None` if the text does not begin with this URN.
fn after_urn<'t>(text: &'t str, urn: &str) -> Option<&'t str> {
    let (head, tail) = (text.get(..urn.len())?, text.get(urn.len()..)?);
    let ends = tail.is_empty() || tail.starts_with([':', '.']);
    (ends && head.eq_ignore_ascii_case(urn)).then_some(tail)
}

fn resolve_extension<'a>(schema: &'a Schema, text: &str) -> Result<Resolved<'a>, PathError> {
    let (name, sub) = split_names(text)?;
    let attribute = schema.attribute(name).ok_or_else(|| PathError::UnknownAttribute {
        name: shorten(name),
        resource_type: schema.name.clone(),
        suggestion: nearest(name, schema.attributes.iter().map(|attribute| &*attribute.name)),
    })?;
    resolve_sub(Some(&schema.id), attribute, sub)
}

fn resolve_sub<'a>(
    extension: Option<&Arc<str>>,
    attribute: &'a Attribute,
    sub: Option<&str>,
) -> Result<Resolved<'a>, PathError> {
    let sub = sub.map(|name| find_sub(attribute, name)).transpose()?;
    let path = AttrPath {
        extension: extension.cloned(),
        attribute: Arc::clone(&attribute.name),
        sub: sub.map(|sub| Arc::clone(&sub.name)),
    };
    Ok(Resolved { path, attribute, sub })
}

/// The sub-attribute of that name, compared without case.
pub(super) fn find_sub<'a>(attribute: &'a Attribute, name: &str) -> Result<&'a Attribute, PathError> {
    check_name(name, name)?;
    attribute.sub_attribute(name).ok_or_else(|| PathError::UnknownSubAttribute {
        attribute: attribute.name.to_string(),
        name: shorten(name),
        suggestion: nearest(name, attribute.sub_attributes.iter().map(|sub| &*sub.name)),
    })
}

/// Splits `attribute[.sub]`, both well formed.
fn split_names(text: &str) -> Result<(&str, Option<&str>), PathError> {
    let (name, sub) = match text.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (text, None),
    };
    check_name(name, text)?;
    if let Some(sub) = sub {
        if sub.contains('.') && sub.split('.').all(|part| !part.is_empty()) {
            return Err(PathError::Syntax { text: shorten(text), reason: "more than one sub-attribute" });
        }
        check_name(sub, text)?;
    }
    Ok((name, sub))
}

/// `ATTRNAME` of RFC 7643 2.1, widened by `$` (for `$ref`) and by digits in front.
fn check_name(name: &str, text: &str) -> Result<(), PathError> {
    let reason = if name.split('.').any(str::is_empty) {
        "empty name"
    } else if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'-' | b'_')) {
        return Ok(());
    } else {
        "character that no attribute name has"
    };
    Err(PathError::Syntax { text: shorten(text), reason })
}

/// The known name closest to a misspelt one, if any is close.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    if name.len() > SHOWN_MAX_BYTES {
        return None;
    }
    let name = name.to_ascii_lowercase();
    known
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.to_owned())
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

/// Text from a request as it may be repeated in an error.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX_BYTES) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Longest name that is repeated in full in an error, and longest one that is compared with known names.
const SHOWN_MAX_BYTES: usize = 100;

/// Below this a suggestion confuses more than it helps.
const SIMILARITY_MIN: f64 = 0.6;

#[cfg(test)]
mod tests;
