//! People: a login, a secret and a role are mandatory, and addresses are items of a list that is replaced whole.

use serde_json::{Value, json};

use super::super::check::{self, Field, Kind, may, must};
use super::{Document, Monitor, NOTHING, OWN, Outcome, ids, is_asked_for, number};

impl Monitor {
    /// Gives somebody a second way to be reached, with settings of its own.
    pub(crate) fn page_at_night(&mut self, login: &str, number: &str) {
        let (id, _) = self.person(login);
        let contact = json!({"contactid": format!("c{}", self.next_id()), "kind": 2, "to": [number], "severity": 48});
        let contacts = self.people.get_mut(&id).unwrap()["contacts"].as_array_mut().unwrap();
        for contact in contacts.iter_mut() {
            contact["severity"] = json!(7);
        }
        contacts.push(contact);
    }

    pub(super) fn get_people(&self, params: &Value) -> Value {
        let found = self.people.iter().filter(|(id, person)| is_asked_for(params, "personids", **id, person));
        let limit = params["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        found.take(limit).map(|(id, person)| self.shown(*id, person, params)).collect()
    }

    fn shown(&self, id: u64, person: &Document, params: &Value) -> Value {
        let mut shown = person.clone();
        shown.remove("secret");
        shown.insert("personid".into(), json!(id.to_string()));
        if params["withContacts"] != true {
            shown.remove("contacts");
        }
        if params["withTeams"] == true {
            let teams = self.members.iter().filter(|(_, member)| *member == id).map(|(team, _)| {
                json!({"teamid": team.to_string(), "name": self.teams[team]["name"], "blocked": self.teams[team]["blocked"]})
            });
            shown.insert("teams".into(), teams.collect());
        }
        Value::Object(shown)
    }

    pub(super) fn create_person(&mut self, params: &Value) -> Outcome {
        let sent = params.as_object().cloned().unwrap_or_default();
        check::whole(&sent, PERSON).map_err(invalid)?;
        self.is_acceptable(&sent, None)?;
        let teams = self.known_teams(&sent)?.unwrap_or_default();
        let id = self.next_id();
        let mut person =
            Document::from_iter([("theme".to_owned(), json!("default")), ("contacts".to_owned(), json!([]))]);
        for field in ["first", "last"] {
            person.insert(field.into(), json!(""));
        }
        self.change(&mut person, sent);
        self.people.insert(id, person);
        self.members.extend(teams.into_iter().map(|team| (team, id)));
        Ok(json!({"personids": [id.to_string()]}))
    }

    pub(super) fn update_person(&mut self, params: &Value, harm: &mut Vec<String>) -> Outcome {
        let mut sent = params.as_object().cloned().unwrap_or_default();
        let id = sent.remove("personid").as_ref().and_then(number).ok_or(NOTHING)?;
        let mut person = self.people.get(&id).cloned().ok_or(NOTHING)?;
        check::part(&sent, PERSON).map_err(invalid)?;
        self.is_acceptable(&sent, Some(id))?;
        if person["login"] == OWN {
            harm.push(format!("the account of provisioning itself was changed: {params}"));
        }
        if let Some(teams) = self.known_teams(&sent)? {
            self.members.retain(|(_, member)| *member != id);
            self.members.extend(teams.into_iter().map(|team| (team, id)));
        }
        if sent.contains_key("contacts") {
            harm.extend(
                lost(&person["contacts"], &sent["contacts"]).map(|lost| format!("{} lost {lost}", person["login"])),
            );
        }
        self.change(&mut person, sent);
        self.people.insert(id, person);
        Ok(json!({"personids": [id.to_string()]}))
    }

    pub(super) fn delete_people(&mut self, params: &Value) -> Outcome {
        let found: Option<Vec<u64>> = params
            .as_array()
            .into_iter()
            .flatten()
            .map(|id| number(id).filter(|id| self.people.contains_key(id)))
            .collect();
        let gone = found.filter(|ids| !ids.is_empty()).ok_or(NOTHING)?;
        if gone.iter().any(|id| self.people[id]["login"] == OWN) {
            return Err("Nobody can remove the own account.".to_owned());
        }
        self.people.retain(|id, _| !gone.contains(id));
        self.members.retain(|(_, person)| !gone.contains(person));
        Ok(json!({"personids": params}))
    }

    fn known_teams(&self, sent: &Document) -> Result<Option<Vec<u64>>, String> {
        let Some(list) = sent.get("teams") else { return Ok(None) };
        let teams = ids(list, "teams", "teamid")?;
        let stranger = teams.iter().find(|team| !self.teams.contains_key(team));
        stranger.map_or(Ok(Some(teams.clone())), |_| Err(NOTHING.to_owned()))
    }

    fn is_acceptable(&self, sent: &Document, id: Option<u64>) -> Result<(), String> {
        let held = |person: &Document| sent.get("login").is_some_and(|login| person.get("login") == Some(login));
        if self.people.iter().any(|(other, person)| Some(*other) != id && held(person)) {
            return Err(format!("A person with the login {} already exists.", sent["login"]));
        }
        if sent.get("roleid").is_some_and(|role| !self.roles.iter().any(|(known, _)| role == known)) {
            return Err("Invalid parameter \"/roleid\": there is no such role.".to_owned());
        }
        if sent.get("secret").is_some_and(|secret| secret.as_str().is_none_or(|secret| secret.len() < 8)) {
            return Err("Invalid parameter \"/secret\": it is too short.".to_owned());
        }
        for contact in sent.get("contacts").and_then(Value::as_array).into_iter().flatten() {
            let fields = contact.as_object().ok_or("Invalid parameter \"/contacts\": an object is expected.")?;
            check::whole(fields, CONTACT).map_err(invalid)?;
            let addresses = fields["to"].as_array().is_some_and(|to| !to.is_empty() && to.iter().all(Value::is_string));
            let are_addresses = fields["kind"] != 1
                || fields["to"]
                    .as_array()
                    .is_some_and(|to| to.iter().all(|to| to.as_str().unwrap_or("").contains('@')));
            if !addresses || !are_addresses {
                return Err("Invalid parameter \"/contacts/1/to\": an e-mail address is expected.".to_owned());
            }
        }
        Ok(())
    }

    /// Lists are replaced, and everything in them that the caller did not say starts anew.
    fn change(&mut self, person: &mut Document, mut sent: Document) {
        sent.remove("teams");
        for contact in sent.get_mut("contacts").and_then(Value::as_array_mut).into_iter().flatten() {
            let id = self.next_id();
            let contact = contact.as_object_mut().unwrap();
            contact.insert("contactid".into(), json!(format!("c{id}")));
            contact.entry("severity").or_insert(json!(63));
        }
        person.extend(sent);
    }
}

/// A contact that was tuned by hand and is not among the new ones, its address aside if it is the first of its kind.
fn lost(old: &Value, new: &Value) -> Option<Value> {
    let tuned = |contact: &&Value| contact["severity"] != 63;
    let kept = |one: &Value| {
        new.as_array()
            .into_iter()
            .flatten()
            .any(|other| other["kind"] == one["kind"] && other["severity"] == one["severity"])
    };
    old.as_array().into_iter().flatten().filter(tuned).find(|one| !kept(one)).cloned()
}

fn invalid((field, what): (String, String)) -> String {
    format!("Invalid parameter \"/{field}\": it {what}.")
}

const PERSON: &[Field] = &[
    must("login", Kind::Text),
    must("secret", Kind::Text),
    must("roleid", Kind::Text),
    may("first", Kind::Text),
    may("last", Kind::Text),
    may("theme", Kind::OneOf(&["default", "dark"])),
    may("teams", Kind::List),
    may("contacts", Kind::List),
];
const CONTACT: &[Field] = &[must("kind", Kind::Number), must("to", Kind::List), may("severity", Kind::Number)];
