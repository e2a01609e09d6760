//! Redmine 5, as far as its API for users and groups goes, in memory.
//!
//! `cargo xtask test-apps` runs the real one; what this one does was seen there. Users and groups share their numbers.
//! Lists of users leave out the locked unless `status=` says otherwise, and never say who is; `name` is a part of any
//! name or address; parameters that it does not know are ignored. Updates answer 204. Refusals are sentences, or an
//! empty body. Administrators, the built-in groups and the user "Anonymous" are not a provisioning client's to change:
//! a call that does is noted as harm.

mod groups;
mod users;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::serve::{App, Call, Reply};

pub(crate) const KEY: &str = "key-of-an-administrator";
/// Of somebody who is no administrator, and may read a little.
pub(crate) const WEAK_KEY: &str = "key-of-somebody";

type Document = Map<String, Value>;

const ADMIN: u64 = 1;
const ANONYMOUS: u64 = 5;

/// The application.
pub(crate) struct Redmine {
    pub(crate) users: BTreeMap<u64, Document>,
    /// Name and members.
    pub(crate) groups: BTreeMap<u64, (String, Vec<u64>)>,
}

impl Redmine {
    /// With an administrator, the sidecar's account, and what is built in.
    pub(crate) fn new() -> Redmine {
        let mut app = Redmine { users: BTreeMap::new(), groups: BTreeMap::new() };
        for (id, login) in [(ADMIN, "admin"), (4, "svc-scim")] {
            app.users.insert(id, users::made(id, login, true));
        }
        app
    }

    /// Somebody who was there before, with this status.
    pub(crate) fn seed(&mut self, login: &str, status: u64) -> u64 {
        let id = self.next_id();
        let mut user = users::made(id, login, false);
        user.insert("status".into(), json!(status));
        self.users.insert(id, user);
        id
    }

    pub(crate) fn status(&self, id: &str) -> Value {
        self.users[&id.parse().unwrap()]["status"].clone()
    }

    /// Small databases use the number of who is gone again.
    fn next_id(&self) -> u64 {
        self.users.keys().chain(self.groups.keys()).copied().max().unwrap_or_default().max(ANONYMOUS) + 1
    }
}

impl App for Redmine {
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let is_admin = match call.header("x-redmine-api-key") {
            KEY => true,
            WEAK_KEY => false,
            _ => return Reply::empty(401),
        };
        let mut segments: Vec<String> = call.segments.clone();
        let Some(last) = segments.pop().and_then(|last| last.strip_suffix(".json").map(str::to_owned)) else {
            return Reply::new(200, json!("<!DOCTYPE html>"));
        };
        segments.push(last);
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let id = |at: usize| path.get(at).and_then(|text| text.parse::<u64>().ok());
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["users", _]) if !is_admin => self.show_user(id(1), call, false),
            (_, ["users" | "groups", ..]) if !is_admin => Reply::empty(403),
            ("GET", ["users"]) => self.list_users(call),
            ("POST", ["users"]) => self.create_user(call),
            ("GET", ["users", _]) => self.show_user(id(1), call, true),
            ("PUT", ["users", _]) => self.update_user(id(1), call, harm),
            ("DELETE", ["users", _]) => self.delete_user(id(1), harm),
            ("GET", ["groups"]) => self.list_groups(),
            ("POST", ["groups"]) => self.create_group(call, harm),
            (method, ["groups", _, rest @ ..]) => match id(1) {
                Some(group) if groups::BUILT_IN.iter().any(|(built_in, _)| *built_in == group) => {
                    groups::built_in(group, method, harm)
                }
                Some(group) if self.groups.contains_key(&group) => match (method, rest) {
                    ("GET", []) => self.show_group(group, call),
                    ("PUT", []) => self.update_group(group, call, harm),
                    ("DELETE", []) => {
                        self.groups.remove(&group);
                        Reply::empty(204)
                    }
                    ("POST", ["users"]) => self.add_members(group, call, harm),
                    ("DELETE", ["users", _]) => self.remove_member(group, id(3)),
                    _ => Reply::empty(404),
                },
                _ => Reply::empty(404),
            },
            _ => Reply::empty(404),
        }
    }
}

/// The document below the one key of a body. Without it, Redmine fails.
fn document(call: &Call, key: &str) -> Result<Document, Reply> {
    let body: Value = serde_json::from_slice(&call.body).map_err(|_| Reply::empty(400))?;
    body[key].as_object().cloned().ok_or_else(|| failed(500, "Internal Server Error"))
}

fn failed(status: u16, error: &str) -> Reply {
    Reply::new(status, json!({"status": status, "error": error}))
}

/// The sentences in the order of the alphabet.
fn refused(mut sentences: Vec<String>) -> Reply {
    sentences.sort();
    Reply::new(422, json!({"errors": sentences}))
}
