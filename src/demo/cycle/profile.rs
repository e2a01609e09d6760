//! What stands behind the sidecar: a script as it is written in, the script as it goes in front of one application out.
//!
//! Scripts are written for an application that can do everything. A profile says what another one keeps and what its
//! users read where it cannot do something. What is not kept must read as unassigned: an attribute that an application
//! accepts and forgets is a deviation unless its profile says so.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Expect, Script, Step};

/// An application from the point of view of a provisioning client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is, for a reader.
    pub about: String,
    /// The attributes that the provider's set-up maps, below `Users` and `Groups`; it sends no others. Default: all.
    #[serde(default)]
    pub sends: Option<Attributes>,
    /// The attributes that the application keeps; an endpoint that is not named does not exist. Default: all.
    #[serde(default)]
    pub keeps: Option<Attributes>,
    /// What must come of a step instead: script -> step -> expectation, taken as it is.
    #[serde(default)]
    pub instead: BTreeMap<String, BTreeMap<String, Expect>>,
    /// What is asked of this application alone, when all cycles are over.
    #[serde(default)]
    pub own: Option<Script>,
}

/// Endpoint -> attributes, as `userName`, `name.givenName`, `department`.
pub type Attributes = BTreeMap<String, Vec<String>>;

impl Profile {
    /// The names that [`Profile::named`] knows.
    pub const NAMES: [&'static str; 10] = [
        "acme",
        "configcat",
        "jsonrpc",
        "jupyterhub",
        "legacy",
        "permit",
        "redmine",
        "typical",
        "upsert",
        "users-only",
    ];

    /// The profile of an application that this project has a configuration for.
    ///
    /// # Errors
    /// No such name, or a file in this source tree that is malformed, which a test excludes.
    pub fn named(name: &str) -> serde_json::Result<Profile> {
        let found = PROFILES.iter().find(|(known, _)| *known == name);
        found.map_or_else(
            || Err(serde::de::Error::custom(format!("no profile `{name}`"))),
            |(_, text)| serde_json::from_str(text),
        )
    }

    /// The script in front of this application.
    pub(super) fn apply(&self, name: &str, script: Script) -> Script {
        let instead = self.instead.get(name);
        let steps = script.steps.into_iter().filter_map(|step| {
            let other = instead.and_then(|steps| steps.get(&step.name));
            self.step(step, other)
        });
        Script { title: script.title, steps: steps.collect() }
    }

    fn step(&self, mut step: Step, instead: Option<&Expect>) -> Option<Step> {
        let endpoint = step.request.path.split('/').nth(1).unwrap_or_default().to_owned();
        let is_resource = matches!(endpoint.as_str(), "Users" | "Groups");
        if let (Some(sends), true) = (&self.sends, is_resource) {
            step.request.body = match step.request.body {
                Some(body) => Some(only_sent(body, sends.get(&endpoint)?)?),
                None => None,
            };
        }
        if let Some(keeps) = &self.keeps {
            if is_resource {
                let kept = keeps.get(&endpoint)?;
                for part in [&mut step.expect.after, &mut step.expect.body].into_iter().flatten() {
                    only_kept(part, kept);
                }
            } else {
                // Discovery: the types that are not served are not announced either.
                step.expect.contains.retain(|id| keeps.contains_key(&format!("{}s", last_part(id))));
            }
        }
        if let Some(instead) = instead {
            step.expect = instead.clone();
        }
        Some(step)
    }
}

/// A request body with the attributes that are sent; none if a PATCH has nothing left to do.
fn only_sent(mut body: Value, sent: &[String]) -> Option<Value> {
    let message = body.as_object_mut()?;
    let Some(Value::Array(operations)) = message.get_mut("Operations") else {
        retain(message, "", sent);
        return Some(body);
    };
    operations.retain_mut(|operation| match operation.get("path").and_then(Value::as_str) {
        Some(path) => is_listed(&bare(path), sent),
        None => match operation.get_mut("value") {
            Some(Value::Object(attributes)) => {
                retain(attributes, "", sent);
                !attributes.is_empty()
            }
            _ => true,
        },
    });
    (!operations.is_empty()).then_some(body)
}

/// Leaves the listed attributes, and what every resource has.
fn retain(attributes: &mut Map<String, Value>, prefix: &str, listed: &[String]) {
    attributes.retain(|name, value| {
        let path = format!("{prefix}{}", bare(name));
        if is_common(name) || is_listed(&path, listed) {
            return true;
        }
        let below = if name.starts_with(URN) && value.is_object() { String::new() } else { format!("{path}.") };
        match value {
            Value::Object(inner) => {
                retain(inner, &below, listed);
                !inner.is_empty()
            }
            _ => false,
        }
    });
}

/// Turns what is expected of attributes that are not kept into "unassigned".
fn only_kept(part: &mut Value, kept: &[String]) {
    match part.get_mut("Resources") {
        Some(Value::Array(resources)) => resources.iter_mut().for_each(|resource| weaken(resource, "", kept)),
        _ => weaken(part, "", kept),
    }
}

fn weaken(part: &mut Value, prefix: &str, kept: &[String]) {
    let Value::Object(attributes) = part else { return };
    for (name, value) in attributes {
        let path = format!("{prefix}{name}");
        if is_common(name) || is_listed(&path, kept) {
            continue;
        }
        match value {
            Value::Object(_) if name.starts_with(URN) => weaken(value, "", kept),
            Value::Object(_) => weaken(value, &format!("{path}."), kept),
            _ => *value = Value::Null,
        }
    }
}

