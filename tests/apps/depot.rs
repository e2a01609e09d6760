//! A depot of packages: accounts that are made and replaced by one and the same PUT, below their name.
//!
//! A caller logs in first; the token is in a header of the reply and serves for [`LIFETIME`] calls. Lists end in the URL
//! of the next page, with the name that the depot has inside its own network. What a PUT leaves out is gone: the hash of
//! a password, keys for its API, labels. Beside an account stand its profile and its telephones, each a document of its
//! own. Who may do what in a team is a grant, which has an id and a level; granting twice makes two grants.

mod teams;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use super::check::{self, Field, Kind, may, must};
use super::serve::{App, Call, Reply};

use self::teams::Grant;

pub(crate) const PASSWORD: &str = "depot-password";
/// What nobody outside the depot may ever see, besides hashes, which begin with [`HASHED`].
pub(crate) const API_KEY: &str = "key-of-a-robot";
pub(crate) const HASHED: &str = "$depot$";

/// Calls that one token is good for.
const LIFETIME: usize = 60;
const PAGE_MAX: usize = 50;

type Document = Map<String, Value>;

/// The application.
#[derive(Default)]
pub(crate) struct Depot {
    last_number: u64,
    pub(crate) accounts: BTreeMap<String, Document>,
    profiles: BTreeMap<String, Document>,
    phones: BTreeMap<String, Vec<Value>>,
    pub(crate) teams: BTreeMap<String, Document>,
    pub(crate) grants: Vec<Grant>,
    /// Calls left.
    tokens: BTreeMap<String, usize>,
    pub(crate) logins: usize,
}

impl Depot {
    /// Somebody who was there before, with all that people get by hand.
    pub(crate) fn seed(&mut self, name: &str) {
        let account = json!({"name": name, "display": null, "locked": false, "plan": "free", "labels": {},
            "password_hash": null, "api_keys": [], "created": "2024-01-01T00:00:00Z", "last_login": null});
        self.accounts.insert(name.to_owned(), account.as_object().cloned().unwrap());
        self.enrich(name);
    }

    /// Gives somebody what only the depot gives: a password, a key, a plan, a label and a telephone.
    pub(crate) fn enrich(&mut self, name: &str) {
        let account = self.accounts.get_mut(name).unwrap();
        account.insert("password_hash".into(), json!(hash("what only they know")));
        account.insert("api_keys".into(), json!([{"id": "k-1", "secret": API_KEY}]));
        account.insert("plan".into(), json!("paid"));
        account["labels"].as_object_mut().unwrap().insert("shelf".into(), json!("north"));
        self.phones.insert(name.to_owned(), vec![json!({"number": "+47 22 00 00 01", "kind": "desk"})]);
    }

    /// What people got by hand.
    pub(crate) fn by_hand(&self, name: &str) -> Value {
        let account = &self.accounts[name];
        json!([account["password_hash"], account["api_keys"], account["plan"], account["labels"]["shelf"]])
    }

    pub(crate) fn profile(&self, name: &str) -> Value {
        self.profiles.get(name).cloned().map_or(Value::Null, Value::Object)
    }

    /// Ends every session.
    pub(crate) fn expire(&mut self) {
        self.tokens.clear();
    }

    fn log_in(&mut self, call: &Call) -> Reply {
        let sent = call.json();
        let identity = &sent["auth"]["identity"];
        let account = &identity["account"];
        if identity["methods"] != json!(["password"]) || sent["auth"]["scope"]["realm"] != "main" {
            return refusal(400, "login", "what is a login without a method and a realm");
        }
        if account["name"] != "svc-scim" || account["password"] != PASSWORD {
            return refusal(401, "login", "no such account, or another password");
        }
        self.logins += 1;
        let token = format!("token-{}-of-depot", self.logins);
        self.tokens.insert(token.clone(), LIFETIME);
        Reply { headers: vec![("x-session-token", token)], ..Reply::new(201, json!({"session": {"calls": LIFETIME}})) }
    }

