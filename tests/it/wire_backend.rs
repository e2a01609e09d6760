//! The backends of the wire corpus: `wire.toml`, its poorer variants, and seeds for the application behind it.
//!
//! In: what a case says about its backend and the resources that are there before. Out: a configuration, and native
//! documents. Both read the attribute table of `wire.toml`, but with an interpreter of their own, so that a mistake in
//! the mapping of the adapter cannot hide itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use toml::Table;

use crate::wire_case::Backend;

/// The configuration of one backend.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    config: Table,
}

impl Variant {
    /// `wire.toml` for a backend that cannot store some attributes, and holds one value only of others.
    pub(crate) fn new(backend: &Backend) -> Variant {
        let mut config: Table = include_str!("wire.toml").parse().unwrap();
        for resource in ["User", "Group"] {
            let mapping = config["resource"][resource].as_table_mut().unwrap();
            let names: Vec<String> = mapping["attrs"].as_table().unwrap().keys().cloned().collect();
            let attrs = mapping["attrs"].as_table_mut().unwrap();
            for name in &names {
                if backend.unmapped.iter().any(|attribute| is_about(name, attribute)) {
                    attrs.remove(name);
                } else if backend.single.contains(name) {
                    let list = attrs.remove(name).unwrap();
                    attrs.insert(single_row(name), format!("{}[0].value", list.as_str().unwrap()).into());
                }
            }
            let left: Vec<String> = attrs.keys().cloned().collect();
            drop_lost_filters(mapping["filter"].as_table_mut().unwrap(), &names, &left);
        }
        Variant { config }
    }

    /// The file, for an application at `url`.
    pub(crate) fn text(&self, url: &str) -> String {
        toml::to_string(&self.config).unwrap().replace("http://127.0.0.1:1/api", url)
    }

    /// A SCIM resource as the application stores it; what it cannot store is left out, members are apart.
    pub(crate) fn native(&self, resource_type: &str, resource: &Value) -> Value {
        let attrs = self.config["resource"][resource_type]["attrs"].as_table().unwrap();
        let mut document = Value::Object(Map::new());
        for (name, row) in attrs {
            let native = row.as_str().or_else(|| row.get("native")?.as_str()).unwrap();
            if let Some(value) = scim_value(resource, name) {
                store(&mut document, native, value);
            }
        }
        document
    }
}

/// Whether a row is about an attribute: the whole of it, a sub-attribute, or one of an extension.
fn is_about(row: &str, attribute: &str) -> bool {
    let rest = row.strip_prefix(attribute);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ':']))
}

/// The value it holds is shown as the work address, and the primary one.
fn single_row(attribute: &str) -> String {
    format!("{attribute}[type eq \"work\" and primary eq true].value")
}

/// A filter plan for a row that is gone would be refused.
fn drop_lost_filters(filters: &mut Table, before: &[String], left: &[String]) {
    let lost: BTreeSet<&String> = before.iter().filter(|name| !left.contains(name)).collect();
    filters.retain(|plan, _| !lost.iter().any(|name| plan.split(['.', ' ']).next() == Some(name)));
}

/// The value of a row in a resource.
fn scim_value<'r>(resource: &'r Value, row: &str) -> Option<&'r Value> {
    let (resource, path) = match row.rsplit_once(':') {
        Some((urn, path)) => (resource.get(urn)?, path),
        None => (resource, row),
    };
    if let Some((attribute, rest)) = path.split_once('[') {
        let elements = resource.get(attribute)?.as_array()?;
        let primary = elements.iter().find(|element| element["primary"] == true);
        let element = primary.or_else(|| elements.first())?;
        return element.get(rest.rsplit_once("].")?.1);
    }
    match path.split_once('.') {
        Some((attribute, sub)) => resource.get(attribute)?.get(sub),
        None => resource.get(path),
    }
}

/// Puts a value under a native path of the forms `a`, `a.b` and `a[0].b`.
fn store(document: &mut Value, path: &str, value: &Value) {
    if let Some((list, field)) = path.split_once("[0].") {
        document[list] = Value::Array(vec![Value::Object(Map::from_iter([(field.to_owned(), value.clone())]))]);
    } else if let Some((outer, inner)) = path.split_once('.') {
        document[outer][inner] = value.clone();
    } else {
        document[path] = value.clone();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Backend, Variant};

    fn backend(json: Value) -> Backend {
        serde_json::from_value(json).unwrap()
    }

    use super::Value;

    #[test]
    fn variants_lack_rows() {
        let full = Variant::new(&Backend::default());
        assert_eq!(full.text("URL").parse::<toml::Table>().unwrap()["backend"]["app"]["url"].as_str(), Some("URL"));
        let poor =
            Variant::new(&backend(json!({"unmapped": ["name", "userType", "externalId"], "single": ["emails"]})));
        let attrs = poor.config["resource"]["User"]["attrs"].as_table().unwrap();
        let filters = poor.config["resource"]["User"]["filter"].as_table().unwrap();
        assert!(!attrs.contains_key("name.givenName") && !attrs.contains_key("emails"));
        assert_eq!(
            attrs[r#"emails[type eq "work" and primary eq true].value"#].as_str(),
            Some("contact_emails[0].value")
        );
        assert!(!filters.contains_key("externalId eq") && filters.contains_key("userName eq"));
    }

    #[test]
    fn seeds_are_native() {
        const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let emails = json!([{"value": "a", "type": "home"}, {"value": "b", "primary": true}]);
        let mut user =
            json!({"id": "7", "userName": "ann", "active": false, "name": {"givenName": "Ann"}, "emails": emails});
        user[ENTERPRISE] = json!({"department": "D", "manager": {"value": "9"}});
        let full = Variant::new(&Backend::default()).native("User", &user);
        let expect = json!({"login": "ann", "enabled": false, "first_name": "Ann", "contact_emails": emails,
            "org": {"department": "D", "manager_id": "9"}});
        assert_eq!(full, expect);
        let single = Variant::new(&backend(json!({"single": ["emails"]}))).native("User", &user);
        assert_eq!(single["contact_emails"], json!([{"value": "b"}]));
    }
}
