//! Roles of the environment.

use serde_json::{Value, json};

use super::super::check::{self, Field, Kind, may, must};
use super::super::serve::{Call, Reply};
use super::{Document, Permit, check_key, error, find, listed, named, not_found, text, unfit};

impl Permit {
    pub(super) fn answer_roles(&mut self, call: &Call, rest: &[&str], harm: &mut Vec<String>) -> Reply {
        let known = rest.first().and_then(|name| find(&self.roles, name)).cloned();
        match (call.method.as_str(), rest, known) {
            ("GET", [], _) => listed(call, self.roles.iter().cloned().map(Value::Object).collect(), false),
            ("POST", [], _) => self.create_role(call),
            (_, [name], None) => not_found("Role", name),
            ("GET", [_], Some(role)) => Reply::new(200, Value::Object(role)),
            ("PATCH", [_], Some(role)) => self.update_role(call, role),
            ("DELETE", [_], Some(role)) => {
                let id = text(&role, "id");
                let left = self.assignments.iter().filter(|grant| grant.role == id).count();
                if left > 0 {
                    harm.push(format!("the role {} was deleted while {left} had it", role["key"]));
                }
                self.roles.retain(|one| !named(one, id));
                self.assignments.retain(|grant| grant.role != id);
                Reply::empty(204)
            }
            _ => error(405, "INVALID_INPUT", "not offered"),
        }
    }

    fn create_role(&mut self, call: &Call) -> Reply {
        let Some(mut role) = call.object() else { return unfit(("body".into(), "not an object".into())) };
        if let Err(wrong) = check::whole(&role, ROLE).and_then(|()| check_key(text(&role, "key"), "-_")) {
            return unfit(wrong);
        }
        let key = text(&role, "key");
        if find(&self.roles, key).is_some() {
            return error(409, "DUPLICATE_ENTITY", &format!("Role with key '{key}' already exists."));
        }
        role.insert("id".into(), json!(self.next_id()));
        for (field, value) in [("description", Value::Null), ("attributes", Value::Null), ("permissions", json!([]))] {
            role.entry(field).or_insert(value);
        }
        self.roles.push(role.clone());
        Reply::new(201, Value::Object(role))
    }

    fn update_role(&mut self, call: &Call, mut role: Document) -> Reply {
        let Some(changes) = call.object() else { return unfit(("body".into(), "not an object".into())) };
        if changes.contains_key("key") {
            return unfit(("key".into(), "extra fields not permitted".into()));
        }
        if let Err(wrong) = check::part(&changes, ROLE) {
            return unfit(wrong);
        }
        role.extend(changes);
        if let Some(stored) = self.roles.iter_mut().find(|one| named(one, text(&role, "id"))) {
            stored.clone_from(&role);
        }
        Reply::new(200, Value::Object(role))
    }
}

const ROLE: &[Field] = &[
    must("key", Kind::Text),
    must("name", Kind::Text),
    may("description", Kind::Text),
    may("permissions", Kind::List),
    may("attributes", Kind::Object),
    may("extends", Kind::List),
];
