//! The catalogue of codecs: small conversions that know both directions.
//!
//! In: a SCIM value ([`Codec::encode`]) or a native one ([`Codec::decode`]). Out: the other, or a refusal that names
//! what was expected and never the value. Which codecs an attribute may have is decided by `config`.

mod form;
mod phone;
mod rewrite;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::sync::Arc;

use serde_json::Value;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::scim::AttributeType;

pub use form::Form;
pub use rewrite::{Rewrite, RewriteError};
pub use table::ValueMap;
pub use time::TimeFormat;

/// One invertible (or honestly not invertible) conversion.
///
/// On a list it runs element by element, but for [`Codec::Join`], which is about the list as a whole, and
/// [`Codec::Json`]. Null passes through both ways, but for a [`ValueMap`] that says what absence reads as.
#[derive(Clone, Debug, PartialEq)]
pub enum Codec {
    /// Lower case natively.
    Lower,
    /// Upper case natively.
    Upper,
    /// No white space around the native text.
    Trim,
    /// Natively in Unicode's composed form (NFC).
    Nfc,
    /// A telephone number, natively in the form of E.164.
    Phone {
        /// Calling code of numbers without one.
        country: Option<Arc<str>>,
    },
    /// Natively the part that a group matches.
    Regex(Arc<Rewrite>),
    /// Natively the same, if it looks like this; what the application has is shown whatever it looks like.
    Form(Arc<Form>),
    /// SCIM text, native whole number.
    Int,
    /// SCIM text, native number.
    Float,
    /// SCIM value of the given type, native text.
    Text(AttributeType),
    /// SCIM boolean, two native values.
    Bool {
        /// What `true` is natively.
        yes: Value,
        /// What `false` is natively.
        no: Value,
    },
    /// A table of values.
    Map(ValueMap),
    /// Native text has this in front.
    Prefix(Arc<str>),
    /// Native text has this at its end.
    Suffix(Arc<str>),
    /// SCIM date and time, native form of its own.
    DateTime(DateTimeFormat),
    /// Any SCIM value, native JSON text.
    Json,
    /// Text, natively in Base64.
    B64,
    /// `en-US`, natively with another separator.
    Locale(Arc<str>),
    /// A list, natively one text with separators.
    Join(Arc<str>),
    /// A value, natively an object with this one field.
    Wrap(Arc<str>),
    /// An object, natively the value of this one field; the others are forgotten.
    Unwrap(Arc<str>),
    /// Reading only: the last segment of a URL or path; `after` must stand before it where given.
    Segment {
        /// End of what precedes the segment.
        after: Option<Arc<str>>,
    },
    /// The first characters only.
    Truncate(usize),
    /// A name, natively the key that a reference table has for it. Only rows have tables at hand.
    Table(Arc<str>),
}

/// Native forms of a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DateTimeFormat {
    /// RFC 3339 text.
    Rfc3339,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMillis,
    /// A format of the author's.
    Text(Arc<TimeFormat>),
}

/// How lawful a codec is, from best to worst: the class of a chain is that of its worst link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// A bijection on its domain.
    Iso,
    /// A bijection where defined; refuses the rest.
    Partial,
    /// An idempotent normaliser: lawful where the attribute's equality absorbs it.
    Canon,
    /// Forgets.
    Lossy,
}

/// A value that a codec cannot convert.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {wanted}")]
pub struct CodecError {
    /// What would have been fine, in words; never holds the value.
    pub wanted: String,
}

