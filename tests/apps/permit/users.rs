//! People of the environment.

use serde_json::{Value, json};

use super::super::check::{self, Field, Kind, may, must};
use super::super::serve::{Call, Reply};
use super::{Document, Permit, check_key, error, find, listed, named, not_found, text, unfit};

impl Permit {
    pub(super) fn answer_users(&mut self, call: &Call, rest: &[&str], harm: &mut Vec<String>) -> Reply {
        let known = rest.first().and_then(|name| find(&self.users, name)).cloned();
        match (call.method.as_str(), rest, known) {
            ("GET", [], _) => {
                // The search looks at addresses and at nothing else.
                let search = call.param("search").unwrap_or_default().to_lowercase();
                let found = self.users.iter().filter(|user| text(user, "email").to_lowercase().contains(&search));
                listed(call, found.map(|user| self.shown(user)).collect(), true)
            }
            ("POST", [], _) => self.create_user(call),
            (_, [name], None) => not_found("User", name),
            ("GET", [_], Some(user)) => Reply::new(200, self.shown(&user)),
            ("PATCH", [_], Some(user)) => self.update_user(call, user, harm),
            ("DELETE", [_], Some(user)) => {
                let id = text(&user, "id");
                self.users.retain(|one| !named(one, id));
                self.assignments.retain(|grant| grant.user != id);
                Reply::empty(204)
            }
            _ => error(405, "INVALID_INPUT", "not offered"),
        }
    }

    fn create_user(&mut self, call: &Call) -> Reply {
        let Some(mut user) = call.object() else { return unfit(("body".into(), "not an object".into())) };
        let fits = check::whole(&user, USER).and_then(|()| check_key(text(&user, "key"), "|@+-._"));
        if let Err(wrong) = fits {
            return unfit(wrong);
        }
        if let Some(holder) = find(&self.users, text(&user, "key")) {
            return if self.behaviour.existing_user_is_answered {
                Reply::new(200, self.shown(holder))
            } else {
                error(409, "DUPLICATE_ENTITY", &format!("User with key '{}' already exists.", text(&user, "key")))
            };
        }
        if let Some(taken) = self.address_taken(&user, None) {
            return taken;
        }
        let id = self.next_id();
        self.settling.push((id.clone(), self.behaviour.settling_calls));
        for (field, value) in [("email", Value::Null), ("first_name", Value::Null), ("last_name", Value::Null)] {
            user.entry(field).or_insert(value);
        }
        if user.get("attributes").is_none_or(Value::is_null) {
            user.insert("attributes".into(), json!({}));
        }
        user.insert("id".into(), json!(id));
        self.users.push(user.clone());
        Reply::new(201, self.shown(&user))
    }

    fn update_user(&mut self, call: &Call, mut user: Document, harm: &mut Vec<String>) -> Reply {
        let Some(changes) = call.object() else { return unfit(("body".into(), "not an object".into())) };
        if changes.contains_key("key") {
            return unfit(("key".into(), "extra fields not permitted".into()));
        }
        if let Err(wrong) = check::part(&changes, USER) {
            return unfit(wrong);
        }
        if let Some(taken) = self.address_taken(&changes, Some(text(&user, "id"))) {
            return taken;
        }
        if let Some(replaced) = changes.get("attributes") {
            let kept = |name: &String| replaced.get(name).is_some() || name.starts_with("scim_");
            let lost = user["attributes"].as_object().into_iter().flatten().filter(|(name, _)| !kept(name));
            harm.extend(lost.map(|(name, _)| format!("{} lost attributes.{name}", user["key"])));
        }
        user.extend(changes);
        if user["attributes"].is_null() {
            user.insert("attributes".into(), json!({}));
        }
        if let Some(stored) = self.users.iter_mut().find(|one| named(one, text(&user, "id"))) {
            stored.clone_from(&user);
        }
        Reply::new(200, self.shown(&user))
    }

    fn address_taken(&self, sent: &Document, except: Option<&str>) -> Option<Reply> {
        let email = sent.get("email")?.as_str()?.to_lowercase();
        let holds = |user: &&Document| text(user, "email").to_lowercase() == email && except != Some(text(user, "id"));
        let holder = self.users.iter().find(holds)?;
        Some(error(409, "DUPLICATE_ENTITY", &format!("The email is in use by the user '{}'.", text(holder, "key"))))
    }

    /// Somebody with their roles, as they are answered.
    fn shown(&self, user: &Document) -> Value {
        let mut shown = user.clone();
        let key = |documents: &[Document], id: &str| find(documents, id).map(|one| one["key"].clone());
        let of_user = self.assignments.iter().filter(|grant| grant.user == text(user, "id"));
        let roles: Vec<Value> = of_user
            .map(|grant| json!({"role": key(&self.roles, &grant.role), "tenant": key(&self.tenants, &grant.tenant)}))
            .collect();
        shown.insert("roles".into(), json!(roles));
        shown.insert("associated_tenants".into(), json!([]));
        shown.insert("created_at".into(), json!("2024-01-02T03:04:05+00:00"));
        shown.insert("updated_at".into(), json!("2024-01-02T03:04:05+00:00"));
        Value::Object(shown)
    }
}

const USER: &[Field] = &[
    must("key", Kind::Text),
    may("email", Kind::Text),
    may("first_name", Kind::Text),
    may("last_name", Kind::Text),
    may("attributes", Kind::Object),
];
