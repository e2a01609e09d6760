//! The JSON Schema of a configuration file, for editors: draft 7, rendered from the catalogue.
//!
//! In: the catalogue. Out: a schema that knows tables, keys, words, ranges and the outer form of texts. What lies
//! inside a text, and what one key means for another, only `check` knows. Keys that a table further down could inherit
//! from what `extends` names are not required.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::catalogue::{Argument, CODECS, FILE, Key, Keys, Kind};
use crate::mapping::Slot;

/// The schema.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let mut waiting = VecDeque::from([&FILE]);
    while let Some(keys) = waiting.pop_front() {
        let id = keys.id();
        if definitions.contains_key(&id) {
            continue;
        }
        definitions.insert(id, table(keys));
        waiting.extend(keys.all().flat_map(|key| key.kind.tables()));
    }
    definitions.insert("codec".to_owned(), codec());
    let root = definitions.remove(&FILE.id()).unwrap_or_default();
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "scimshim configuration",
        // What `extends` names may bring the rest along.
        "if": { "not": { "required": ["extends"] } },
        "then": { "required": FILE.all().filter(|key| key.required).map(|key| key.name).collect::<Vec<_>>() },
        "required": ["version"],
        "definitions": definitions,
    });
    if let (Some(schema), Value::Object(root)) = (schema.as_object_mut(), root) {
        schema.extend(root);
    }
    schema
}

fn table(keys: &Keys) -> Value {
    let properties: Map<String, Value> = keys.all().map(|key| (key.name.to_owned(), described(key))).collect();
    json!({ "description": keys.about, "type": "object", "properties": properties, "additionalProperties": false })
}

fn described(key: &Key) -> Value {
    let mut property = match key.kind {
        // A sibling of `$ref` is not looked at in this draft.
        Kind::Table(_) | Kind::Codec => json!({ "allOf": [kind(&key.kind)] }),
        _ => kind(&key.kind),
    };
    if let Some(property) = property.as_object_mut() {
        property.insert("description".to_owned(), Value::from(key.about));
        if let Some(default) = key.default.and_then(default) {
            property.insert("default".to_owned(), default);
        }
    }
    property
}

fn default(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("x = {text}")).ok()?;
    table.get("x").and_then(|value| serde_json::to_value(value).ok())
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::OneOf(numbers) => json!({ "enum": numbers }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::Text | Kind::Path => json!({ "type": "string" }),
        Kind::Word | Kind::Requirement | Kind::Name(_) | Kind::Pattern | Kind::Expression => {
            json!({ "type": "string", "minLength": 1 })
        }
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::LogLevels => pattern(LEVELS),
        Kind::Duration => pattern("^[0-9]+(ms|s|m|h)$"),
        Kind::Date => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"),
        Kind::Size => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, pattern("^[0-9]+(B|KiB|MiB)?$")] }),
        Kind::Address => pattern("^.+:[0-9]{1,5}$"),
        Kind::AddressRange => pattern("^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"),
        Kind::Url => pattern("^https?://[^{}?#@\\s]+$"),
        Kind::Slot => {
            let slots = Slot::ALL.map(|slot| slot.as_str().replace('.', "[.]")).join("|");
            pattern(&format!("^([A-Za-z0-9]+[.])?({slots})$"))
        }
        Kind::Urn => pattern("^[Uu][Rr][Nn]:"),
        Kind::Template | Kind::Literal => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Call => pattern(CALL),
        Kind::Plan => pattern(PLAN),
        Kind::Codec => json!({ "$ref": "#/definitions/codec" }),
        Kind::TimeFormat => pattern("^(rfc3339|epoch|epoch_ms|.*%.*)$"),
        Kind::Secret => pattern("^(env|file|plain):."),
        Kind::Token => pattern("^(env|file|plain|sha256):."),
        Kind::Body => json!({ "type": ["string", "number", "boolean", "array", "object"] }),
        Kind::Table(keys) => json!({ "$ref": format!("#/definitions/{}", keys.id()) }),
        Kind::List(Kind::Table(keys)) => json!({ "type": "array", "items": item(keys) }),
        Kind::List(item) => json!({ "type": "array", "items": self::kind(item) }),
        Kind::Map(_, value) => json!({ "type": "object", "additionalProperties": self::kind(value) }),
        Kind::Either(forms) => json!({ "anyOf": forms.iter().map(self::kind).collect::<Vec<_>>() }),
    }
}

/// A table in a list is never laid over another one, so that what it lacks is missing.
fn item(keys: &Keys) -> Value {
    let required: Vec<&str> = keys.all().filter(|key| key.required).map(|key| key.name).collect();
    json!({ "allOf": [{ "$ref": format!("#/definitions/{}", keys.id()) }], "required": required })
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn codec() -> Value {
    let plain = CODECS.iter().filter(|codec| !matches!(codec.argument, Argument::Required(_)));
    let arguments = CODECS.iter().filter_map(|codec| match codec.argument {
        Argument::None => None,
        Argument::Optional(argument) | Argument::Required(argument) => {
            let described = json!({ "description": codec.about, "allOf": [kind(&argument)] });
            Some((codec.name.to_owned(), described))
        }
    });
    let mut forms = vec![
        json!({ "enum": plain.map(|codec| codec.name).collect::<Vec<_>>() }),
        json!({
            "type": "object",
            "properties": arguments.collect::<Map<_, _>>(),
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        }),
    ];
    for codec in CODECS.iter().filter(|codec| !codec.beside.is_empty()) {
        let beside = codec.beside.iter().map(|key| (key.name.to_owned(), described(key)));
        let argument = match codec.argument {
            Argument::None => json!(true),
            Argument::Optional(argument) | Argument::Required(argument) => kind(&argument),
        };
        let properties: Map<_, _> = beside.chain([(codec.name.to_owned(), argument)]).collect();
        let required = [codec.name];
        let table =
            json!({ "type": "object", "properties": properties, "additionalProperties": false, "required": required });
        forms.push(table);
    }
    json!({ "anyOf": forms })
}

const LEVELS: &str = r"^\s*([A-Za-z0-9_:]+\s*=\s*)?(off|error|warn|info|debug|trace)\s*(,\s*([A-Za-z0-9_:]+\s*=\s*)?(off|error|warn|info|debug|trace)\s*)*$";
const CALL: &str = r"^(GET|POST|PUT|PATCH|DELETE) (/|\{path\})";
const PLAN: &str = r"^(get( .+)?|\?.+|(GET|POST|PUT|PATCH|DELETE) (/|\{path\}).*)$";
