//! `codec = ["lower"]`, `codec = { bool = ["N", "Y"] }`, and the value table `map` with `else`.

use std::sync::Arc;

use serde_json::{Number, Value};

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Data, Entry, Node};
use crate::mapping::Codec;
use crate::mapping::codec::{DateTimeFormat, Rewrite, RewriteError, TimeFormat, ValueMap};
use crate::pattern::note_compilation;
use crate::scim::AttributeType;

use super::context::Context;

/// A codec or a list of them, written left to right. `kind` is the type of the SCIM side, where there is one.
pub(super) fn codecs(cx: &mut Context, node: &Node, kind: Option<AttributeType>) -> Option<Vec<Codec>> {
    let Data::List(items) = &node.data else { return codec(cx, node, kind).map(|codec| vec![codec]) };
    if items.len() > MAX_CHAIN {
        cx.report.error("E004", &node.place, format!("at most {MAX_CHAIN} codecs in a row"));
        return None;
    }
    let found: Vec<_> = items.iter().map(|item| codec(cx, item, kind)).collect();
    found.into_iter().collect()
}

fn codec(cx: &mut Context, node: &Node, kind: Option<AttributeType>) -> Option<Codec> {
    note_compilation();
    match &node.data {
        Data::Text(name) => plain(cx, node, name, kind),
        Data::Table(table) => match table.entries.as_slice() {
            [entry] => with_argument(cx, entry, kind),
            [format, zone] | [zone, format] if format.name == "datetime" && zone.name == "zone" => {
                date_time(cx, &format.value, Some(&zone.value))
            }
            _ => {
                let message = "one codec to a table: `[\"trim\", { prefix = \"x\" }]`";
                cx.report.error("E004", &node.place, message);
                None
            }
        },
        _ => {
            cx.report.error("E003", &node.place, format!("expected a codec, found {}", node.kind()));
            None
        }
    }
}

fn plain(cx: &mut Context, node: &Node, name: &str, kind: Option<AttributeType>) -> Option<Codec> {
    Some(match name {
        "lower" => Codec::Lower,
        "upper" => Codec::Upper,
        "trim" => Codec::Trim,
        "nfc" => Codec::Nfc,
        "phone" => Codec::Phone { country: None },
        "int" => Codec::Int,
        "float" => Codec::Float,
        "string" => Codec::Text(kind.unwrap_or(AttributeType::String)),
        "json" => Codec::Json,
        "b64" => Codec::B64,
        "segment" => Codec::Segment { after: None },
        _ => {
            unknown(cx, &node.place, name);
            return None;
        }
    })
}

fn with_argument(cx: &mut Context, entry: &Entry, kind: Option<AttributeType>) -> Option<Codec> {
    let value = &entry.value;
    let word = |cx: &mut Context| cx.report.word(value).map(Arc::<str>::from);
    match entry.name.as_str() {
        "prefix" => word(cx).map(Codec::Prefix),
        "suffix" => word(cx).map(Codec::Suffix),
        "locale" => word(cx).map(Codec::Locale),
        "join" => word(cx).map(Codec::Join),
        // A complex attribute has the object on the SCIM side, any other has it natively.
        "wrap" if kind == Some(AttributeType::Complex) => word(cx).map(Codec::Unwrap),
        "wrap" => word(cx).map(Codec::Wrap),
        "segment" => word(cx).map(|after| Codec::Segment { after: Some(after) }),
        "truncate" => {
            let most = cx.report.integer(value, 1..=65_536)?;
            usize::try_from(most).ok().map(Codec::Truncate)
        }
        "datetime" => date_time(cx, value, None),
        "phone" => phone(cx, value),
        "regex" => rewrite(cx, value),
        "bool" => boolean(cx, value),
        "table" if kind.is_none() => {
            let message = "`table` belongs to rows: elsewhere no table is at hand";
            cx.report.error("E047", &entry.key, message);
            None
        }
        "table" => {
            let name = cx.report.word(value)?;
            cx.table(name, &value.place).map(|_| Codec::Table(Arc::from(name)))
        }
        name => {
            unknown(cx, &entry.key, name);
            None
        }
    }
}

/// `rfc3339`, `epoch`, `epoch_ms`, or a format with `%`.
fn date_time(cx: &mut Context, format: &Node, zone: Option<&Node>) -> Option<Codec> {
    let text = cx.report.word(format)?;
    if text.contains('%') {
        let zone_name = zone.map_or(Some(None), |zone| cx.report.word(zone).map(Some))?;
        return match TimeFormat::compile(text, zone_name) {
            Ok(compiled) => Some(Codec::DateTime(DateTimeFormat::Text(Arc::new(compiled)))),
            Err(message) => {
                let about_zone = zone.filter(|_| !message.starts_with(&format!("`{text}`")));
                cx.report.error("E004", &about_zone.unwrap_or(format).place, message);
                None
            }
        };
    }
    if let Some(zone) = zone {
        cx.report.error("E004", &zone.place, "`zone` belongs to a format with `%`: the others know their offset");
    }
    let name = cx.report.choice(format, &["rfc3339", "epoch", "epoch_ms"].map(|name| (name, name)))?;
    Some(Codec::DateTime(match name {
        "epoch" => DateTimeFormat::Epoch,
        "epoch_ms" => DateTimeFormat::EpochMillis,
        _ => DateTimeFormat::Rfc3339,
    }))
}

