//! An authorization service in the manner of Permit.io: people and roles of an environment, tenants, and who has which
//! role in which tenant.
//!
//! Everything has an id that the service makes and a key that its maker chose; paths and bodies take either. A PATCH
//! replaces `attributes` as a whole. Membership is a list of assignments beside both people and roles. What the vendor's
//! own documents say differently, or do not say, is in [`Behaviour`].

mod assignments;
mod roles;
mod users;

use serde_json::{Map, Value, json};

use self::assignments::Assignment;
use super::serve::{App, Call, Reply};

pub(crate) const KEY: &str = "permit_key_for_tests";

type Document = Map<String, Value>;

/// Where descriptions of the service differ. The defaults are what the vendor's own tests assert.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question with two answers, asked by name")]
pub(crate) struct Behaviour {
    /// Creating somebody who exists answers 200 with them, instead of 409.
    pub(crate) existing_user_is_answered: bool,
    /// Assigning what is assigned answers 200, instead of 409.
    pub(crate) assigning_twice_is_fine: bool,
    /// A new assignment names its user by e-mail address, instead of by key; `user_id` is right in both cases.
    pub(crate) new_assignments_name_emails: bool,
    /// So do listed ones.
    pub(crate) listed_assignments_name_emails: bool,
    /// The assignments in a tenant that does not exist are none, instead of 404.
    pub(crate) no_tenant_is_an_empty_list: bool,
    /// How many assignments of somebody new are refused with 404 before the service has heard of them everywhere.
    pub(crate) settling_calls: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            existing_user_is_answered: false,
            assigning_twice_is_fine: false,
            new_assignments_name_emails: true,
            listed_assignments_name_emails: false,
            no_tenant_is_an_empty_list: true,
            settling_calls: 0,
        }
    }
}

/// One environment of the service.
pub(crate) struct Permit {
    pub(crate) behaviour: Behaviour,
    project: String,
    environment: String,
    last_id: u64,
    users: Vec<Document>,
    roles: Vec<Document>,
    tenants: Vec<Document>,
    assignments: Vec<Assignment>,
    /// Refusals left for people who are new, by id.
    settling: Vec<(String, usize)>,
}

impl Permit {
    /// The environment and its tenants; nobody is in it.
    pub(crate) fn new(project: &str, environment: &str, tenants: &[&str]) -> Permit {
        let mut permit = Permit {
            behaviour: Behaviour::default(),
            project: project.to_owned(),
            environment: environment.to_owned(),
            last_id: 0,
            users: Vec::new(),
            roles: Vec::new(),
            tenants: Vec::new(),
            assignments: Vec::new(),
            settling: Vec::new(),
        };
        for key in tenants {
            let tenant = json!({"key": key, "name": key, "id": permit.next_id()});
            permit.tenants.extend(tenant.as_object().cloned());
        }
        permit
    }

    /// Keys of all people, in the order they came.
    pub(crate) fn user_keys(&self) -> Vec<&str> {
        self.users.iter().map(|user| text(user, "key")).collect()
    }

    /// Keys of all roles.
    pub(crate) fn role_keys(&self) -> Vec<&str> {
        self.roles.iter().map(|role| text(role, "key")).collect()
    }

    /// Somebody as the service stores them.
    pub(crate) fn user(&self, key: &str) -> &Document {
        find(&self.users, key).unwrap_or_else(|| panic!("there is no user {key}"))
    }

    /// Sets a free attribute by hand, as the application's own code would.
    pub(crate) fn set_attribute(&mut self, user: &str, name: &str, value: Value) {
        let user = self.users.iter_mut().find(|one| named(one, user)).unwrap();
        user["attributes"].as_object_mut().unwrap().insert(name.to_owned(), value);
    }

    /// Who has which role in a tenant: `role:user`, by key, sorted.
    pub(crate) fn grants(&self, tenant: &str) -> Vec<String> {
        let Some(tenant) = find(&self.tenants, tenant) else { return Vec::new() };
        let key = |documents: &[Document], id: &str| find(documents, id).map(|one| text(one, "key").to_owned());
        let in_tenant = self.assignments.iter().filter(|grant| grant.tenant == text(tenant, "id"));
        let mut grants: Vec<String> = in_tenant
            .filter_map(|grant| Some(format!("{}:{}", key(&self.roles, &grant.role)?, key(&self.users, &grant.user)?)))
            .collect();
        grants.sort();
        grants
    }

