//! The JSON Schema accepts what the compiler accepts, and sees the mistakes that a schema can see.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jsonschema::Validator;
use serde_json::Value;

use super::{FILE, Keys, Kind, root};
use crate::config::{Source, compile, json_schema, render};

fn validator() -> Validator {
    jsonschema::draft7::new(&json_schema()).unwrap()
}

/// As an editor sees a file: no places, only values.
fn value(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).unwrap();
    serde_json::to_value(table).unwrap()
}

/// Files that are configurations and fine.
fn examples() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("config.toml")];
    for folder in ["tests/config/good", "tests/plans/config", "deploy/examples"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let path = if path.is_dir() { path.join("config.toml") } else { path };
            if path.exists() && path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_examples_are_accepted() {
    let validator = validator();
    let examples = examples();
    assert!(examples.len() > 8);
    for (path, text) in examples {
        let value = value(&text);
        let found: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        assert!(found.is_empty(), "{}\n{}", path.display(), found.join("\n"));
    }
}

#[test]
fn seeded_mistakes_are_refused() {
    let validator = validator();
    let text = std::fs::read_to_string(root().join("config.toml")).unwrap();
    assert!(validator.is_valid(&value(&text)));
    for (from, to) in [
        ("version = 1 ", "version = 2 "),
        ("version = 1 ", "versoin = 1 "),
        ("timeout     = \"10s\"", "timeout     = 10"),
        ("timeout     = \"10s\"", "timeout     = \"10 s\""),
        ("threads         = 2", "threads         = \"2\""),
        ("threads         = 2", "threads         = 0"),
        ("header_max_bytes         = \"32KiB\"", "header_max_bytes         = \"32KB\""),
        ("format      = \"json\"", "format      = \"xml\""),
        ("[\"env:SCIM_TOKEN\"]", "[\"SCIM_TOKEN\"]"),
        ("[\"env:SCIM_TOKEN\"]", "\"env:SCIM_TOKEN\""),
        ("token = \"env:ACME_KEY\"", "token = \"sha256:00\""),
        ("auth    = \"idp\"\n", ""),
        ("idp     = \"entra\"", "idp     = \"entraid\""),
        ("\"http://127.0.0.1:3000\"", "\"127.0.0.1:3000\""),
        ("kind = \"int\" }   #", "kind = \"number\" }   #"),
        ("get    = \"GET {path}/{id}\"", "get    = \"FETCH {path}/{id}\""),
        ("get    = \"GET {path}/{id}\"", "get    = \"GET api/{id}\""),
        ("also_ok = []", "also_ok = [99]"),
        ("codec = [\"string\"]", "codec = [\"text\"]"),
        ("codec = { datetime = \"rfc3339\" }", "codec = { datetime = \"iso\" }"),
        ("codec = { wrap = \"value\" }", "codec = { wrap = \"value\", join = \",\" }"),
        ("'id eq'          = \"get\"", "'id eq'          = \"fetch\""),
        ("batch = 500", "batch = 0"),
        ("policy = \"reject\"", "policy = \"refuse\""),
        ("status = 409", "status = 200"),
        ("status = 409", "status = 409, typ = \"x\""),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(text, wrong, "{from}");
        assert!(!validator.is_valid(&value(&wrong)), "{to} is accepted");
    }
}

/// A key that the catalogue has in this place.
struct Found {
    /// From the top of the file: names and numbers.
    path: Vec<String>,
    kind: Kind,
}

/// Every key of a document that the catalogue knows, and the words in it.
fn walk(value: &Value, kind: &Kind, path: &[String], found: &mut Vec<Found>) {
    let below = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    match (kind, value) {
        (Kind::Table(keys), Value::Object(entries)) => entries.iter().for_each(|(name, value)| {
            if let Some(key) = keys.get(name) {
                found.push(Found { path: below(name), kind: key.kind });
                walk(value, &key.kind, &below(name), found);
            }
        }),
        (Kind::Map(_, of), Value::Object(entries)) => {
            entries.iter().for_each(|(name, value)| walk(value, of, &below(name), found));
        }
        (Kind::List(of), Value::Array(items)) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, of, &below(&at.to_string()), found));
        }
        (Kind::Either(forms), _) => {
            let fitting = |form: &&Kind| match form {
                Kind::Table(keys) => value.as_object().is_some_and(|entries| fits(keys, entries)),
                Kind::List(_) => value.is_array(),
                Kind::Words(words) => value.as_str().is_some_and(|text| words.contains(&text)),
                _ => false,
            };
            if let Some(form) = forms.iter().find(fitting) {
                found.push(Found { path: path.to_vec(), kind: *form });
                walk(value, form, path, found);
            }
        }
        _ => {}
    }
}

