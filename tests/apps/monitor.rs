//! A monitoring application behind one URL: every call is a POST of JSON-RPC 2.0, and every answer is a 200.
//!
//! The method and the token are in the body; a refusal is an `error` whose `data` is the only text that tells one from
//! another. A token serves for [`LIFETIME`] calls. Reading ignores what it does not know, so a misspelt filter is
//! everybody; writing refuses it. Lists inside a document are replaced whole. Nobody can be switched off, but who is in
//! a team with `blocked` may not come in. A request without `id` is carried out and answered by nothing.

mod people;
mod teams;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::serve::{App, Call, Reply};

pub(crate) const PASSWORD: &str = "monitor-password";
/// The account that the configuration logs in with.
pub(crate) const OWN: &str = "svc-scim";
/// The team of those who may not come in.
pub(crate) const BLOCKED: &str = "3";

/// Calls that one token is good for.
const LIFETIME: usize = 60;

type Document = Map<String, Value>;
/// A result, or the `data` of an error.
type Outcome = Result<Value, String>;

/// The application.
pub(crate) struct Monitor {
    last_id: u64,
    pub(crate) people: BTreeMap<u64, Document>,
    pub(crate) teams: BTreeMap<u64, Document>,
    /// Team and person.
    pub(crate) members: Vec<(u64, u64)>,
    roles: Vec<(&'static str, &'static str)>,
    tokens: BTreeMap<String, usize>,
    pub(crate) logins: usize,
}

impl Monitor {
    /// As it is after its installation: an administrator, the account for provisioning, and one team.
    pub(crate) fn new() -> Monitor {
        let document = |text: Value| text.as_object().cloned().unwrap_or_default();
        let person = |login: &str, role: &str| {
            document(
                json!({"login": login, "first": "", "last": "", "roleid": role, "secret": "by hand", "theme": "dark",
                "contacts": []}),
            )
        };
        Monitor {
            last_id: 3,
            people: BTreeMap::from([(1, person("admin", "30")), (2, person(OWN, "30"))]),
            teams: BTreeMap::from([(3, document(json!({"name": "No access", "blocked": "1"})))]),
            members: Vec::new(),
            roles: vec![("10", "Viewer"), ("20", "Operator"), ("30", "Administrator")],
            tokens: BTreeMap::new(),
            logins: 0,
        }
    }

    /// Ends every session.
    pub(crate) fn expire(&mut self) {
        self.tokens.clear();
    }

    /// Gives a role another id, as an import does.
    pub(crate) fn renumber_role(&mut self, name: &str, id: &'static str) {
        let role = self.roles.iter_mut().find(|(_, known)| *known == name).unwrap();
        let old = std::mem::replace(&mut role.0, id);
        for person in self.people.values_mut().filter(|person| person["roleid"] == old) {
            person.insert("roleid".into(), json!(id));
        }
    }

    /// The person with this login.
    pub(crate) fn person(&self, login: &str) -> (u64, Value) {
        let (id, person) = self.people.iter().find(|(_, person)| person["login"] == login).unwrap();
        (*id, Value::Object(person.clone()))
    }

