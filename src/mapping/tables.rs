//! Reference tables: what people call something, and what the application calls it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::document::Document;

use super::{Extract, ListCall, Origin, from_native};

/// One `[backend.X.table.NAME]`.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: Arc<str>,
    /// The call that lists its entries.
    pub list: ListCall,
    /// What the application uses.
    pub key: Extract,
    /// What people use.
    pub label: Extract,
    /// How long what was read may serve.
    pub cache: Duration,
    /// Entries at the most.
    pub max: usize,
    /// Its place.
    pub origin: Origin,
}

/// The entries of several tables, in both directions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries {
    /// By table and name: the key. Null where two entries have the name, so that it means neither.
    pub keys: Value,
    /// By table and the text of the key: the name.
    pub names: Value,
}

impl Entries {
    /// Takes in a table that is known by its names and their keys.
    pub fn give(&mut self, table: &str, keys: Map<String, Value>) {
        let names = keys.iter().map(|(name, key)| (key.to_string(), Value::from(name.as_str()))).collect();
        put(&mut self.keys, table, keys);
        put(&mut self.names, table, names);
    }

    /// Whether it holds this table.
    pub fn has(&self, table: &str) -> bool {
        self.keys.get(table).is_some()
    }

    /// Takes in the entries of one table.
    pub fn add(&mut self, table: &Table, items: &[Document]) {
        let (mut keys, mut names) = (Map::new(), Map::new());
        for item in items {
            let (Some(key), Some(Value::String(name))) = (read(&table.key, item), read(&table.label, item)) else {
                continue;
            };
            names.insert(key.to_string(), Value::from(name.as_str()));
            keys.entry(name)
                .and_modify(|known| {
                    if *known != key {
                        *known = Value::Null;
                    }
                })
                .or_insert(key);
        }
        put(&mut self.keys, &table.name, keys);
        put(&mut self.names, &table.name, names);
    }
}

fn put(all: &mut Value, name: &str, entries: Map<String, Value>) {
    if !all.is_object() {
        *all = Value::Object(Map::new());
    }
    if let Value::Object(tables) = all {
        tables.insert(name.to_owned(), Value::Object(entries));
    }
}

fn read(extract: &Extract, item: &Document) -> Option<Value> {
    from_native::decode(&extract.codec, &extract.native.find(item)?.value()).ok().filter(|value| !value.is_null())
}

/// From a name to its key.
///
/// # Errors
/// What would have been fine: up to ten names.
pub fn key_of(tables: Option<&Value>, table: &str, name: &Value) -> Result<Value, String> {
    if let Value::Array(names) = name {
        return names.iter().map(|name| key_of(tables, table, name)).collect();
    }
    let entries = tables.and_then(|tables| tables.get(table)).and_then(Value::as_object);
    match (name, entries.and_then(|entries| entries.get(name.as_str()?))) {
        (Value::Null, _) => Ok(Value::Null),
        (_, Some(Value::Null)) => Err("another name: two entries of the application have this one".to_owned()),
        (_, Some(key)) => Ok(key.clone()),
        (_, None) => {
            let mut names: Vec<String> =
                entries.into_iter().flat_map(Map::keys).take(NAMES_SHOWN).map(|name| format!("'{name}'")).collect();
            if entries.is_some_and(|entries| entries.len() > NAMES_SHOWN) {
                names.push("...".to_owned());
            }
            Err(format!("one of {}", names.join(", ")))
        }
    }
}

/// From a key to its name.
///
/// # Errors
/// The table has no such key.
pub fn name_of(tables: Option<&Value>, table: &str, key: &Value) -> Result<Value, String> {
    match key {
        Value::Null => return Ok(Value::Null),
        Value::Array(keys) => return keys.iter().map(|key| name_of(tables, table, key)).collect(),
        _ => {}
    }
    let name = tables.and_then(|tables| tables.get(table)?.get(key.to_string()));
    name.cloned().ok_or_else(|| format!("a key of the table `{table}`"))
}

const NAMES_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(items: &Value) -> Entries {
        let snapshot = crate::config::compile(crate::config::Source {
            name: Arc::from("t.toml"),
            text: "version = 1\nauth = { idp = { kind = \"none\" } }\nroute = [{ path = \"/scim\", auth = \"idp\" }]\n\
                   extends = [\"preset:rest@1\"]\nresource.User = { path = \"/u\", attrs = { userName = \"login\" } }\n\
                   [backend.app]\nurl = \"http://127.0.0.1:1\"\n[backend.app.table.plan]\ncall = \"GET /plans\"\nkey = \"id\"\n"
                .to_owned(),
        })
        .unwrap();
        let mut entries = Entries::default();
        let items = Document::from(items.clone()).into_items().unwrap();
        entries.add(&snapshot.backends[0].tables[0], &items);
        entries
    }

    #[test]
    fn names_and_keys_both_ways() {
        let found = entries(&json!([
            { "id": 3, "name": "Basic" }, { "id": "p", "name": "Pro" }, { "id": 4, "name": "Twin" },
            { "id": 5, "name": "Twin" }, { "id": 6 }, { "name": "nobody" }, { "id": 7, "name": 8 },
        ]));
        let key = |name: &str| key_of(Some(&found.keys), "plan", &json!(name));
        let name = |key: Value| name_of(Some(&found.names), "plan", &key);
        assert_eq!(key("Basic"), Ok(json!(3)), "keys keep their type");
        assert_eq!(key("Pro"), Ok(json!("p")));
        assert_eq!(name(json!(3)), Ok(json!("Basic")));
        assert_eq!(name(json!("3")), Err("a key of the table `plan`".to_owned()));
        assert_eq!((name(json!(4)), name(json!(5))), (Ok(json!("Twin")), Ok(json!("Twin"))), "still read");
        assert_eq!(key("Twin"), Err("another name: two entries of the application have this one".to_owned()));
        assert_eq!(key("basic"), Err("one of 'Basic', 'Pro', 'Twin'".to_owned()));
        assert_eq!(key_of(None, "plan", &json!("x")), Err("one of ".to_owned()));
        assert_eq!(key_of(None, "plan", &Value::Null), Ok(Value::Null));
    }

    #[test]
    fn many_names_are_not_all_shown() {
        let items: Vec<Value> =
            (0..30).map(|number| json!({ "id": number, "name": format!("n{number:02}") })).collect();
        let found = entries(&Value::Array(items));
        let refused = key_of(Some(&found.keys), "plan", &json!("x")).unwrap_err();
        assert_eq!(refused.matches('\'').count(), 20);
        assert!(refused.ends_with("..."), "{refused}");
    }
}