fn fits(keys: &Keys, entries: &serde_json::Map<String, Value>) -> bool {
    entries.keys().all(|name| keys.get(name).is_some())
}

fn keys_of(value: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    walk(value, &Kind::Table(&FILE), &[], &mut found);
    found
}

fn pointer(path: &[String]) -> String {
    let parts: Vec<String> = path.iter().map(|part| part.replace('~', "~0").replace('/', "~1")).collect();
    if parts.is_empty() { String::new() } else { format!("/{}", parts.join("/")) }
}

#[test]
fn a_misspelt_key_is_refused_wherever_it_stands() {
    let validator = validator();
    let mut tried = 0;
    for (path, text) in examples() {
        let value = value(&text);
        for key in keys_of(&value) {
            let Some((name, table)) = key.path.split_last() else { continue };
            let mut wrong = value.clone();
            let Some(Value::Object(entries)) = wrong.pointer_mut(&pointer(table)) else { continue };
            let Some(moved) = entries.remove(name) else { continue };
            // Keys of maps are the author's; they come back through `Either`.
            if matches!(key.kind, Kind::Table(_) | Kind::List(_) | Kind::Words(_)) && table.len() > 1 && free(table) {
                continue;
            }
            entries.insert(format!("{name}x"), moved);
            assert!(!validator.is_valid(&wrong), "{}: {}", path.display(), key.path.join("."));
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

/// Whether the names of this table are the author's.
fn free(table: &[String]) -> bool {
    let mut kind = Kind::Table(&FILE);
    for part in table {
        let next = forms(&kind).into_iter().find_map(|form| match form {
            Kind::Table(keys) => keys.get(part).map(|key| key.kind),
            Kind::Map(_, of) | Kind::List(of) => Some(*of),
            _ => None,
        });
        let Some(next) = next else { return true };
        kind = next;
    }
    forms(&kind).iter().any(|form| matches!(form, Kind::Map(..)))
}

fn forms(kind: &Kind) -> Vec<Kind> {
    match kind {
        Kind::Either(forms) => forms.to_vec(),
        kind => vec![*kind],
    }
}

/// A wrong word is answered with the list of the right ones: the one of the catalogue.
#[test]
fn words_are_those_of_the_compiler() {
    let mut tried = 0;
    for (path, text) in examples() {
        let value = value(&text);
        for found in keys_of(&value) {
            let Kind::Words(words) = found.kind else { continue };
            let mut wrong = value.clone();
            let Some(place) = wrong.pointer_mut(&pointer(&found.path)) else { continue };
            *place = Value::from("zzz");
            let text = toml::to_string(&wrong).unwrap();
            let findings = match compile(Source { name: "words.toml".into(), text }) {
                Ok(snapshot) => snapshot.warnings,
                Err(findings) => findings,
            };
            let said = findings.iter().find(|finding| finding.code == "E005");
            let Some(said) = said else { continue };
            let listed: BTreeSet<&str> = said.message.split('`').skip(3).step_by(2).collect();
            let words: BTreeSet<&str> = words.iter().copied().collect();
            assert_eq!(listed, words, "{} {}\n{}", path.display(), found.path.join("."), render(&findings));
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}
