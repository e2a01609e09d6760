//! Groups and who is in them.

use serde_json::{Value, json};

use super::super::serve::{Call, Reply};
use super::{ANONYMOUS, Redmine, document, failed, refused};

/// Groups that are always there and have no members of their own.
pub(super) const BUILT_IN: [(u64, &str); 2] = [(2, "Anonymous users"), (3, "Non member users")];

/// Changes of a built-in group are answered, but not made.
pub(super) fn built_in(id: u64, method: &str, harm: &mut Vec<String>) -> Reply {
    let name = BUILT_IN.iter().find(|(known, _)| *known == id).map(|(_, name)| name);
    if method == "GET" {
        return Reply::new(200, json!({"group": {"id": id, "name": name, "builtin": "anonymous"}}));
    }
    harm.push(format!("{method} of the built-in group {id} was answered and not carried out"));
    Reply::empty(204)
}

impl Redmine {
    pub(super) fn list_groups(&self) -> Reply {
        let groups: Vec<Value> = self.groups.iter().map(|(id, (name, _))| json!({"id": id, "name": name})).collect();
        Reply::new(200, json!({"groups": groups}))
    }

    pub(super) fn show_group(&self, id: u64, call: &Call) -> Reply {
        let (name, members) = &self.groups[&id];
        let mut group = json!({"id": id, "name": name});
        if call.param("include").is_some_and(|what| what.contains("users")) {
            group["users"] = members.iter().map(|id| json!({"id": id, "name": self.display(*id)})).collect();
        }
        Reply::new(200, json!({"group": group}))
    }

    fn display(&self, id: u64) -> String {
        self.users.get(&id).map_or_else(
            || "Anonymous".to_owned(),
            |user| format!("{} {}", user["firstname"].as_str().unwrap(), user["lastname"].as_str().unwrap()),
        )
    }

    pub(super) fn create_group(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let id = self.next_id();
        match self.write_group(id, call, harm) {
            Ok(()) => Reply::new(201, json!({"group": {"id": id, "name": self.groups[&id].0}})),
            Err(refusal) => refusal,
        }
    }

    pub(super) fn update_group(&mut self, id: u64, call: &Call, harm: &mut Vec<String>) -> Reply {
        self.write_group(id, call, harm).map_or_else(|refusal| refusal, |()| Reply::empty(204))
    }

    fn write_group(&mut self, id: u64, call: &Call, harm: &mut Vec<String>) -> Result<(), Reply> {
        let sent = document(call, "group")?;
        let (mut name, mut members) = self.groups.get(&id).cloned().unwrap_or_default();
        if let Some(sent) = sent.get("name") {
            sent.as_str().unwrap_or_default().clone_into(&mut name);
        }
        let mut wrong = Vec::new();
        if name.trim().is_empty() {
            wrong.push("Name cannot be blank".to_owned());
        }
        if name.chars().count() > 255 {
            wrong.push("Name is too long (maximum is 255 characters)".to_owned());
        }
        if self.groups.iter().any(|(other, (held, _))| *other != id && held.eq_ignore_ascii_case(&name)) {
            wrong.push("Name has already been taken".to_owned());
        }
        if let Some(ids) = sent.get("user_ids").and_then(Value::as_array) {
            let known = ids.iter().map(|id| id.as_u64().filter(|id| self.is_user(*id)));
            members = known.collect::<Option<_>>().ok_or_else(|| failed(404, "Not Found"))?;
        }
        if !wrong.is_empty() {
            return Err(refused(wrong));
        }
        note_anonymous(&members, harm);
        self.groups.insert(id, (name, members));
        Ok(())
    }

    /// Redmine counts "Anonymous" among the users here, and nowhere else.
    fn is_user(&self, id: u64) -> bool {
        id == ANONYMOUS || self.users.contains_key(&id)
    }

    pub(super) fn add_members(&mut self, group: u64, call: &Call, harm: &mut Vec<String>) -> Reply {
        let body = call.json();
        let named = match &body["user_ids"] {
            Value::Array(ids) => ids.clone(),
            _ => vec![body["user_id"].clone()],
        };
        let members = &self.groups[&group].1;
        let new = named.iter().filter_map(Value::as_u64).filter(|id| self.is_user(*id) && !members.contains(id));
        let new: Vec<u64> = new.collect();
        if new.is_empty() {
            return refused(vec!["User is invalid".to_owned()]);
        }
        note_anonymous(&new, harm);
        self.groups.entry(group).or_default().1.extend(new);
        Reply::empty(204)
    }

    pub(super) fn remove_member(&mut self, group: u64, user: Option<u64>) -> Reply {
        let Some(user) = user.filter(|user| self.is_user(*user)) else { return failed(404, "Not Found") };
        self.groups.entry(group).or_default().1.retain(|member| *member != user);
        Reply::empty(204)
    }
}

fn note_anonymous(members: &[u64], harm: &mut Vec<String>) {
    if members.contains(&ANONYMOUS) {
        harm.push("whoever is not signed in is in a group".to_owned());
    }
}
