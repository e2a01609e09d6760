//! Who has which role in which tenant.

use serde_json::{Value, json};

use super::super::check::{self, Field, Kind, must};
use super::super::serve::{Call, Reply};
use super::{Document, Permit, error, find, listed, not_found, text, unfit};

/// Ids of all three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) user: String,
    pub(super) role: String,
    pub(super) tenant: String,
}

impl Permit {
    pub(super) fn answer_assignments(&mut self, call: &Call, rest: &[&str]) -> Reply {
        match (call.method.as_str(), rest) {
            ("GET", []) => self.list_assignments(call),
            ("POST", []) => match self.named_in(call) {
                Ok(grant) => self.assign(grant),
                Err(refusal) => refusal,
            },
            // The body says which one: there is no path to an assignment.
            ("DELETE", []) => match self.named_in(call) {
                Ok(grant) => {
                    let before = self.assignments.len();
                    self.assignments.retain(|one| *one != grant);
                    if self.assignments.len() < before {
                        Reply::empty(204)
                    } else {
                        error(404, "NOT_FOUND", "RoleAssignment was not found.")
                    }
                }
                Err(refusal) => refusal,
            },
            _ => error(405, "INVALID_INPUT", "not offered"),
        }
    }

    fn list_assignments(&self, call: &Call) -> Reply {
        let unknown = call.params("tenant").find(|name| find(&self.tenants, name).is_none());
        if let (Some(name), false) = (unknown, self.behaviour.no_tenant_is_an_empty_list) {
            return not_found("Tenant", name);
        }
        let asked = |parameter: &str, documents: &[Document], id: &str| {
            let mut wanted = call.params(parameter).peekable();
            wanted.peek().is_none() || wanted.any(|name| find(documents, name).is_some_and(|one| text(one, "id") == id))
        };
        let found = self.assignments.iter().filter(|grant| {
            asked("user", &self.users, &grant.user)
                && asked("role", &self.roles, &grant.role)
                && asked("tenant", &self.tenants, &grant.tenant)
        });
        let by_email = self.behaviour.listed_assignments_name_emails;
        listed(call, found.map(|grant| self.shown_assignment(grant, by_email)).collect(), false)
    }

    fn assign(&mut self, grant: Assignment) -> Reply {
        if let Some((_, left)) = self.settling.iter_mut().find(|(id, left)| *id == grant.user && *left > 0) {
            *left -= 1;
            return not_found("User", &grant.user);
        }
        let answer = self.shown_assignment(&grant, self.behaviour.new_assignments_name_emails);
        if !self.assignments.contains(&grant) {
            self.assignments.push(grant);
            return Reply::new(201, answer);
        }
        if self.behaviour.assigning_twice_is_fine {
            Reply::new(200, answer)
        } else {
            error(409, "DUPLICATE_ENTITY", "The role is assigned already.")
        }
    }

    /// What a body names, as ids.
    fn named_in(&self, call: &Call) -> Result<Assignment, Reply> {
        let body = call.object().ok_or_else(|| unfit(("body".into(), "field required".into())))?;
        check::whole(&body, ASSIGNMENT).map_err(unfit)?;
        let id = |documents: &[Document], what: &str, field: &str| {
            let name = text(&body, field);
            find(documents, name).map(|one| text(one, "id").to_owned()).ok_or_else(|| not_found(what, name))
        };
        Ok(Assignment {
            user: id(&self.users, "User", "user")?,
            role: id(&self.roles, "Role", "role")?,
            tenant: id(&self.tenants, "Tenant", "tenant")?,
        })
    }

    fn shown_assignment(&self, grant: &Assignment, by_email: bool) -> Value {
        let key = |documents: &[Document], id: &str, field: &str| find(documents, id).map(|one| one[field].clone());
        let user = key(&self.users, &grant.user, if by_email { "email" } else { "key" });
        json!({
            "id": format!("{}-{}-{}", grant.user, grant.role, grant.tenant),
            "user": user, "role": key(&self.roles, &grant.role, "key"),
            "tenant": key(&self.tenants, &grant.tenant, "key"),
            "user_id": grant.user, "role_id": grant.role, "tenant_id": grant.tenant,
            "resource_instance": null, "created_at": "2024-01-02T03:04:05+00:00",
        })
    }
}

const ASSIGNMENT: &[Field] = &[must("user", Kind::Text), must("role", Kind::Text), must("tenant", Kind::Text)];