    fn is_in_session(&mut self, call: &Call) -> bool {
        let left = self.tokens.get_mut(call.header("x-session-token")).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    fn accounts(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let (method, segments) = call.line();
        let name = segments.get(2).copied().unwrap_or_default();
        let known = self.accounts.contains_key(name);
        match (method, segments.get(3..).unwrap_or_default()) {
            ("GET", _) if segments.len() == 2 => page(call, "accounts", "name", self.accounts.values()),
            ("PUT", []) if segments.len() == 3 => self.put_account(call, name, harm),
            _ if !known => refusal(404, "no_account", "no such account"),
            ("GET", []) => Reply::new(200, Value::Object(self.accounts[name].clone())),
            ("DELETE", []) => {
                self.accounts.remove(name);
                self.profiles.remove(name);
                self.phones.remove(name);
                self.grants.retain(|grant| grant.account != name);
                Reply::empty(204)
            }
            ("GET", ["profile"]) => {
                let profile = self.profiles.entry(name.to_owned()).or_default();
                Reply::new(200, Value::Object(profile.clone()))
            }
            ("PATCH", ["profile"]) => self.patch_profile(call, name),
            ("GET", ["phones"]) => {
                Reply::new(200, json!({"phones": self.phones.get(name).cloned().unwrap_or_default()}))
            }
            _ => refusal(405, "method", "not offered"),
        }
    }

    /// Makes the account, or replaces all of it.
    fn put_account(&mut self, call: &Call, name: &str, harm: &mut Vec<String>) -> Reply {
        let Some(mut account) = call.object() else { return refusal(400, "body", "no document") };
        if let Err((field, what)) = check::part(&account, ACCOUNT) {
            return refusal(422, "invalid", &format!("{field} {what}"));
        }
        if account.get("name").is_some_and(|sent| *sent != name) {
            return refusal(422, "invalid", "name is another than in the path");
        }
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@+-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
            return refusal(422, "invalid", "name has other characters than a name may have");
        }
        if let Some(password) = account.remove("password") {
            let Some(password) = password.as_str().filter(|password| password.len() >= 8) else {
                return refusal(422, "invalid", "password is too short");
            };
            account.insert("password_hash".into(), json!(hash(password)));
        }
        let old = self.accounts.get(name);
        for (field, default) in DEFAULTS {
            let default: Value = serde_json::from_str(default).unwrap_or_default();
            let new = account.entry(*field).or_insert(default);
            let kept = old.and_then(|old| old.get(*field)).is_none_or(|old| lives_on(old, new));
            if !kept {
                harm.push(format!("{name} lost {field}"));
            }
        }
        account.insert("name".into(), json!(name));
        for (field, first) in [("created", json!("2025-01-01T00:00:00Z")), ("last_login", Value::Null)] {
            account.insert(field.into(), old.and_then(|old| old.get(field)).cloned().unwrap_or(first));
        }
        let status = if self.accounts.insert(name.to_owned(), account).is_some() { 204 } else { 201 };
        Reply::empty(status)
    }

    fn patch_profile(&mut self, call: &Call, name: &str) -> Reply {
        let Some(sent) = call.object() else { return refusal(400, "body", "no document") };
        if let Err((field, what)) = check::part(&sent, PROFILE) {
            return refusal(422, "invalid", &format!("{field} {what}"));
        }
        if let Some(mail) = sent.get("mail").and_then(Value::as_str) {
            let is_held = |(other, profile): (&String, &Document)| {
                other != name && profile.get("mail").and_then(Value::as_str) == Some(mail)
            };
            if self.profiles.iter().any(is_held) {
                return refusal(409, "mail", &format!("{mail} is the address of somebody else"));
            }
        }
        let profile = self.profiles.entry(name.to_owned()).or_default();
        profile.extend(sent);
        Reply::new(200, Value::Object(profile.clone()))
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

impl App for Depot {
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let (method, segments) = call.line();
        match (method, &*segments) {
            ("POST", ["api", "login"]) => self.log_in(call),
            _ if !self.is_in_session(call) => refusal(401, "session", "log in first"),
            (_, ["api", "accounts", ..]) => self.accounts(call, harm),
            (_, ["api", "teams", ..]) => self.teams(call, harm),
            (_, ["api", "grants", ..]) => self.grants(call, harm),
            _ => refusal(404, "path", "no such path"),
        }
    }
}

/// A page that begins after a key, and the URL of the next one.
fn page<'a>(call: &Call, name: &str, key: &str, rows: impl Iterator<Item = &'a Document>) -> Reply {
    let after = call.param("after").unwrap_or_default();
    let size = call.number("limit", 20).clamp(1, PAGE_MAX);
    let text = |row: &Document| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rest = rows.filter(|row| text(row).as_str() > after);
    let rows: Vec<Document> = rest.by_ref().take(size).cloned().collect();
    let path = call.target.split('?').next().unwrap_or_default();
    let last = rows.last().map(text).unwrap_or_default();
    // Nobody outside could follow this host, and a client that trusts it would carry its token there.
    let next = rest.next().map(|_| format!("http://depot.internal{path}?limit={size}&after={}", encoded(&last)));
    Reply::new(200, json!({name: rows, "links": {"next": next}}))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Whether nothing of what people were given goes. Another hash is another password, and labels may be added.
fn lives_on(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.keys().filter(|key| *key != "idp").all(|key| new.contains_key(key))
        }
        (Value::String(_), new) => new.is_string(),
        (Value::Array(old), new) => old.is_empty() || new.as_array() == Some(old),
        _ => true,
    }
}

fn hash(password: &str) -> String {
    let mut hasher = DefaultHasher::new();
    password.hash(&mut hasher);
    format!("{HASHED}{:x}", hasher.finish())
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, json!({"error": {"code": code, "message": message}}))
}

const ACCOUNT: &[Field] = &[
    must("name", Kind::Text),
    may("display", Kind::Text),
    may("locked", Kind::Flag),
    may("plan", Kind::OneOf(&["free", "paid"])),
    may("labels", Kind::Object),
    may("password", Kind::Text),
    may("password_hash", Kind::Text),
    may("api_keys", Kind::List),
];
/// What a PUT that says nothing about a field makes of it.
const DEFAULTS: &[(&str, &str)] = &[
    ("display", "null"),
    ("locked", "false"),
    ("plan", "\"free\""),
    ("labels", "{}"),
    ("password_hash", "null"),
    ("api_keys", "[]"),
];
const PROFILE: &[Field] =
    &[may("given", Kind::Text), may("family", Kind::Text), may("mail", Kind::Text), may("title", Kind::Text)];