/// An attribute without its schema and its value filter: `emails[type eq "work"].value` is `emails`.
fn bare(path: &str) -> String {
    let path = path.split('[').next().unwrap_or_default();
    if path.starts_with(URN) { last_part(path).to_owned() } else { path.to_owned() }
}

fn last_part(urn: &str) -> &str {
    urn.rsplit(':').next().unwrap_or_default()
}

/// Whether the attribute is listed, or a part of it is, or it is part of one.
fn is_listed(path: &str, listed: &[String]) -> bool {
    listed
        .iter()
        .any(|known| known == path || path.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('.')))
}

/// What every resource and every list has.
fn is_common(name: &str) -> bool {
    matches!(name, "schemas" | "id" | "meta" | "totalResults" | "startIndex" | "itemsPerPage")
}

const URN: &str = "urn:";

static PROFILES: [(&str, &str); Profile::NAMES.len()] = [
    ("acme", r#"{"about": "Acme HR, the sample application, keeps everything."}"#),
    ("configcat", include_str!("profiles/configcat.json")),
    ("jsonrpc", include_str!("profiles/jsonrpc.json")),
    ("jupyterhub", include_str!("profiles/jupyterhub.json")),
    ("legacy", include_str!("profiles/legacy.json")),
    ("permit", include_str!("profiles/permit.json")),
    ("redmine", include_str!("profiles/redmine.json")),
    ("typical", include_str!("profiles/typical.json")),
    ("upsert", include_str!("profiles/upsert.json")),
    ("users-only", include_str!("profiles/users-only.json")),
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Idp, Script};
    use super::Profile;

    fn script(steps: Value) -> Script {
        Script { title: "t".to_owned(), steps: serde_json::from_value(steps).unwrap() }
    }

    fn profile(text: Value) -> Profile {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn every_profile_is_about_steps_that_exist() {
        let everything = Profile::default();
        for name in Profile::NAMES {
            let profile = Profile::named(name).unwrap();
            assert!(!profile.about.is_empty(), "{name}");
            for (script, steps) in &profile.instead {
                let all = Idp::All.named_scripts().unwrap();
                let (_, found) = all.iter().find(|(known, _)| known == script).unwrap_or_else(|| panic!("{script}"));
                let applied = everything.apply(script, found.clone());
                for step in steps.keys() {
                    assert!(applied.steps.iter().any(|known| known.name == *step), "{name}: {script}: {step}");
                }
            }
        }
        assert!(Profile::named("other").is_err());
    }

    #[test]
    fn what_is_not_kept_must_be_unassigned() {
        let profile = profile(json!({"about": "a", "keeps": {"Users": ["userName", "name.givenName", "department"]}}));
        let applied = profile.apply(
            "s",
            script(json!([
                {"name": "a", "request": {"method": "GET", "path": "/Users/1"}, "expect": {"status": [200], "after": {
                    "id": "1", "userName": "ann", "title": "Dr", "emails": [{"value": "x"}],
                    "name": {"givenName": "Ann", "familyName": "Berg"},
                    "urn:x:User": {"department": "Rail", "manager": {"value": "2"}},
                }}},
                {"name": "b", "request": {"method": "GET", "path": "/Users"},
                 "expect": {"status": [200], "body": {"Resources": [{"active": true, "userName": "ann"}]}}},
                {"name": "c", "request": {"method": "GET", "path": "/Groups"}, "expect": {"status": [200]}},
                {"name": "d", "request": {"method": "GET", "path": "/ResourceTypes"},
                 "expect": {"status": [200], "contains": ["User", "urn:x:Group"]}},
            ])),
        );
        let names: Vec<&str> = applied.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d"], "there are no groups");
        let after = json!({
            "id": "1", "userName": "ann", "title": null, "emails": null,
            "name": {"givenName": "Ann", "familyName": null},
            "urn:x:User": {"department": "Rail", "manager": {"value": null}},
        });
        assert_eq!(applied.steps[0].expect.after, Some(after));
        let body = json!({"Resources": [{"active": null, "userName": "ann"}]});
        assert_eq!(applied.steps[1].expect.body, Some(body));
        assert_eq!(applied.steps[2].expect.contains, ["User"]);
    }

    #[test]
    fn what_is_not_sent_is_left_out_of_requests() {
        let profile = profile(json!({"about": "a", "sends": {"Users": ["userName", "active", "name.givenName"]}}));
        let patch =
            |operations: Value| json!({"method": "PATCH", "path": "/Users/1", "body": {"Operations": operations}});
        let steps = json!([
            {"name": "a", "expect": {"status": [201]}, "request": {"method": "POST", "path": "/Users", "body": {
                "schemas": ["s"], "userName": "ann", "title": "Dr", "name": {"givenName": "Ann", "familyName": "Berg"},
                "urn:x:User": {"department": "Rail"},
            }}},
            {"name": "b", "expect": {"status": [200]}, "request": patch(json!([
                {"op": "Replace", "path": "active", "value": "False"},
                {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "x"},
                {"op": "Replace", "value": {"title": "Dr", "active": true}},
            ]))},
            {"name": "c", "expect": {"status": [200]}, "request": patch(json!([{"op": "Remove", "path": "title"}]))},
        ]);
        let applied = profile.apply("s", script(steps)).steps;
        let bodies: Vec<&Value> = applied.iter().filter_map(|step| step.request.body.as_ref()).collect();
        assert_eq!(bodies.len(), 2, "a PATCH that changes nothing is not sent");
        assert_eq!(bodies[0], &json!({"schemas": ["s"], "userName": "ann", "name": {"givenName": "Ann"}}));
        let operations = json!([
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Replace", "value": {"active": true}},
        ]);
        assert_eq!(bodies[1]["Operations"], operations);
    }
}
