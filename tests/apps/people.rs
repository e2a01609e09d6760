//! People, and teams if there are any, in the way most frameworks do it: pages, envelopes, PATCH.
//!
//! Lists are `{"data": [...], "meta": {"total": n}}` and one object is `{"data": {...}}`. Somebody is switched off by
//! `POST /users/{id}/suspend` alone where there are teams, and by `status` where there are none. Everybody has a `plan`,
//! which is nobody else's business. A page has at most 100 objects; more are not served, and an unknown parameter is
//! ignored.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::check::{self, Field, Kind, may, must};
use super::serve::{App, Call, Reply};

pub(crate) const KEY: &str = "people-key";

type Document = Map<String, Value>;

/// The application.
pub(crate) struct People {
    /// Whether there are teams; then callers use another header, bodies are bare, and `suspend` is a call of its own.
    teams_too: bool,
    last_id: u64,
    pub(crate) users: BTreeMap<u64, Document>,
    pub(crate) teams: BTreeMap<u64, Document>,
    /// How often somebody was told that they are suspended.
    pub(crate) suspensions: usize,
    /// Team and user.
    pub(crate) members: Vec<(u64, u64)>,
}

impl People {
    /// `Authorization: Bearer`, and documents that are written inside `{"user": ..}`.
    pub(crate) fn alone() -> People {
        People {
            teams_too: false,
            last_id: 0,
            users: BTreeMap::new(),
            teams: BTreeMap::new(),
            members: Vec::new(),
            suspensions: 0,
        }
    }

    /// `X-Api-Key`, and documents that are written as they are.
    pub(crate) fn in_teams() -> People {
        People { teams_too: true, ..People::alone() }
    }

    /// Somebody who was there before.
    pub(crate) fn seed(&mut self, email: &str) -> u64 {
        let document = json!({"email": email, "first_name": "Old", "last_name": "Hand", "plan": "paid"});
        self.add_user(document.as_object().cloned().unwrap_or_default())
    }

    fn add_user(&mut self, mut document: Document) -> u64 {
        self.last_id += 1;
        document.insert("id".into(), json!(self.last_id));
        for (name, value) in [("status", "active"), ("plan", "free")] {
            document.entry(name).or_insert_with(|| json!(value));
        }
        self.users.insert(self.last_id, document);
        self.last_id
    }

    fn authorised(&self, call: &Call) -> bool {
        let (header, value) =
            if self.teams_too { ("x-api-key", KEY.to_owned()) } else { ("authorization", format!("Bearer {KEY}")) };
        call.header(header) == value
    }

    /// The document in a body.
    fn document(&self, call: &Call) -> Option<Document> {
        let mut body = call.object()?;
        if self.teams_too { Some(body) } else { body.remove("user")?.as_object().cloned() }
    }

    fn list(call: &Call, rows: Vec<Value>) -> Reply {
        let (page, size) = (call.number("page", 1).max(1), call.number("per_page", 20).clamp(1, 100));
        let total = rows.len();
        let rows: Vec<Value> = rows.into_iter().skip((page - 1) * size).take(size).collect();
        Reply::new(200, json!({"data": rows, "meta": {"total": total}}))
    }

    fn taken(&self, field: &str, document: &Document, except: u64) -> Option<Reply> {
        let value = document.get(field)?.as_str()?.to_lowercase();
        let holder = self.users.iter().find(|(id, user)| {
            **id != except && user.get(field).and_then(Value::as_str).is_some_and(|held| held.to_lowercase() == value)
        });
        holder.map(|_| refusal(409, "taken", &format!("{field} is taken")))
    }

    fn users(&mut self, call: &Call) -> Reply {
        let (method, segments) = call.line();
        let id: Option<u64> = segments.get(2).and_then(|text| text.parse().ok());
        let user = id.and_then(|id| self.users.get(&id).cloned().map(|user| (id, user)));
        match (method, segments.get(2..).unwrap_or_default(), user) {
            ("GET", [], _) => {
                let wanted = call.param("email");
                let found = self.users.values().filter(|user| wanted.is_none_or(|email| user["email"] == email));
                Self::list(call, found.cloned().map(Value::Object).collect())
            }
            ("POST", [], _) => self.create_user(call),
            (_, [_, ..], None) => refusal(404, "not_found", "no such user"),
            ("GET", [_], Some((_, user))) => one(200, user),
            ("PATCH", [_], Some((id, user))) => self.update_user(call, id, user),
            ("DELETE", [_], Some((id, _))) => {
                self.users.remove(&id);
                self.members.retain(|(_, user)| *user != id);
                Reply::empty(204)
            }
            ("POST", [_, "suspend"], Some((id, mut user))) if self.teams_too => {
                self.suspensions += 1;
                user.insert("status".into(), json!("suspended"));
                self.users.insert(id, user);
                Reply::empty(204)
            }
            _ => refusal(405, "method", "not offered"),
        }
    }

