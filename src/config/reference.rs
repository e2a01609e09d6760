//! The reference of the configuration as Markdown, rendered from the catalogue: `docs/reference.md`.
//!
//! In: the catalogue of keys and codecs, and the table in the documentation of the functions. Out: one text. It holds
//! no sentence about a key that does not stand in the catalogue.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt::Write as _;

use super::catalogue::{Argument, CODECS, FILE, Key, Keys, Kind};
use super::compile::scopes::SEEN;
use crate::mapping::Slot;

/// The reference.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut seen = BTreeSet::new();
    let mut waiting = VecDeque::from([&FILE]);
    while let Some(keys) = waiting.pop_front() {
        if seen.insert(keys.id()) {
            table(&mut text, keys);
            waiting.extend(keys.all().flat_map(|key| key.kind.tables()));
        }
    }
    codecs(&mut text);
    names(&mut text);
    text.push_str(FUNCTIONS_INTRODUCTION);
    for line in FUNCTIONS.lines().filter_map(|line| line.strip_prefix("//! ")).filter(|line| line.starts_with('|')) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn table(text: &mut String, keys: &Keys) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n## {}\n\n{}\n", keys.title, keys.about);
    text.push_str("| key | value | default | |\n| --- | --- | --- | --- |\n");
    for key in keys.all() {
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", key.name, cell(&value(&key.kind)), default(key), key.about);
    }
    if !keys.later.is_empty() {
        let names: Vec<String> = keys.later.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "\nOf the language, but not supported in this version: {}.", names.join(", "));
    }
}

fn default(key: &Key) -> String {
    match key.default {
        Some(default) => format!("`{}`", cell(default)),
        None if key.required => "required".to_owned(),
        None => String::new(),
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn value(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Word => "text".to_owned(),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Int(least, most) => format!("{least} to {most}"),
        Kind::OneOf(numbers) => either(numbers.iter().map(|number| format!("`{number}`"))),
        Kind::Words(words) => either(words.iter().map(|word| format!("`\"{word}\"`"))),
        Kind::Name(of) => format!("name of a `[{of}.<name>]`"),
        Kind::Share => "number from 0 to 1".to_owned(),
        Kind::LogLevels => "[levels](logs-and-traces.md#levels)".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Date => "date or time".to_owned(),
        Kind::Size => "size".to_owned(),
        Kind::Address => "address and port".to_owned(),
        Kind::AddressRange => "address range".to_owned(),
        Kind::Requirement => "versions".to_owned(),
        Kind::Url => "URL".to_owned(),
        Kind::Urn => "URN".to_owned(),
        Kind::Slot => format!("[TYPE.]{}", either(Slot::ALL.iter().map(|slot| format!("`{}`", slot.as_str())))),
        Kind::Pattern => "pattern".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Template => "template".to_owned(),
        Kind::Expression => "expression".to_owned(),
        Kind::Call => "call".to_owned(),
        Kind::Plan => "plan".to_owned(),
        Kind::Codec => "[codec](#codecs)".to_owned(),
        Kind::TimeFormat => "form of a time".to_owned(),
        Kind::Secret => "secret".to_owned(),
        Kind::Token => "secret, or `\"sha256:HEX\"`".to_owned(),
        Kind::Literal => "text, number or boolean".to_owned(),
        Kind::Body => "body".to_owned(),
        Kind::Table(keys) => format!("[table](#{})", anchor(keys.title)),
        Kind::List(item) => format!("list of: {}", value(item)),
        Kind::Map(name, of) => format!("table: {name} = {}", value(of)),
        Kind::Either(forms) => either(forms.iter().map(value)),
    }
}

fn either(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

/// The link to a heading, as Markdown viewers make it.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn codecs(text: &mut String) {
    text.push_str(CODECS_INTRODUCTION);
    for codec in CODECS {
        let argument = match codec.argument {
            Argument::None => String::new(),
            Argument::Optional(kind) => format!("{}, optional", value(&kind)),
            Argument::Required(kind) => value(&kind),
        };
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", codec.name, cell(&argument), codec.law, codec.about);
    }
}

fn names(text: &mut String) {
    text.push_str(NAMES_INTRODUCTION);
    for seen in SEEN {
        let more = [(seen.variables, "route variables"), (seen.tables, "`table`")];
        let more = more.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned());
        let names: Vec<String> = seen.names().map(|name| format!("`{name}`")).chain(more).collect();
        let _ = writeln!(text, "| {} | {} |", seen.keys, names.join(", "));
    }
}

const INTRODUCTION: &str = "# Reference of the configuration

Every table and key, rendered from the program itself. [config.toml](../config.toml) shows them in use.
[config.schema.json](config.schema.json) is the JSON Schema for editors.

What a text is depends on its key, never on its content:

| value | is |
| --- | --- |
| path | where a value lives in a native document: `\"org.department\"`, `\"list[0]\"`, `\"list[kind eq 1].value\"`, `\"@header:Name\"`, `\"@link\"`; `\"\"` is the whole |
| template | text with `{expressions}`; one that is a single placeholder keeps the type of its value; `{{` is a brace |
| expression | CEL over the names that the key allows |
| call | `\"METHOD /path?query\"` below the URL of the backend; placeholders are encoded for their place |
| plan | `\"get\"`, `\"get {value}\"`, `\"?name={value}\"` (added to the list call), or a call |
| body | anything that JSON can hold, texts being templates; `{ secret = \"env:NAME\" }` is a secret |
| secret | `\"env:NAME\"` or `\"file:PATH\"` |
| pattern | a regular expression for the whole value, or `\"$name\"` for one of `[patterns]` |
| duration | a whole number and `ms`, `s`, `m` or `h` |
| size | bytes, or a whole number and `KiB` or `MiB` |
";

const CODECS_INTRODUCTION: &str = "
## Codecs

Conversions of values, from SCIM to native left to right and back again right to left. What a round trip keeps: *iso*
everything; *canon* everything up to the equality of the attribute; *partial* everything that is accepted at all;
*lossy* codecs need `lossy = \"reason\"` on a row that goes both ways.

| codec | argument | round trip | to native |
| --- | --- | --- | --- |
";

const NAMES_INTRODUCTION: &str = "
## Names in expressions

What expressions and templates see depends on where they stand. In a call with `for`, its element is seen as well, by
the name that `as` gives; in `steps`, what earlier ones saved, as `steps.ID.NAME`. `table` is there where the backend
has reference tables: `table.site['Head office']`.

| in | names |
| --- | --- |
";

const FUNCTIONS_INTRODUCTION: &str = "
## Functions

Expressions are CEL with two exceptions: what is not there reads as null, and null counts as false. `[a]` may be left
out; a null among the values gives null, except in `default`.

";

/// The functions are documented where they are declared.
const FUNCTIONS: &str = include_str!("../expr/functions.rs");
