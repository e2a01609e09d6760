//! The catalogue of codecs.

use super::{Key, Keys, Kind, key};

/// A conversion of values.
#[derive(Debug)]
pub(crate) struct CodecEntry {
    pub(crate) name: &'static str,
    /// What `{ name = argument }` takes.
    pub(crate) argument: Argument,
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
    pub(crate) fn kind(&self) -> Option<&Kind> {
        match self {
            Self::None => None,
            Self::Optional(kind) | Self::Required(kind) => Some(kind),
        }
    }
}

const fn codec(name: &'static str, argument: Argument, law: &'static str, about: &'static str) -> CodecEntry {
    CodecEntry { name, argument, about, law }
}

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
    codec("truncate", Argument::Required(Kind::Int(1, 65_536)), "lossy", "Text cut after so many characters."),
    codec("datetime", Argument::Required(Kind::Words(&["rfc3339", "epoch", "epoch_ms"])), "canon", "A time as `rfc3339`, `epoch`, `epoch_ms`, or in a format with `%`, which may have a `zone` beside it: `{ datetime = \"%Y-%m-%d %H:%M:%S\", zone = \"Europe/Oslo\" }`."),
    codec("bool", Argument::Required(Kind::List(&Kind::Literal)), "iso", "`true` and `false` as these two values."),
];

/// Codecs of the language that this version does not support.
pub(crate) static LATER_CODECS: &[&str] = &["table"];

pub(crate) static REWRITE: Keys = Keys {
    title: "`regex` of a codec",
    what: "`regex`",
    about: "A text of which natively only a part is kept.",
    own: &[
        REWRITE_PATTERN,
        REWRITE_BACK,
    ],
    shared: &[],
    later: &[],
};

const REWRITE_PATTERN: Key = key("pattern", Kind::Pattern, "What the SCIM value looks like, with one group.").required();
const REWRITE_BACK: Key = key("back", Kind::Text, "The SCIM value again, from the group `$1`.").required();