/// The calling code of numbers that have none: `"+47"`.
fn phone(cx: &mut Context, node: &Node) -> Option<Codec> {
    let text = cx.report.word(node)?;
    let digits = text.strip_prefix('+').unwrap_or("");
    let code = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !code || digits.starts_with('0') {
        cx.report.error("E004", &node.place, format!("`{text}` is not a calling code such as \"+47\""));
        return None;
    }
    Some(Codec::Phone { country: Some(Arc::from(digits)) })
}

fn rewrite(cx: &mut Context, node: &Node) -> Option<Codec> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::REWRITE)?;
    let pattern_node = fields.require(&mut cx.report, "pattern", "what the SCIM value looks like, with one group");
    let back = fields.require(&mut cx.report, "back", "the SCIM value again, from the group `$1`");
    let pattern = pattern_node.and_then(|node| cx.pattern(node));
    let back = back.and_then(|node| cx.report.text(node).map(|text| (node, text)));
    let (pattern, pattern_node, (back_node, back)) = (pattern?, pattern_node?, back?);
    let regex = cx.regexes.search(&format!("^(?:{pattern})$")).ok()?;
    match Rewrite::new(&pattern, regex, back) {
        Ok(rewrite) => Some(Codec::Regex(Arc::new(rewrite))),
        Err(error) => {
            let place = if error == RewriteError::Back { &back_node.place } else { &pattern_node.place };
            cx.report.error("E004", place, error.to_string());
            None
        }
    }
}

fn boolean(cx: &mut Context, node: &Node) -> Option<Codec> {
    let items = cx.report.list(node)?;
    let [yes, no] = items else {
        cx.report.error("E004", &node.place, "expected two values: what `true` is natively, then what `false` is");
        return None;
    };
    let (yes, no) = (literal(cx, yes)?, literal(cx, no)?);
    if yes == no {
        cx.report.error("E016", &node.place, "`true` and `false` have the same native value");
        return None;
    }
    Some(Codec::Bool { yes, no })
}

fn unknown(cx: &mut Context, place: &crate::config::tree::Place, name: &str) {
    if catalogue::LATER_CODECS.contains(&name) {
        cx.report.error("E002", place, format!("the codec `{name}` is not supported in this version"));
    } else {
        let known = catalogue::CODECS.iter().map(|codec| codec.name);
        cx.report.unknown("E031", place, format!("unknown codec `{name}`"), name, known);
    }
}

/// `map` and `else`, with keys of the attribute's type.
pub(super) fn value_map(
    cx: &mut Context,
    map: &Node,
    otherwise: Option<&Node>,
    kind: AttributeType,
    case_exact: bool,
) -> Option<ValueMap> {
    let table = cx.report.table(map)?;
    let mut found = ValueMap { fold_case: !case_exact, ..ValueMap::default() };
    for entry in &table.entries {
        let Some(scim) = key(cx, entry, kind) else { continue };
        let Some(native) = literal(cx, &entry.value) else { continue };
        found.pairs.push((scim, native));
    }
    if table.entries.is_empty() {
        cx.report.error("E004", &map.place, "a value table without values");
    }
    if let Some(fields) = otherwise.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::ELSE)) {
        found.else_write = fields.get("write").and_then(|node| literal(cx, node));
        found.else_read = fields.get("read").and_then(|node| literal(cx, node));
    }
    Some(found)
}

/// TOML keys are text; a boolean or numeric attribute reads them as what they are.
fn key(cx: &mut Context, entry: &Entry, kind: AttributeType) -> Option<Value> {
    let text = entry.name.as_str();
    let typed = match kind {
        AttributeType::Boolean => text.parse::<bool>().ok().map(Value::Bool),
        AttributeType::Integer => text.parse::<i64>().ok().map(Value::from),
        AttributeType::Decimal => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        _ => Some(Value::from(text)),
    };
    if typed.is_none() {
        let message = format!("`{text}` is no value of type {}", kind.as_str());
        cx.report.error("E004", &entry.key, message);
    }
    typed
}

/// A TOML scalar as JSON.
pub(super) fn literal(cx: &mut Context, node: &Node) -> Option<Value> {
    match &node.data {
        Data::Text(text) => Some(Value::from(text.as_str())),
        Data::Int(number) => Some(Value::from(*number)),
        Data::Bool(value) => Some(Value::from(*value)),
        Data::Float(number) => Number::from_f64(*number).map(Value::Number),
        Data::Broken => None,
        _ => {
            let message = format!("expected a string, a number or a boolean, found {}", node.kind());
            cx.report.error("E003", &node.place, message);
            None
        }
    }
}

const MAX_CHAIN: usize = 8;
