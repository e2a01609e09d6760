//! The catalogue of keys: every table of the language, what may stand in it, and a sentence about each key.
//!
//! In: nothing. Out: [`Keys`], which the compiler checks tables against; `docs/reference.md` and the JSON Schema are
//! rendered from the same entries, so neither can drift. A key that is not here cannot be read: `Fields` refuses it
//! in every test. Nothing here reads a file.
//!
//! A further key is one line, `key("name", KIND, "Sentence.")`, in the table that it belongs to, followed by
//! `.required()` or `.default("10s")` where one holds. A further table is one more `static` of type [`Keys`]; it is
//! reachable as soon as a key takes it. Run `BLESS=1 cargo test --lib catalogue` afterwards.

#[rustfmt::skip]
mod backend;
#[rustfmt::skip]
mod codecs;
#[rustfmt::skip]
mod file;
#[rustfmt::skip]
mod members;
#[rustfmt::skip]
mod resource;
#[cfg(test)]
mod tests;

pub(crate) use backend::{
    BACKEND, BREAKER, CREDENTIAL, ENVELOPE, ERROR_ANSWER, ERROR_RULE, LOGIN, PAGING, RETRY, RULE_RETRY, SEND, TABLE,
    TLS,
};
pub(crate) use codecs::{Argument, CODECS, LATER_CODECS, REWRITE};
pub(crate) use file::{
    ATTRIBUTE, AUTHENTICATOR, DEFAULTS, FILE, LIMITS, LINT, LOG, METRICS, ROUTE, SCHEMA, SERVER, STORE, TOKEN, TRACE,
};
pub(crate) use members::{CHANGE, INVERSE, MEMBER_LIST, MEMBERS, MEMBERS_IN, MISSING, SET};
pub(crate) use resource::{
    CREATE_CALL, DELETE_CALL, ELSE, EXISTS, EXTRACT, GUARD, ID, LIST_CALL, OPERATIONS, PART, PART_LIST, PLAN,
    READ_CALL, RESOURCE, REST, REVIVE_CALL, ROW, SCAN, STEP, UNDO, WRITE_CALL, WRITE_RULE,
};

/// The keys of one kind of table.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Its heading in the reference: `[backend.<name>]`.
    pub(crate) title: &'static str,
    /// What a message calls such a table: "a backend".
    pub(crate) what: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    /// Its own keys.
    pub(crate) own: &'static [Key],
    /// Keys that it has in common with other tables.
    pub(crate) shared: &'static [Key],
    /// Keys of the language that this version does not support.
    pub(crate) later: &'static [&'static str],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One sentence, with a full stop.
    pub(crate) about: &'static str,
    pub(crate) required: bool,
    /// What holds without the key, as TOML.
    pub(crate) default: Option<&'static str>,
}

/// What a key takes. The kind decides how a text is read, never its content.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A text that is not empty.
    Word,
    /// `true` or `false`.
    Bool,
    /// A whole number between two bounds, both included.
    Int(u64, u64),
    /// A whole number of a few.
    OneOf(&'static [u64]),
    /// One of a few words.
    Words(&'static [&'static str]),
    /// The name of something declared elsewhere: `[auth.<name>]`.
    Name(&'static str),
    /// A number from 0 to 1.
    Share,
    /// Levels of log lines: `"info,scimshim::native=debug"`.
    LogLevels,
    /// `"500ms"`, `"5s"`, `"2m"`, `"1h"`.
    Duration,
    /// `"2027-03-01"`, `"2027-03-01T12:00:00Z"`.
    Date,
    /// Bytes, or `"64KiB"`, `"1MiB"`.
    Size,
    /// Address and port.
    Address,
    /// An address or a range of addresses.
    AddressRange,
    /// Versions of the program.
    Requirement,
    /// Scheme, host, port and perhaps a path.
    Url,
    /// A URN.
    Urn,
    /// A call slot, perhaps of one type: `list`, `Group.get`.
    Slot,
    /// A regular expression that matches the whole value, or `"$name"` for one of `[patterns]`.
    Pattern,
    /// A path into a native document.
    Path,
    /// Text with `{expressions}`.
    Template,
    /// A bare expression.
    Expression,
    /// `"METHOD /path?query"`.
    Call,
    /// `"get"`, `"get {value}"`, `"?name={value}"` or a call.
    Plan,
    /// A codec: its name, or a table with its name and argument.
    Codec,
    /// The form of a time.
    TimeFormat,
    /// A reference to a secret.
    Secret,
    /// A reference to a secret, or the hash of one.
    Token,
    /// A text, a number or a boolean.
    Literal,
    /// Anything that JSON can hold; texts are templates.
    Body,
    /// A table with these keys.
    Table(&'static Keys),
    /// A list.
    List(&'static Kind),
    /// A table whose keys the author chooses: what a key is, and the kind of its value.
    Map(&'static str, &'static Kind),
    /// One of several forms.
    Either(&'static [Kind]),
}

/// An optional key without a default.
const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about, required: false, default: None }
}

impl Key {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }
}

impl Keys {
    /// Every key, its own first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Key> {
        self.own.iter().chain(self.shared)
    }

    /// The names of all keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.all().map(|key| key.name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'static Key> {
        self.all().find(|key| key.name == name)
    }

    /// A name for links: the title without its signs.
    pub(crate) fn id(&self) -> String {
        let words: Vec<&str> =
            self.title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.join("-").to_lowercase()
    }
}

impl Kind {
    /// The tables that it may hold.
    pub(crate) fn tables(&self) -> Vec<&'static Keys> {
        match self {
            Self::Table(keys) => vec![keys],
            Self::List(kind) | Self::Map(_, kind) => kind.tables(),
            Self::Either(kinds) => kinds.iter().flat_map(Self::tables).collect(),
            Self::Codec => CODECS.iter().flat_map(|codec| codec.argument.tables()).collect(),
            _ => Vec::new(),
        }
    }
}
