//! Teams, which hold their people as a list that is replaced whole. The other side of it is in the documents of people.

use serde_json::{Value, json};

use super::super::check::{self, Field, Kind, may, must};
use super::{BLOCKED, Document, Monitor, NOTHING, Outcome, ids, is_asked_for, number};

impl Monitor {
    pub(super) fn get_teams(&self, params: &Value) -> Value {
        let found = self.teams.iter().filter(|(id, team)| is_asked_for(params, "teamids", **id, team));
        let shown = found.map(|(id, team)| {
            let mut shown = team.clone();
            shown.insert("teamid".into(), json!(id.to_string()));
            if params["withPeople"] == true {
                let of_team = self.members.iter().filter(|(team, _)| team == id);
                let people = of_team
                    .map(|(_, person)| json!({"personid": person.to_string(), "login": self.people[person]["login"]}));
                shown.insert("people".into(), people.collect());
            }
            Value::Object(shown)
        });
        shown.collect()
    }

    pub(super) fn create_team(&mut self, params: &Value) -> Outcome {
        let sent = params.as_object().cloned().unwrap_or_default();
        check::whole(&sent, TEAM).map_err(|(field, what)| format!("Invalid parameter \"/{field}\": it {what}."))?;
        let people = self.known_people(&sent)?.unwrap_or_default();
        self.is_free(&sent, None)?;
        let id = self.next_id();
        let team = json!({"name": sent["name"], "blocked": "0", "dashboard": Value::Null});
        self.teams.insert(id, team.as_object().cloned().unwrap_or_default());
        self.members.extend(people.into_iter().map(|person| (id, person)));
        Ok(json!({"teamids": [id.to_string()]}))
    }

    pub(super) fn update_team(&mut self, params: &Value, harm: &mut Vec<String>) -> Outcome {
        let mut sent = params.as_object().cloned().unwrap_or_default();
        let id =
            sent.remove("teamid").as_ref().and_then(number).filter(|id| self.teams.contains_key(id)).ok_or(NOTHING)?;
        check::part(&sent, TEAM).map_err(|(field, what)| format!("Invalid parameter \"/{field}\": it {what}."))?;
        let people = self.known_people(&sent)?;
        self.is_free(&sent, Some(id))?;
        if id.to_string() == BLOCKED {
            harm.push(format!("the team without access was changed: {params}"));
        }
        if let Some(people) = people {
            self.members.retain(|(team, _)| *team != id);
            self.members.extend(people.into_iter().map(|person| (id, person)));
        }
        if let (Some(name), Some(team)) = (sent.get("name"), self.teams.get_mut(&id)) {
            team.insert("name".into(), name.clone());
        }
        Ok(json!({"teamids": [id.to_string()]}))
    }

    pub(super) fn delete_teams(&mut self, params: &Value, harm: &mut Vec<String>) -> Outcome {
        let found: Option<Vec<u64>> = params
            .as_array()
            .into_iter()
            .flatten()
            .map(|id| number(id).filter(|id| self.teams.contains_key(id)))
            .collect();
        let gone = found.filter(|ids| !ids.is_empty()).ok_or(NOTHING)?;
        if gone.iter().any(|id| id.to_string() == BLOCKED) {
            harm.push("the team without access was removed".to_owned());
        }
        self.teams.retain(|id, _| !gone.contains(id));
        self.members.retain(|(team, _)| !gone.contains(team));
        Ok(json!({"teamids": params}))
    }

    /// One stranger makes the whole list unacceptable.
    fn known_people(&self, sent: &Document) -> Result<Option<Vec<u64>>, String> {
        let Some(list) = sent.get("people") else { return Ok(None) };
        let people = ids(list, "people", "personid")?;
        match people.iter().find(|person| !self.people.contains_key(person)) {
            Some(stranger) => Err(format!("There is no person with the id \"{stranger}\".")),
            None => Ok(Some(people)),
        }
    }

    fn is_free(&self, sent: &Document, id: Option<u64>) -> Result<(), String> {
        let held = |team: &Document| sent.get("name").is_some_and(|name| team.get("name") == Some(name));
        match self.teams.iter().find(|(other, team)| Some(**other) != id && held(team)) {
            Some(_) => Err(format!("A team with the name {} already exists.", sent["name"])),
            None => Ok(()),
        }
    }
}

const TEAM: &[Field] = &[must("name", Kind::Text), may("people", Kind::List)];
