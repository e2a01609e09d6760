//! The path of a PATCH operation (RFC 7644 3.5.2, `PATH`): `attribute`, `attribute.sub`, `attribute[filter]`,
//! `attribute[filter].sub`, each with an optional schema URN in front, or the URN of a schema alone.
//!
//! In: text from a client. Out: the names and the filter it consists of, resolved against a resource type.

use crate::scim::attr_path::{PathError, Resolved, Target};
use crate::scim::filter::{Filter, FilterError, FilterLimits, FilterRepair, Parsed};
use crate::scim::schema::{Attribute, ResourceType, Schema};

use super::PatchPath;

/// What a path names.
#[derive(Clone, Debug, PartialEq)]
pub enum PatchTarget<'a> {
    /// The core schema as a whole.
    Core,
    /// An extension as a whole.
    Extension(&'a Schema),
    /// An attribute, some of its elements, or a sub-attribute of either.
    Attribute {
        /// The canonical path.
        path: PatchPath,
        /// The attribute.
        attribute: &'a Attribute,
        /// The sub-attribute, where the path has one.
        sub: Option<&'a Attribute>,
    },
}

/// A path and what was repaired in its filter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedPath<'a> {
    /// What it names.
    pub target: PatchTarget<'a>,
    /// One entry per repaired literal.
    pub repairs: Vec<FilterRepair>,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PatchPathError {
    /// The names around the filter are wrong.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The filter is wrong.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// An opening bracket without a closing one, or the other way round, or text after it that is no sub-attribute.
    #[error("unbalanced brackets in the path")]
    Brackets,
    /// A filter on an attribute that is not a list.
    #[error("'{attribute}' holds one value, so its path takes no filter")]
    NotAList {
        /// The attribute in its canonical spelling.
        attribute: String,
    },
}

/// Parses a path.
///
/// # Errors
/// See [`PatchPathError`]; `invalidPath` on the wire, or `invalidFilter` where the filter is at fault.
pub fn parse<'a>(rt: &'a ResourceType, text: &str, limits: &FilterLimits) -> Result<ParsedPath<'a>, PatchPathError> {
    let Some((name, rest)) = text.split_once('[') else {
        if text.contains(']') {
            return Err(PatchPathError::Brackets);
        }
        let target = match rt.resolve(text)? {
            Target::Core => PatchTarget::Core,
            Target::Extension(schema) => PatchTarget::Extension(schema),
            Target::Attribute(resolved) => target(resolved, None),
        };
        return Ok(ParsedPath { target, repairs: Vec::new() });
    };
    // The filter may hold brackets inside quotes; a sub-attribute cannot.
    let (filter, tail) = rest.rsplit_once(']').ok_or(PatchPathError::Brackets)?;
    let names = match tail.strip_prefix('.') {
        Some(sub) => format!("{name}.{sub}"),
        None if tail.is_empty() => name.to_owned(),
        None => return Err(PatchPathError::Brackets),
    };
    let listed = rt.resolve_attribute(name)?;
    if !listed.attribute.multi_valued || listed.sub.is_some() {
        return Err(PatchPathError::NotAList { attribute: listed.path.to_string() });
    }
    let resolved = rt.resolve_attribute(&names)?;
    let Parsed { filter, repairs } = Filter::parse_in_attribute(filter, listed.attribute, limits)?;
    Ok(ParsedPath { target: target(resolved, Some(filter)), repairs })
}

fn target(resolved: Resolved<'_>, filter: Option<Filter>) -> PatchTarget<'_> {
    let Resolved { path, attribute, sub } = resolved;
    PatchTarget::Attribute { path: PatchPath { attr: path, filter }, attribute, sub }
}
