//! Teams, which are put under their key as accounts are under their name, and grants.

use serde_json::{Value, json};

use super::super::check::{self, Field, Kind, may, must};
use super::super::serve::{Call, Reply};
use super::{Depot, Document, lives_on, page, refusal};

/// Who may do what in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    id: String,
    pub(crate) team: String,
    pub(crate) account: String,
    /// Tuned by hand; a new grant is one for reading.
    pub(crate) level: String,
}

impl Depot {
    /// Tunes a grant by hand.
    pub(crate) fn promote(&mut self, team: &str, account: &str) {
        let grant = self.grants.iter_mut().find(|grant| grant.team == team && grant.account == account);
        "owner".clone_into(&mut grant.unwrap().level);
    }

    /// Grants once more, as some other program did.
    pub(crate) fn grant(&mut self, team: &str, account: &str) {
        let id = format!("gr-{:04}", self.next_number());
        let (team, account, level) = (team.to_owned(), account.to_owned(), "reader".to_owned());
        self.grants.push(Grant { id, team, account, level });
    }

    /// Name and level of everybody in a team, in order.
    pub(crate) fn granted(&self, team: &str) -> Vec<String> {
        let of_team = self.grants.iter().filter(|grant| grant.team == team);
        let mut granted: Vec<String> = of_team.map(|grant| format!("{} {}", grant.account, grant.level)).collect();
        granted.sort();
        granted
    }

    pub(super) fn teams(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let (method, segments) = call.line();
        let key = segments.get(2).copied().unwrap_or_default();
        match (method, segments.get(3..).unwrap_or_default()) {
            ("GET", _) if segments.len() == 2 => page(call, "teams", "key", self.teams.values()),
            ("PUT", []) if segments.len() == 3 => self.put_team(call, key, harm),
            _ if !self.teams.contains_key(key) => refusal(404, "no_team", "no such team"),
            ("GET", []) => Reply::new(200, Value::Object(self.teams[key].clone())),
            ("DELETE", []) => {
                self.teams.remove(key);
                self.grants.retain(|grant| grant.team != key);
                Reply::empty(204)
            }
            ("GET", ["grants"]) => {
                let of_team = self.grants.iter().filter(|grant| grant.team == key);
                let rows: Vec<Document> = of_team.filter_map(|grant| shown(grant).as_object().cloned()).collect();
                page(call, "grants", "id", rows.iter())
            }
            _ => refusal(405, "method", "not offered"),
        }
    }

    /// Makes the team, or replaces all of it.
    fn put_team(&mut self, call: &Call, key: &str, harm: &mut Vec<String>) -> Reply {
        let Some(mut team) = call.object() else { return refusal(400, "body", "no document") };
        if let Err((field, what)) = check::whole(&team, TEAM) {
            return refusal(422, "invalid", &format!("{field} {what}"));
        }
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if key.is_empty() || !key.bytes().all(legal) {
            return refusal(422, "invalid", "key has other characters than a key may have");
        }
        let old = self.teams.get(key);
        for field in ["policy", "labels"] {
            let new = team.entry(field).or_insert_with(|| json!({}));
            if old.is_some_and(|old| !lives_on(&old[field], new)) {
                harm.push(format!("the team {key} lost {field}"));
            }
        }
        team.insert("key".into(), json!(key));
        let status = if self.teams.insert(key.to_owned(), team).is_some() { 204 } else { 201 };
        Reply::empty(status)
    }

    pub(super) fn grants(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        let (method, segments) = call.line();
        match (method, segments.get(2..).unwrap_or_default()) {
            ("POST", []) => {
                let body = call.json();
                let [team, account] = [&body["team"], &body["account"]].map(|value| value.as_str().unwrap_or_default());
                if !self.teams.contains_key(team) {
                    return refusal(422, "no_team", &format!("there is no team '{team}'"));
                }
                if !self.accounts.contains_key(account) {
                    return refusal(422, "no_account", &format!("there is no account '{account}'"));
                }
                if self.grants.iter().any(|grant| grant.team == team && grant.account == account) {
                    harm.push(format!("{account} has {team} twice"));
                }
                self.grant(team, account);
                Reply::new(201, self.grants.last().map(shown).unwrap_or_default())
            }
            ("DELETE", [id]) => {
                let Some(at) = self.grants.iter().position(|grant| grant.id == *id) else {
                    return refusal(404, "no_grant", "no such grant");
                };
                self.grants.remove(at);
                Reply::empty(204)
            }
            _ => refusal(405, "method", "not offered"),
        }
    }
}

fn shown(grant: &Grant) -> Value {
    let account =
        json!({"name": grant.account, "href": format!("http://depot.internal/api/accounts/{}", grant.account)});
    json!({"id": grant.id, "account": account, "level": grant.level})
}

const TEAM: &[Field] =
    &[may("key", Kind::Text), must("title", Kind::Text), may("policy", Kind::Object), may("labels", Kind::Object)];
