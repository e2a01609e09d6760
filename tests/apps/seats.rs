//! People with a seat, and groups, that are only ever replaced as a whole.
//!
//! Lists are bare arrays in slices of `offset` and `limit`, with the number of all in `X-Total-Count`. What a PUT
//! leaves out is gone. A person's `seat` is chosen by hand, and `lastSeen` is nobody's to write. A group's document
//! carries its members, and one stranger among them makes the whole document unacceptable.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::check::{self, Field, Kind, may, must};
use super::serve::{App, Call, Reply};

pub(crate) const PASSWORD: &str = "seats-password";

type Document = Map<String, Value>;

/// The application.
#[derive(Default)]
pub(crate) struct Seats {
    last_id: u64,
    pub(crate) people: BTreeMap<String, Document>,
    pub(crate) groups: BTreeMap<String, Document>,
}

impl Seats {
    /// Gives somebody a seat by hand.
    pub(crate) fn seat(&mut self, login: &str, seat: &str) {
        let person = self.people.values_mut().find(|person| person["login"] == login).unwrap();
        person.insert("seat".into(), json!(seat));
        person.insert("lastSeen".into(), json!("2024-02-02T02:02:02Z"));
    }

    fn slice(call: &Call, rows: &[Value]) -> Reply {
        let (offset, limit) = (call.number("offset", 0), call.number("limit", 50).clamp(1, 200));
        let shown: Vec<Value> = rows.iter().skip(offset).take(limit).cloned().collect();
        Reply { headers: vec![("x-total-count", rows.len().to_string())], ..Reply::new(200, Value::Array(shown)) }
    }

    fn people(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let (method, segments) = call.line();
        let id = segments.get(2).copied().unwrap_or_default();
        let known = self.people.contains_key(id);
        match (method, segments.len()) {
            ("GET", 2) => {
                let is = |person: &Document, field: &str| match call.param(field) {
                    Some(wanted) => person[field].as_str().is_some_and(|held| held.eq_ignore_ascii_case(wanted)),
                    None => true,
                };
                let found = self.people.values().filter(|person| is(person, "login") && is(person, "objectId"));
                Self::slice(call, &found.cloned().map(Value::Object).collect::<Vec<_>>())
            }
            ("POST", 2) => self.put_person(call, None, harm),
            (_, 3) if !known => refusal(404, "no such person"),
            ("GET", 3) => Reply::new(200, Value::Object(self.people[id].clone())),
            ("PUT", 3) => self.put_person(call, Some(id), harm),
            ("DELETE", 3) => {
                self.people.remove(id);
                for group in self.groups.values_mut() {
                    group["memberIds"].as_array_mut().unwrap().retain(|member| member != id);
                }
                Reply::empty(204)
            }
            _ => refusal(405, "not offered"),
        }
    }

    fn put_person(&mut self, call: &Call, id: Option<&str>, harm: &mut Vec<String>) -> Reply {
        let Some(mut document) = call.object() else { return refusal(400, "no document") };
        // The id may come back in a document that was read.
        let sent_id = document.remove("id");
        if sent_id.is_some_and(|sent| Some(sent.as_str().unwrap_or_default()) != id) {
            return refusal(422, "id cannot be changed");
        }
        if let Err((field, what)) = check::whole(&document, PERSON) {
            return refusal(422, &format!("{field} {what}"));
        }
        for field in ["login", "objectId"] {
            let Some(value) = document.get(field).and_then(Value::as_str) else { continue };
            let held = |person: &Document| person[field].as_str().is_some_and(|held| held.eq_ignore_ascii_case(value));
            if self.people.iter().any(|(other, person)| Some(other.as_str()) != id && held(person)) {
                return refusal(409, &format!("{field} is in use"));
            }
        }
        let old = id.and_then(|id| self.people.get(id)).cloned().unwrap_or_default();
        if let (Some(seat), None) = (old.get("seat").filter(|seat| *seat != "viewer"), document.get("seat")) {
            harm.push(format!("{} lost the seat {seat}", old["login"]));
        }
        for (field, default) in [("objectId", Value::Null), ("fullName", Value::Null), ("seat", json!("viewer"))] {
            document.entry(field).or_insert(default);
        }
        document.entry("disabled").or_insert(json!(false));
        document.insert("lastSeen".into(), old.get("lastSeen").cloned().unwrap_or_default());
        let status = if id.is_some() { 200 } else { 201 };
        let id = id.map_or_else(|| self.next_id("p"), str::to_owned);
        document.insert("id".into(), json!(id));
        self.people.insert(id, document.clone());
        Reply::new(status, Value::Object(document))
    }