    fn create_user(&mut self, call: &Call) -> Reply {
        let Some(document) = self.document(call) else { return refusal(400, "body", "no document") };
        if let Err(wrong) = check::whole(&document, USER) {
            return invalid(wrong);
        }
        if document.get("status").is_some_and(Value::is_null) {
            return invalid(("status".into(), "must not be null".into()));
        }
        if let Some(taken) = self.taken("email", &document, 0).or_else(|| self.taken("sso_id", &document, 0)) {
            return taken;
        }
        let id = self.add_user(document);
        one(201, self.users[&id].clone())
    }

    fn update_user(&mut self, call: &Call, id: u64, mut user: Document) -> Reply {
        let Some(document) = self.document(call) else { return refusal(400, "body", "no document") };
        if let Err(wrong) = check::part(&document, USER) {
            return invalid(wrong);
        }
        match document.get("status") {
            Some(Value::Null) => return invalid(("status".into(), "must not be null".into())),
            Some(status) if self.teams_too && status == "suspended" => {
                return invalid(("status".into(), "is changed by /suspend".into()));
            }
            _ => {}
        }
        if let Some(taken) = self.taken("email", &document, id).or_else(|| self.taken("sso_id", &document, id)) {
            return taken;
        }
        user.extend(document);
        self.users.insert(id, user.clone());
        one(200, user)
    }

    fn teams(&mut self, call: &Call) -> Reply {
        let (method, segments) = call.line();
        let number = |at: usize| segments.get(at).and_then(|text| text.parse::<u64>().ok());
        let team = number(2).and_then(|id| self.teams.get(&id).cloned().map(|team| (id, team)));
        match (method, segments.get(2..).unwrap_or_default(), team) {
            ("GET", [], _) => Self::list(call, self.teams.values().cloned().map(Value::Object).collect()),
            ("POST", [], _) => self.write_team(call, None),
            (_, [_, ..], None) => refusal(404, "not_found", "no such team"),
            ("GET", [_], Some((_, team))) => one(200, team),
            ("PATCH", [_], Some((id, _))) => self.write_team(call, Some(id)),
            ("DELETE", [_], Some((id, _))) => {
                self.teams.remove(&id);
                self.members.retain(|(team, _)| *team != id);
                Reply::empty(204)
            }
            ("GET", [_, "members"], Some((id, _))) => {
                let of_team = self.members.iter().filter(|(team, _)| *team == id);
                Self::list(call, of_team.map(|(_, user)| json!({"user_id": user, "since": "2020-01-01"})).collect())
            }
            ("POST", [_, "members"], Some((id, _))) => self.join(call, id),
            ("DELETE", [_, "members", _], Some((id, _))) => {
                let before = self.members.len();
                self.members.retain(|(team, user)| *team != id || Some(*user) != number(4));
                if self.members.len() < before { Reply::empty(204) } else { refusal(404, "not_member", "not in it") }
            }
            _ => refusal(405, "method", "not offered"),
        }
    }

    fn write_team(&mut self, call: &Call, id: Option<u64>) -> Reply {
        let Some(document) = call.object() else { return refusal(400, "body", "no document") };
        if let Err(wrong) = check::whole(&document, TEAM) {
            return invalid(wrong);
        }
        if self.teams.iter().any(|(other, team)| Some(*other) != id && team["name"] == document["name"]) {
            return refusal(409, "taken", "name is taken");
        }
        let id = id.unwrap_or(self.last_id + 1);
        self.last_id = self.last_id.max(id);
        let team = self.teams.entry(id).or_default();
        team.extend(document);
        team.insert("id".into(), json!(id));
        one(if call.method == "POST" { 201 } else { 200 }, team.clone())
    }

    fn join(&mut self, call: &Call, team: u64) -> Reply {
        let body = call.json();
        // A number: the text "7" is nobody.
        let Some(user) = body["user_id"].as_u64().filter(|user| self.users.contains_key(user)) else {
            return refusal(422, "no_such_user", "user_id names nobody");
        };
        if self.members.contains(&(team, user)) {
            return refusal(409, "member", "already in it");
        }
        self.members.push((team, user));
        Reply::new(201, json!({"data": {"user_id": user}}))
    }
}

impl App for People {
    fn answer(&mut self, call: &Call, _harm: &mut Vec<String>) -> Reply {
        if !self.authorised(call) {
            return refusal(401, "credential", "who are you");
        }
        match (call.segments.first().map(String::as_str), call.segments.get(1).map(String::as_str)) {
            (Some("api"), Some("users")) => self.users(call),
            (Some("api"), Some("teams")) if self.teams_too => self.teams(call),
            _ => refusal(404, "not_found", "no such path"),
        }
    }
}

fn one(status: u16, document: Document) -> Reply {
    Reply::new(status, Value::Object(Map::from_iter([("data".to_owned(), Value::Object(document))])))
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, json!({"error": {"code": code, "message": message}}))
}

fn invalid((field, what): (String, String)) -> Reply {
    refusal(422, "invalid", &format!("{field} {what}"))
}

const USER: &[Field] = &[
    must("email", Kind::Text),
    may("first_name", Kind::Text),
    may("last_name", Kind::Text),
    may("sso_id", Kind::Text),
    may("status", Kind::OneOf(&["active", "suspended"])),
];
const TEAM: &[Field] = &[must("name", Kind::Text)];