    fn next_id(&mut self) -> String {
        self.last_id += 1;
        format!("0b5e55ed-0000-4000-8000-{:012x}", self.last_id)
    }

    /// A tenant is made by people; an adapter that makes one has gone too far.
    fn tenants(&mut self, call: &Call, rest: &[&str], harm: &mut Vec<String>) -> Reply {
        match (call.method.as_str(), rest) {
            ("GET", []) => listed(call, self.tenants.iter().cloned().map(Value::Object).collect(), false),
            ("GET", [name]) => match find(&self.tenants, name) {
                Some(tenant) => Reply::new(200, Value::Object(tenant.clone())),
                None => not_found("Tenant", name),
            },
            ("POST", []) => {
                harm.push(format!("the tenant {} was made", call.json()["key"]));
                Reply::new(201, call.json())
            }
            _ => error(405, "INVALID_INPUT", "not offered"),
        }
    }
}

impl App for Permit {
    fn answer(&mut self, call: &Call, harm: &mut Vec<String>) -> Reply {
        if call.header("authorization") != format!("Bearer {KEY}") {
            return error(401, "UNAUTHORIZED", "The API key is missing or wrong");
        }
        let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        let ["v2", area, project, environment, kind, ref rest @ ..] = segments[..] else {
            return error(404, "NOT_FOUND", "no such path");
        };
        if (project, environment) != (self.project.as_str(), self.environment.as_str()) {
            return not_found("Environment", environment);
        }
        match (area, kind) {
            ("facts", "users") => self.answer_users(call, rest, harm),
            ("facts", "tenants") => self.tenants(call, rest, harm),
            ("facts", "role_assignments") => self.answer_assignments(call, rest),
            ("schema", "roles") => self.answer_roles(call, rest, harm),
            _ => error(404, "NOT_FOUND", "no such path"),
        }
    }
}

/// Whether the id or the key of a thing is this.
fn named(document: &Document, name: &str) -> bool {
    text(document, "id") == name || text(document, "key") == name
}

fn find<'a>(documents: &'a [Document], name: &str) -> Option<&'a Document> {
    documents.iter().find(|document| named(document, name))
}

fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// One page: bare, or with its total where that is the custom of the endpoint or is asked for.
fn listed(call: &Call, rows: Vec<Value>, wrapped: bool) -> Reply {
    let (page, size) = (call.number("page", 1).max(1), call.number("per_page", 30));
    if size > 100 {
        return error(400, "PAGINATION_SIZE_OVERREACHED", "per_page is at most 100");
    }
    let total = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip((page - 1) * size).take(size).collect();
    if wrapped || call.param("include_total_count") == Some("true") {
        Reply::new(200, json!({"data": rows, "total_count": total, "page_count": total.div_ceil(size.max(1))}))
    } else {
        Reply::new(200, Value::Array(rows))
    }
}

fn not_found(what: &str, key: &str) -> Reply {
    error(404, "NOT_FOUND", &format!("{what} with key '{key}' was not found."))
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let title = match code {
        "NOT_FOUND" => "The requested data was not found",
        "DUPLICATE_ENTITY" => "The entity exists already",
        _ => "The request was refused",
    };
    Reply::new(status, json!({"id": "r-1", "title": title, "error_code": code, "message": message}))
}

/// A body that does not fit.
fn unfit((field, message): (String, String)) -> Reply {
    Reply::new(422, json!({"detail": [{"loc": ["body", field], "msg": message, "type": "value_error"}]}))
}

/// A key is made of letters, digits and a few signs; a role's of fewer.
fn check_key(key: &str, signs: &str) -> Result<(), (String, String)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    if !key.is_empty() && key.chars().all(fits) {
        return Ok(());
    }
    Err(("key".into(), format!("string does not match regex \"^[A-Za-z0-9{signs}]+$\"")))
}