    /// Names of the teams of a person, in order.
    pub(crate) fn teams_of(&self, login: &str) -> Vec<String> {
        let (id, _) = self.person(login);
        let names = self.members.iter().filter(|(_, person)| *person == id).map(|(team, _)| &self.teams[team]["name"]);
        let mut names: Vec<String> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// A request that is one: method, parameters, and the token.
    fn request<'a>(&mut self, body: &'a Document) -> Result<(&'a str, &'a Value), String> {
        if body.get("jsonrpc").is_none_or(|version| version != "2.0") {
            return Err("The request is not one of version 2.0.".to_owned());
        }
        let (Some(Value::String(method)), Some(params)) = (body.get("method"), body.get("params")) else {
            return Err("The request has no method or no parameters.".to_owned());
        };
        if method == "session.open" {
            return if body.contains_key("auth") {
                Err("A login has no token yet.".to_owned())
            } else {
                Ok((method, params))
            };
        }
        let token = body.get("auth").and_then(Value::as_str).unwrap_or_default();
        match self.tokens.get_mut(token).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => return Err("Session terminated, log in again.".to_owned()),
        }
        Ok((method, params))
    }

    fn carry_out(&mut self, method: &str, params: &Value, harm: &mut Vec<String>) -> Outcome {
        match method {
            "session.open" => self.log_in(params),
            "role.get" => {
                let wanted = &params["filter"]["name"];
                let found = self.roles.iter().filter(|(_, name)| wanted.is_null() || wanted == name);
                Ok(found.map(|(id, name)| json!({"roleid": id, "name": name, "readonly": "0"})).collect())
            }
            "person.get" => Ok(self.get_people(params)),
            "person.create" => self.create_person(params),
            "person.update" => self.update_person(params, harm),
            "person.delete" => self.delete_people(params),
            "team.get" => Ok(self.get_teams(params)),
            "team.create" => self.create_team(params),
            "team.update" => self.update_team(params, harm),
            "team.delete" => self.delete_teams(params, harm),
            _ => Err(format!("There is no method \"{method}\".")),
        }
    }

    fn log_in(&mut self, params: &Value) -> Outcome {
        if params["login"] != OWN || params["secret"] != PASSWORD {
            return Err("Login or secret is not correct.".to_owned());
        }
        self.logins += 1;
        let token = format!("{:032x}", self.logins);
        self.tokens.insert(token.clone(), LIFETIME);
        Ok(json!(token))
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl App for Monitor {
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        if call.line() != ("POST", vec!["api", "rpc"]) || !call.header("content-type").starts_with("application/json") {
            return Reply::new(412, json!("this is no way to ask"));
        }
        let Some(body) = call.object() else { return answer(&Value::Null, Err("Nothing was asked.".to_owned())) };
        let request = self.request(&body);
        let outcome = request.and_then(|(method, params)| self.carry_out(method, params, harm));
        match body.get("id") {
            Some(id) => answer(id, outcome),
            None => Reply::empty(200),
        }
    }
}

fn answer(id: &Value, outcome: Outcome) -> Reply {
    let body = match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
        Err(data) => {
            json!({"jsonrpc": "2.0", "error": {"code": -32602, "message": "Invalid params.", "data": data}, "id": id})
        }
    };
    Reply::new(200, body)
}

/// Whether a document is asked for, by id or by the value of a field. What is not understood asks for everything.
fn is_asked_for(params: &Value, ids: &str, id: u64, document: &Document) -> bool {
    let by_id = params[ids].as_array().is_none_or(|ids| ids.contains(&json!(id.to_string())));
    let by_field = params["filter"].as_object().is_none_or(|filter| {
        let known = |name: &String| matches!(name.as_str(), "login" | "name" | "roleid");
        filter.iter().all(|(name, wanted)| !known(name) || document.get(name) == Some(wanted))
    });
    by_id && by_field
}

/// The number in an id, which is a text here.
fn number(id: &Value) -> Option<u64> {
    id.as_str()?.parse().ok()
}

/// The ids in a list of objects that have nothing else.
///
/// # Errors
/// What is wrong with it.
fn ids(list: &Value, place: &str, field: &str) -> Result<Vec<u64>, String> {
    let Some(list) = list.as_array() else {
        return Err(format!("Invalid parameter \"/{place}\": an array is expected."));
    };
    let mut found = Vec::new();
    for (at, item) in list.iter().enumerate() {
        let id = item.as_object().filter(|item| item.len() == 1).and_then(|item| number(item.get(field)?));
        match id {
            Some(id) if !found.contains(&id) => found.push(id),
            Some(id) => return Err(format!("Invalid parameter \"/{place}/{}\": {id} is there twice.", at + 1)),
            None => return Err(format!("Invalid parameter \"/{place}/{}\": only \"{field}\" is expected.", at + 1)),
        }
    }
    Ok(found)
}

const NOTHING: &str = "No such object, or no right to it.";
