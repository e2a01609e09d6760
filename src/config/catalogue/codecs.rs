//! The catalogue of codecs.

use super::{Key, Keys, Kind, key};

/// A conversion of values.
#[derive(Debug)]
pub(crate) struct CodecEntry {
    pub(crate) name: &'static str,
    /// What `{ name = argument }` takes.
    pub(crate) argument: Argument,
    /// Keys that may stand beside it in its table.
    pub(crate) beside: &'static [Key],
    /// One sentence, from SCIM to native.
    pub(crate) about: &'static str,
    /// What a round trip keeps.
    pub(crate) law: &'static str,
}

/// Whether a codec takes an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    None,
    Optional(Kind),
    Required(Kind),
}

impl Argument {
    /// The tables that it may be.
    pub(super) fn tables(self) -> Vec<&'static Keys> {
        match self {
            Self::None => Vec::new(),
            Self::Optional(kind) | Self::Required(kind) => kind.tables(),
        }
    }
}

const fn codec(name: &'static str, argument: Argument, law: &'static str, about: &'static str) -> CodecEntry {
    CodecEntry { name, argument, beside: &[], about, law }
}

pub(crate) static REWRITE: Keys = Keys {
    title: "`regex` as a codec",
    what: "`regex`",
    about: "A part of the SCIM value, and how the value is made of it again.",
    own: &[
        key("pattern", Kind::Pattern, "What the SCIM value looks like, with one group: the native value.").required(),
        key("back", Kind::Text, "The SCIM value again, from the group `$1`.").required(),
    ],
    shared: &[],
    later: &[],
};

const ZONE: &[Key] = &[key("zone", Kind::Word, "The time zone of a `datetime` without an offset, such as `\"Europe/Oslo\"`.")];

/// Every codec.
pub(crate) static CODECS: &[CodecEntry] = &[
    codec("lower", Argument::None, "canon", "Lower case."),
    codec("upper", Argument::None, "canon", "Upper case."),
    codec("trim", Argument::None, "canon", "Without white space at both ends."),
    codec("nfc", Argument::None, "canon", "Unicode normalization form C."),
    codec("phone", Argument::Optional(Kind::Word), "canon", "A telephone number as E.164; the argument is the calling code of numbers without one, `\"+47\"`."),
    codec("regex", Argument::Required(Kind::Table(&REWRITE)), "partial", "The text of the one group of a pattern; `back` makes the whole again."),
    codec("int", Argument::None, "partial", "Text with an integer as a number."),
    codec("float", Argument::None, "partial", "Text with a number as a number."),
    codec("string", Argument::None, "canon", "A value as text."),
    codec("json", Argument::None, "iso", "A value as the text of its JSON."),
    codec("b64", Argument::None, "iso", "Text as Base64 of its UTF-8."),
    codec("segment", Argument::Optional(Kind::Word), "lossy", "The last segment of a URL; the argument is what must stand before it."),
    codec("prefix", Argument::Required(Kind::Word), "partial", "Text behind a prefix."),
    codec("suffix", Argument::Required(Kind::Word), "partial", "Text before a suffix."),
    codec("locale", Argument::Required(Kind::Word), "partial", "A language tag with this separator instead of `-`."),
    codec("join", Argument::Required(Kind::Word), "partial", "Several values as one text with this separator."),
    codec("wrap", Argument::Required(Kind::Word), "iso", "`x` as `{ key: x }`; of a complex attribute only that sub-attribute, plain."),
    codec("table", Argument::Required(Kind::Name("backend.<name>.table")), "partial", "A name as the key that a reference table has for it."),
    codec("truncate", Argument::Required(Kind::Int(1, 65_536)), "lossy", "Text cut after so many characters."),
    CodecEntry { beside: ZONE, ..codec("datetime", Argument::Required(Kind::TimeFormat), "canon", "A time as `rfc3339`, `epoch`, `epoch_ms` or in a format with `%`; `zone` beside it for a format without an offset.") },
    codec("bool", Argument::Required(Kind::List(&Kind::Literal)), "iso", "`true` and `false` as these two values."),
];

/// Codecs of the language that this version does not support.
pub(crate) static LATER_CODECS: &[&str] = &[];