impl Codec {
    /// SCIM to native.
    ///
    /// # Errors
    ///
    /// The value has no native form: 400 `invalidValue` for the client.
    pub fn encode(&self, value: &Value) -> Result<Value, CodecError> {
        match (self, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Self::Join(separator), _) => text::join(separator, value),
            (Self::Json, _) => Ok(Value::from(value.to_string())),
            (_, Value::Array(items)) => items.iter().map(|item| self.encode(item)).collect(),
            _ => self.encode_one(value),
        }
    }

    /// Native to SCIM.
    ///
    /// # Errors
    ///
    /// The native value is none that [`Self::encode`] makes: the attribute is left out and counted.
    pub fn decode(&self, value: &Value) -> Result<Value, CodecError> {
        match (self, value) {
            (Self::Map(map), Value::Null) => map.decode(value),
            (_, Value::Null) => Ok(Value::Null),
            (Self::Join(separator), _) => text::split(separator, value),
            (Self::Json, _) => text::parse_json(value),
            (_, Value::Array(items)) => items.iter().map(|item| self.decode(item)).collect(),
            _ => self.decode_one(value),
        }
    }

    /// Whether a native text is read just as it stands, as far as that is seen at a glance.
    pub fn reads_as_it_stands(&self, text: &str) -> bool {
        matches!(self, Self::DateTime(DateTimeFormat::Rfc3339)) && text::is_canonical(text)
    }

    fn encode_one(&self, value: &Value) -> Result<Value, CodecError> {
        match self {
            Self::Lower => Ok(Value::from(text::string(value)?.to_lowercase())),
            Self::Upper => Ok(Value::from(text::string(value)?.to_uppercase())),
            Self::Trim => Ok(Value::from(text::string(value)?.trim())),
            Self::Nfc => Ok(nfc(text::string(value)?)),
            Self::Phone { country } => phone::to_e164(text::string(value)?, country.as_deref()).map(Value::from),
            Self::Regex(rewrite) => rewrite.encode(value),
            Self::Form(form) => form.check(value),
            Self::Int => text::integer(value),
            Self::Float => text::float(value),
            Self::Text(_) => text::to_text(value),
            Self::Bool { yes, no } => match value {
                Value::Bool(true) => Ok(yes.clone()),
                Value::Bool(false) => Ok(no.clone()),
                _ => Err(CodecError::wanted("`true` or `false`")),
            },
            Self::Map(map) => map.encode(value),
            Self::Prefix(prefix) => Ok(Value::from(format!("{prefix}{}", text::string(value)?))),
            Self::Suffix(suffix) => Ok(Value::from(format!("{}{suffix}", text::string(value)?))),
            Self::DateTime(format) => text::to_native_time(format, value),
            Self::B64 => text::to_base64(value),
            Self::Locale(separator) => text::exchange(value, "-", separator),
            Self::Wrap(key) => Ok(text::object(key, value)),
            Self::Unwrap(key) => text::field(key, value),
            Self::Segment { .. } => Err(CodecError::wanted("no value: this attribute is read only")),
            Self::Truncate(most) => Ok(Value::from(text::string(value)?.chars().take(*most).collect::<String>())),
            Self::Table(_) => Err(CodecError::wanted("a value where its table is at hand")),
            // Both are about the value as a whole and have been dealt with.
            Self::Json | Self::Join(_) => Ok(value.clone()),
        }
    }

    fn decode_one(&self, value: &Value) -> Result<Value, CodecError> {
        match self {
            Self::Lower | Self::Upper | Self::Trim | Self::Nfc | Self::Phone { .. } | Self::Truncate(_) => {
                text::string(value).map(Value::from)
            }
            Self::Table(_) => Err(CodecError::wanted("a value where its table is at hand")),
            Self::Regex(rewrite) => rewrite.decode(value),
            Self::Int => match value {
                Value::Number(number) if !number.is_f64() => Ok(Value::from(number.to_string())),
                _ => Err(CodecError::wanted("a whole number")),
            },
            Self::Float => match value {
                Value::Number(number) => Ok(Value::from(number.to_string())),
                _ => Err(CodecError::wanted("a number")),
            },
            Self::Text(kind) => text::from_text(*kind, value),
            Self::Bool { yes, no } => match value {
                _ if value == yes => Ok(Value::Bool(true)),
                _ if value == no => Ok(Value::Bool(false)),
                _ => Err(CodecError::wanted(format!("{yes} or {no}"))),
            },
            Self::Map(map) => map.decode(value),
            Self::Prefix(prefix) => text::string(value)?
                .strip_prefix(&**prefix)
                .map(Value::from)
                .ok_or_else(|| CodecError::wanted(format!("a text that begins with `{prefix}`"))),
            Self::Suffix(suffix) => text::string(value)?
                .strip_suffix(&**suffix)
                .map(Value::from)
                .ok_or_else(|| CodecError::wanted(format!("a text that ends in `{suffix}`"))),
            Self::DateTime(format) => text::from_native_time(format, value),
            Self::B64 => text::from_base64(value),
            Self::Locale(separator) => text::exchange(value, separator, "-"),
            Self::Wrap(key) => text::field(key, value),
            Self::Unwrap(key) => Ok(text::object(key, value)),
            Self::Segment { after } => text::segment(after.as_deref(), value),
            Self::Json | Self::Join(_) | Self::Form(_) => Ok(value.clone()),
        }
    }

    /// How lawful it is.
    pub fn class(&self) -> Law {
        match self {
            Self::Bool { .. } | Self::Json | Self::Wrap(_) | Self::B64 => Law::Iso,
            Self::Map(map) => map.class(),
            Self::DateTime(DateTimeFormat::Text(format)) => format.class(),
            Self::Text(AttributeType::String)
            | Self::Lower
            | Self::Upper
            | Self::Trim
            | Self::Nfc
            | Self::Phone { .. }
            | Self::DateTime(_) => Law::Canon,
            Self::Segment { .. } | Self::Truncate(_) | Self::Unwrap(_) => Law::Lossy,
            Self::Text(_)
            | Self::Int
            | Self::Float
            | Self::Prefix(_)
            | Self::Suffix(_)
            | Self::Locale(_)
            | Self::Regex(_)
            | Self::Form(_)
            | Self::Join(_)
            | Self::Table(_) => Law::Partial,
        }
    }

    /// Whether an absent native value reads as something (`else.read` of a value table).
    pub fn reads_absent(&self) -> bool {
        matches!(self, Self::Map(map) if map.else_read.is_some())
    }

    /// The name used in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Trim => "trim",
            Self::Nfc => "nfc",
            Self::Phone { .. } => "phone",
            Self::Regex(_) => "regex",
            Self::Form(_) => "pattern",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text(_) => "string",
            Self::Bool { .. } => "bool",
            Self::Map(_) => "map",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::DateTime(_) => "datetime",
            Self::Json => "json",
            Self::B64 => "b64",
            Self::Locale(_) => "locale",
            Self::Join(_) => "join",
            Self::Wrap(_) | Self::Unwrap(_) => "wrap",
            Self::Segment { .. } => "segment",
            Self::Truncate(_) => "truncate",
            Self::Table(_) => "table",
        }
    }
}

impl CodecError {
    fn wanted(wanted: impl Into<String>) -> Self {
        Self { wanted: wanted.into() }
    }
}

/// Text that is composed already is passed on.
fn nfc(text: &str) -> Value {
    if is_nfc(text) { Value::from(text) } else { Value::from(text.nfc().collect::<String>()) }
}

/// The class of a chain.
pub fn chain_class(codecs: &[Codec]) -> Law {
    codecs.iter().map(Codec::class).max().unwrap_or(Law::Iso)
}
