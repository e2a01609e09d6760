//! Static types: what a value can be as far as it is known before any document is seen.
//!
//! Every type includes null, because every field may be missing. What comes from a native document is [`Type::Any`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What is known of a value besides that it may be null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Nothing is known.
    #[default]
    Any,
    /// It is null.
    Null,
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Double,
    /// A number of either kind.
    Number,
    /// A text.
    String,
    /// A list of elements of one type.
    List(Arc<Type>),
    /// A map from texts to values of one type.
    Map(Arc<Type>),
    /// A document whose fields are known.
    Record(Arc<Record>),
}

/// The fields of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What it is called in messages: `User`, `emails`.
    pub name: Box<str>,
    /// Fields by name.
    pub fields: BTreeMap<Box<str>, Type>,
    /// Fields of a field that can be named without it: `department` for that of the enterprise extension.
    pub shortcuts: BTreeMap<Box<str>, Box<str>>,
    /// There are no other fields, and nothing else that knows better: to name one is a mistake.
    pub closed: bool,
}

/// What the place of an expression takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Any value.
    #[default]
    Anything,
    /// A boolean; null counts as false.
    Condition,
    /// A value that can be written as text: no list and no map.
    Scalar,
    /// A text and nothing else.
    String,
    /// A boolean value.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// A list.
    List,
    /// A map.
    Map,
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Type) -> Self {
        Self::List(Arc::new(element))
    }

    /// A map of `value`.
    pub fn map(value: Type) -> Self {
        Self::Map(Arc::new(value))
    }

    /// Whether values of the two types can be equal.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _)
            | (_, Self::Any | Self::Null)
            | (Self::Record(_), Self::Record(_) | Self::Map(_))
            | (Self::Map(_), Self::Record(_)) => true,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => a.meets(b),
            (a, b) if a.is_number() => b.is_number(),
            (a, b) => a == b,
        }
    }

    /// What a value of one of the two types is known to be.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, other) | (other, Self::Null) => other,
            (a, b) if a == b => a,
            (a, b) if a.is_number() && b.is_number() => Self::Number,
            (Self::List(a), Self::List(b)) => Self::list((*a).clone().or((*b).clone())),
            (Self::Map(a), Self::Map(b)) => Self::map((*a).clone().or((*b).clone())),
            _ => Self::Any,
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Number)
    }

    /// Whether a value of this type may be what `wanted` asks for.
    pub(super) fn may_be(&self, wanted: Wanted) -> bool {
        match (wanted, self) {
            (Wanted::Anything, _) | (_, Self::Any | Self::Null) => true,
            (Wanted::Condition | Wanted::Bool, found) => *found == Self::Bool,
            (Wanted::Scalar, found) => !matches!(found, Self::List(_) | Self::Map(_) | Self::Record(_)),
            (Wanted::String, found) => *found == Self::String,
            (Wanted::Int, found) => matches!(found, Self::Int | Self::Number),
            (Wanted::Number, found) => found.is_number(),
            (Wanted::List, found) => matches!(found, Self::List(_)),
            (Wanted::Map, found) => matches!(found, Self::Map(_) | Self::Record(_)),
        }
    }
}

impl Wanted {
    /// What a value of another type is told.
    pub(super) fn refusal(self, found: &Type) -> String {
        let wanted = match self {
            Self::Anything => "a value",
            Self::Condition => return format!("a condition is a boolean, and this is {found}"),
            Self::Scalar => return format!("{found} cannot stand in a text"),
            Self::String => "a text",
            Self::Bool => "a boolean",
            Self::Int => "a whole number",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Map => "a map",
        };
        format!("{wanted} is needed here, and this is {found}")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any value",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Int => "a whole number",
            Self::Double | Self::Number => "a number",
            Self::String => "a text",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Record(_) => "a map",
        })
    }
}