    fn groups(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let (method, segments) = call.line();
        let id = segments.get(2).copied().unwrap_or_default();
        let known = self.groups.contains_key(id);
        match (method, segments.len()) {
            ("GET", 2) => {
                let is = |group: &Document, name: &str| group["name"].as_str().unwrap().eq_ignore_ascii_case(name);
                let found = self.groups.values().filter(|group| call.param("name").is_none_or(|name| is(group, name)));
                Self::slice(call, &found.cloned().map(Value::Object).collect::<Vec<_>>())
            }
            ("POST", 2) => self.put_group(call, None, harm),
            (_, 3 | 4) if !known => refusal(404, "no such group"),
            ("GET", 3) => Reply::new(200, Value::Object(self.groups[id].clone())),
            ("PUT", 4) if segments[3] == "members" => {
                let members = call.json()["memberIds"].clone();
                if let Some(refusal) = self.strangers(&members) {
                    return refusal;
                }
                self.groups.get_mut(id).unwrap().insert("memberIds".into(), members);
                Reply::new(200, Value::Object(self.groups[id].clone()))
            }
            ("PUT", 3) => self.put_group(call, Some(id), harm),
            ("DELETE", 3) => {
                self.groups.remove(id);
                Reply::empty(204)
            }
            _ => refusal(405, "not offered"),
        }
    }

    fn put_group(&mut self, call: &Call, id: Option<&str>, harm: &mut Vec<String>) -> Reply {
        let Some(mut document) = call.object() else { return refusal(400, "no document") };
        document.remove("id");
        if let Err((field, what)) = check::whole(&document, GROUP) {
            return refusal(422, &format!("{field} {what}"));
        }
        let taken =
            |(other, group): (&String, &Document)| Some(other.as_str()) != id && group["name"] == document["name"];
        if self.groups.iter().any(taken) {
            return refusal(409, "name is in use");
        }
        if let Some(refusal) = self.strangers(document.entry("memberIds").or_insert_with(|| json!([]))) {
            return refusal;
        }
        let old = id.and_then(|id| self.groups.get(id)).cloned().unwrap_or_default();
        let lost = old.get("memberIds").and_then(Value::as_array).is_some_and(|old| !old.is_empty());
        if lost && !call.object().is_some_and(|sent| sent.contains_key("memberIds")) {
            harm.push(format!("{} lost its members", old["name"]));
        }
        document.entry("objectId").or_insert(Value::Null);
        let status = if id.is_some() { 200 } else { 201 };
        let id = id.map_or_else(|| self.next_id("g"), str::to_owned);
        document.insert("id".into(), json!(id));
        self.groups.insert(id, document.clone());
        Reply::new(status, Value::Object(document))
    }

    /// One stranger makes the whole list unacceptable.
    fn strangers(&self, members: &Value) -> Option<Reply> {
        let Some(members) = members.as_array() else { return Some(refusal(422, "memberIds has the wrong type")) };
        let strangers = members.iter().filter(|one| !one.as_str().is_some_and(|one| self.people.contains_key(one)));
        let strangers: Vec<String> = strangers.map(Value::to_string).collect();
        (!strangers.is_empty()).then(|| refusal(422, &format!("memberIds: nobody is {}", strangers.join(", "))))
    }

    fn next_id(&mut self, kind: &str) -> String {
        self.last_id += 1;
        format!("{kind}-{}", self.last_id)
    }
}

impl App for Seats {
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        if call.header("authorization") != CREDENTIAL {
            return refusal(401, "who are you");
        }
        match (call.segments.first().map(String::as_str), call.segments.get(1).map(String::as_str)) {
            (Some("v1"), Some("people")) => self.people(call, harm),
            (Some("v1"), Some("groups")) => self.groups(call, harm),
            _ => refusal(404, "no such path"),
        }
    }
}

fn refusal(status: u16, problem: &str) -> Reply {
    Reply::new(status, json!({"problem": problem}))
}

const PERSON: &[Field] = &[
    must("login", Kind::Text),
    may("objectId", Kind::Text),
    may("fullName", Kind::Text),
    may("disabled", Kind::Flag),
    may("seat", Kind::OneOf(&["viewer", "editor", "owner"])),
];
const GROUP: &[Field] = &[must("name", Kind::Text), may("objectId", Kind::Text), may("memberIds", Kind::List)];
/// `svc-provisioning` and [`PASSWORD`] as HTTP wants them.
const CREDENTIAL: &str = "Basic c3ZjLXByb3Zpc2lvbmluZzpzZWF0cy1wYXNzd29yZA==";
