//! People.

use serde_json::{Value, json};

use super::super::serve::{Call, Reply};
use super::{ADMIN, ANONYMOUS, Document, Redmine, document, refused};

/// Somebody with this login.
pub(super) fn made(id: u64, login: &str, admin: bool) -> Document {
    let user = json!({"id": id, "login": login, "admin": admin, "firstname": "Old", "lastname": "Hand",
        "mail": format!("{}@old.example", login.replace('@', ".")), "created_on": "2026-01-02T03:04:05Z",
        "updated_on": "2026-01-02T03:04:05Z", "last_login_on": null, "passwd_changed_on": null, "twofa_scheme": null,
        "api_key": format!("api-key-{id}"), "status": 1});
    user.as_object().cloned().unwrap_or_default()
}

/// Who is not signed in has a number among the users, in no list of them.
fn anonymous() -> Document {
    let mut user = made(ANONYMOUS, "", false);
    user.extend([("firstname".into(), json!("")), ("lastname".into(), json!("Anonymous"))]);
    user.extend([("mail".into(), Value::Null), ("status".into(), json!(0))]);
    user
}

impl Redmine {
    pub(super) fn list_users(&self, call: &Call) -> Reply {
        let wanted = call.param("status").unwrap_or("1");
        let part = call.param("name").unwrap_or_default().to_lowercase();
        let group = call.param("group_id").and_then(|text| text.parse().ok());
        let number: Option<u64> = wanted.parse().ok();
        let found = self.users.values().filter(|user| {
            let text = |name: &str| user[name].as_str().unwrap_or_default();
            let texts = [text("login"), text("mail"), &format!("{} {}", text("firstname"), text("lastname"))];
            (wanted.is_empty() || user["status"].as_u64() == number)
                && texts.iter().any(|text| text.to_lowercase().contains(&part))
                && group.is_none_or(|group: u64| self.groups[&group].1.contains(&user["id"].as_u64().unwrap()))
        });
        let mut found: Vec<&Document> = found.collect();
        found.sort_by_key(|user| user["login"].to_string());
        let limit = match call.number("limit", 25) {
            0 => 25,
            limit => limit.min(100),
        };
        let offset = call.number("offset", 0);
        let shown: Vec<Value> = found.iter().skip(offset).take(limit).map(|user| shown(user, &LISTED)).collect();
        let body = json!({"users": shown, "total_count": found.len(), "offset": offset, "limit": limit});
        Reply::new(200, body)
    }

    pub(super) fn show_user(&self, id: Option<u64>, call: &Call, to_admin: bool) -> Reply {
        if id == Some(ANONYMOUS) {
            return Reply::new(200, json!({"user": anonymous()}));
        }
        let Some(user) = id.and_then(|id| self.users.get(&id)) else { return Reply::empty(404) };
        let mut body = if to_admin { Value::Object(user.clone()) } else { shown(user, &WEAKLY) };
        if to_admin && call.param("include").is_some_and(|what| what.contains("groups")) {
            let of_user = self.groups.iter().filter(|(_, (_, members))| members.contains(&id.unwrap_or_default()));
            body["groups"] = of_user.map(|(id, (name, _))| json!({"id": id, "name": name})).collect();
        }
        Reply::new(200, json!({"user": body}))
    }

    pub(super) fn create_user(&mut self, call: &Call) -> Reply {
        let sent = match document(call, "user") {
            Ok(sent) => sent,
            Err(failure) => return failure,
        };
        let id = self.next_id();
        let mut user = made(id, "", false);
        for name in ["login", "firstname", "lastname", "mail"] {
            user.insert(name.into(), Value::Null);
        }
        keep(&mut user, &sent);
        let wrong = self.wrong(id, &user, &sent);
        if !wrong.is_empty() {
            return refused(wrong);
        }
        self.users.insert(id, user.clone());
        Reply::new(201, json!({"user": user}))
    }

    pub(super) fn update_user(&mut self, id: Option<u64>, call: &Call, harm: &mut Vec<String>) -> Reply {
        let Some((id, mut user)) = id.and_then(|id| Some((id, self.users.get(&id)?.clone()))) else {
            return Reply::empty(404);
        };
        let sent = match document(call, "user") {
            Ok(sent) => sent,
            Err(failure) => return failure,
        };
        keep(&mut user, &sent);
        let wrong = self.wrong(id, &user, &sent);
        if !wrong.is_empty() {
            return refused(wrong);
        }
        if user["admin"] == true {
            harm.push(format!("the administrator {} was changed", user["login"]));
        }
        self.users.insert(id, user);
        Reply::empty(204)
    }

    pub(super) fn delete_user(&mut self, id: Option<u64>, harm: &mut Vec<String>) -> Reply {
        let Some(id) = id.filter(|id| self.users.contains_key(id)) else { return Reply::empty(404) };
        if id == ADMIN {
            return Reply::empty(422);
        }
        if self.users[&id]["admin"] == true {
            harm.push(format!("the administrator {} was deleted", self.users[&id]["login"]));
        }
        self.users.remove(&id);
        for (_, members) in self.groups.values_mut() {
            members.retain(|member| *member != id);
        }
        Reply::empty(204)
    }

    /// What is wrong with somebody, a sentence each.
    fn wrong(&self, id: u64, user: &Document, sent: &Document) -> Vec<String> {
        let mut wrong = Vec::new();
        for (field, name, max) in FIELDS {
            let text = user[field].as_str().unwrap_or_default();
            let taken = |other: &&Document| {
                other["id"] != id && other[field].as_str().is_some_and(|held| held.eq_ignore_ascii_case(text))
            };
            if text.trim().is_empty() {
                wrong.push(format!("{name} cannot be blank"));
                continue;
            }
            if text.chars().count() > max {
                wrong.push(format!("{name} is too long (maximum is {max} characters)"));
            }
            let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte));
            if (field == "login" && !plain(text)) || (field == "mail" && !text.contains('@')) {
                wrong.push(format!("{name} is invalid"));
            }
            if matches!(field, "login" | "mail") && self.users.values().any(|other| taken(&other)) {
                wrong.push(format!("{name} has already been taken"));
            }
        }
        if ![1, 2, 3].iter().any(|status| user["status"] == *status) {
            wrong.push("Status is invalid".to_owned());
        }
        if sent.get("password").is_some_and(|word| word.as_str().unwrap_or_default().chars().count() < 8) {
            wrong.push("Password is too short (minimum is 8 characters)".to_owned());
        }
        wrong
    }
}

/// Takes over what can be changed; the rest is ignored.
fn keep(user: &mut Document, sent: &Document) {
    for name in ["login", "firstname", "lastname", "mail", "status", "admin"] {
        if let Some(value) = sent.get(name) {
            user.insert(name.into(), value.clone());
        }
    }
}

fn shown(user: &Document, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), user[*name].clone())).collect::<Document>().into()
}

const FIELDS: [(&str, &str, usize); 4] =
    [("login", "Login", 60), ("firstname", "First name", 30), ("lastname", "Last name", 30), ("mail", "Email", 254)];
const LISTED: [&str; 8] = ["id", "login", "admin", "firstname", "lastname", "mail", "created_on", "updated_on"];
const WEAKLY: [&str; 5] = ["id", "login", "firstname", "lastname", "created_on"];
