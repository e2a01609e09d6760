//! An old personnel system: session login, form bodies, and status 200 whatever happens.
//!
//! Every answer is `{"ok": true, ..}` or `{"ok": false, "code": "E_..", "msg": ".."}`. A session ends after some calls,
//! and then every call is `E_SESSION`. Bodies are forms, decoded strictly; parameters that a call does not know are
//! ignored, so that a wrong name does nothing and says nothing. Somebody is locked, unlocked and given a password by
//! calls of their own and in no other way, and nothing can be searched.

mod people;
mod teams;

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::serve::{App, Call, Reply};

pub(crate) const PASSWORD: &str = "legacy-password";
/// Who the adapter is.
const SERVICE: &str = "svc-scim";
const SERVICE_UID: u64 = 1;
/// Objects on one page at the most, and without `n`.
const PAGE_MAX: usize = 500;
const PAGE: usize = 50;

type Document = Map<String, Value>;
type Fields = BTreeMap<String, String>;

/// The application.
pub(crate) struct Legacy {
    last_uid: u64,
    last_tid: u64,
    pub(crate) people: BTreeMap<u64, Document>,
    /// Ids of people and teams that were there.
    gone: BTreeSet<(&'static str, u64)>,
    passwords: BTreeMap<u64, String>,
    pub(crate) teams: BTreeMap<u64, String>,
    /// Team and person.
    pub(crate) members: Vec<(u64, u64)>,
    sessions: BTreeMap<String, usize>,
    pub(crate) logins: usize,
    wrong_logins: usize,
    /// How many calls a session lasts.
    pub(crate) session_calls: usize,
    /// How many writes are put off with `E_BUSY`.
    pub(crate) busy: usize,
}

impl Legacy {
    pub(crate) fn new() -> Legacy {
        let mut app = Legacy {
            last_uid: 0,
            last_tid: 0,
            people: BTreeMap::new(),
            gone: BTreeSet::new(),
            passwords: BTreeMap::new(),
            teams: BTreeMap::new(),
            members: Vec::new(),
            sessions: BTreeMap::new(),
            logins: 0,
            wrong_logins: 0,
            session_calls: 1000,
            busy: 0,
        };
        app.seed(SERVICE);
        app
    }

    /// Ends every session there is.
    pub(crate) fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    pub(crate) fn password(&self, uid: u64) -> Option<&str> {
        self.passwords.get(&uid).map(String::as_str)
    }

    /// Titles of the teams that are there.
    pub(crate) fn titles(&self) -> Vec<&str> {
        self.teams.values().map(String::as_str).collect()
    }

    fn login(&mut self, fields: &Fields, harm: &mut Vec<String>) -> Reply {
        let given = |name: &str| fields.get(name).map(String::as_str);
        if (given("user"), given("password")) != (Some(SERVICE), Some(PASSWORD)) {
            self.wrong_logins += 1;
            if self.wrong_logins > 2 {
                harm.push(format!("{SERVICE} is locked out after {} wrong logins", self.wrong_logins));
            }
            return refused("E_LOGIN", "who are you");
        }
        self.logins += 1;
        let id = format!("s{}", self.logins);
        self.sessions.insert(id.clone(), self.session_calls);
        done(json!({"session": {"id": id}}))
    }

    /// Whether a call belongs to a session that lasts; then it has one call less.
    fn in_session(&mut self, call: &Call) -> bool {
        let id = call.header("cookie").strip_prefix("HRSID=").unwrap_or_default();
        match self.sessions.get_mut(id) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// The id in a parameter, of something that is there.
    fn known(&self, what: &'static str, text: Option<&str>) -> Result<u64, Reply> {
        let id = text.and_then(|text| text.parse().ok()).ok_or_else(|| refused("E_BADVAL", "that is no id"))?;
        let there = if what == "user" { self.people.contains_key(&id) } else { self.teams.contains_key(&id) };
        match (there, self.gone.contains(&(what, id))) {
            (true, _) => Ok(id),
            (false, true) => Err(refused("E_GONE", &format!("this {what} was purged"))),
            (false, false) => Err(refused("E_NOENT", &format!("no such {what}"))),
        }
    }
}

impl App for Legacy {
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        if call.header("x-requested-with").is_empty() {
            return refused("E_CSRF", "calls of programs name their program");
        }
        let fields = match (call.method.as_str(), form(call)) {
            ("GET", _) => Fields::new(),
            ("POST", Ok(fields)) => fields,
            ("POST", Err(wrong)) => return refused("E_FORM", wrong),
            _ => return refused("E_METHOD", "GET or POST"),
        };
        let path = call.segments.join("/");
        if path == "api/login" {
            return self.login(&fields, harm);
        }
        if !self.in_session(call) {
            return refused("E_SESSION", "log in");
        }
        if call.method == "POST" && self.busy > 0 {
            self.busy -= 1;
            return refused("E_BUSY", "the nightly run is not over; nothing was done");
        }
        match path.strip_prefix("api/user/") {
            Some(rest) => self.answer_people(call, rest, &fields, harm).unwrap_or_else(|refusal| refusal),
            None => match path.strip_prefix("api/team/") {
                Some(rest) => self.answer_teams(call, rest, &fields).unwrap_or_else(|refusal| refusal),
                None => refused("E_PATH", "no such call"),
            },
        }
    }
}

/// The fields of a body.
fn form(call: &Call) -> Result<Fields, &'static str> {
    if call.header("content-type") != "application/x-www-form-urlencoded" {
        return Err("a body is a form");
    }
    let text = std::str::from_utf8(&call.body).map_err(|_| "not UTF-8")?;
    let mut fields = Fields::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("a field without a value")?;
        if !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err("a field has a plain name");
        }
        if fields.insert(name.to_owned(), decoded(value)?).is_some() {
            return Err("a field comes twice");
        }
    }
    Ok(fields)
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let well_formed = text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    });
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._+%".contains(&byte));
    if !well_formed || !plain {
        return Err("not encoded as a form");
    }
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| "not UTF-8")
}

/// Some of the rows behind a marker, and the marker of the next ones.
fn page(call: &Call, rows: impl Iterator<Item = (u64, Value)>) -> Reply {
    let after = match call.param("after").map(|marker| marker.strip_prefix("m-").unwrap_or_default().parse::<u64>()) {
        None => 0,
        Some(Ok(after)) => after,
        Some(Err(_)) => return refused("E_MARKER", "no such marker"),
    };
    let size = call.number("n", PAGE).clamp(1, PAGE_MAX);
    let mut rows = rows.skip_while(|(id, _)| *id <= after);
    let shown: Vec<(u64, Value)> = rows.by_ref().take(size).collect();
    let next = rows.next().and(shown.last()).map(|(id, _)| format!("m-{id}"));
    done(json!({"rows": shown.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), "next": next}))
}

/// A field that has to be there, and not empty.
fn must<'f>(fields: &'f Fields, name: &str) -> Result<&'f str, Reply> {
    let value = fields.get(name).map(|value| value.trim()).unwrap_or_default();
    if value.is_empty() { Err(refused("E_MISSING", &format!("{name} is mandatory"))) } else { Ok(value) }
}

fn done(mut body: Value) -> Reply {
    body["ok"] = json!(true);
    Reply::new(200, body)
}

/// A refusal, which is a 200 like everything else.
pub(crate) fn refused(code: &str, msg: &str) -> Reply {
    Reply::new(200, json!({"ok": false, "code": code, "msg": msg}))
}
