//! Everything the application remembers, and the writes that touch more than one table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{self, Document};
use super::id::{Id, Ids};
use super::membership::Memberships;
use super::reply::Refusal;
use super::table::{Case, Column, Row, Table};

/// Choices that hold for the life of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) ids: Ids,
    /// Whether a member must be an employee that exists.
    pub(super) check_members: bool,
    /// The most rows in each table, and the most members of one team.
    pub(super) rows_max: usize,
}

/// The whole state of the application.
pub(super) struct Store {
    pub(super) settings: Settings,
    pub(super) employees: Table,
    pub(super) teams: Table,
    pub(super) members: Memberships,
    /// Employee -> salted digest. Kept apart from the documents, so that no reply can contain one.
    passwords: BTreeMap<Id, String>,
}

impl Store {
    pub(super) fn new(settings: Settings) -> Store {
        Store {
            settings,
            employees: Table::new(EMPLOYEE_COLUMNS, settings.ids, settings.rows_max),
            teams: Table::new(TEAM_COLUMNS, settings.ids, settings.rows_max),
            members: Memberships::default(),
            passwords: BTreeMap::new(),
        }
    }

    /// Adds a checked employee document. Whoever says nothing about `enabled` is enabled.
    pub(super) fn add_employee(&mut self, id: Option<Id>, body: Document, now: Timestamp) -> Result<Id, Refusal> {
        require_text(&body, "login")?;
        let mut document = Document::from_iter([("enabled".to_owned(), Value::Bool(true))]);
        let nulls_are_absent = body.into_iter().filter(|(_, value)| !value.is_null()).collect();
        fields::apply(&mut document, nulls_are_absent);
        let password = document.remove("password");
        let id = self.employees.insert(id, document, now)?;
        self.set_password(&id, password.as_ref());
        Ok(id)
    }

    /// Applies checked changes to an employee, the password among them.
    pub(super) fn update_employee(&mut self, id: &Id, mut changes: Document, now: Timestamp) -> Result<&Row, Refusal> {
        if changes.contains_key("login") {
            require_text(&changes, "login")?;
        }
        let password = changes.remove("password");
        let version_before = self.employees.row(id)?.version();
        let version_after = self.employees.update(id, changes, now)?.version();
        if password.is_some() {
            self.set_password(id, password.as_ref());
            if version_after == version_before {
                self.employees.touch(id, now);
            }
        }
        self.employees.row(id)
    }

    /// Removes an employee, their password and their memberships.
    pub(super) fn remove_employee(&mut self, id: &Id, now: Timestamp) -> Result<(), Refusal> {
        self.employees.remove(id).ok_or(Refusal::NotFound)?;
        self.passwords.remove(id);
        for team in self.members.remove_employee(id) {
            self.teams.touch(&team, now);
        }
        Ok(())
    }

    pub(super) fn add_team(&mut self, id: Option<Id>, body: Document, now: Timestamp) -> Result<Id, Refusal> {
        require_text(&body, "name")?;
        let mut document = Document::new();
        fields::apply(&mut document, body);
        self.teams.insert(id, document, now)
    }

    pub(super) fn update_team(&mut self, id: &Id, changes: Document, now: Timestamp) -> Result<&Row, Refusal> {
        if changes.contains_key("name") {
            require_text(&changes, "name")?;
        }
        self.teams.update(id, changes, now)
    }

    pub(super) fn remove_team(&mut self, id: &Id) -> Result<(), Refusal> {
        self.teams.remove(id).ok_or(Refusal::NotFound)?;
        self.members.remove_team(id);
        Ok(())
    }

    /// Whether `password` is the one stored for this employee.
    pub(super) fn password_matches(&self, id: &Id, password: &str) -> bool {
        self.passwords.get(id).is_some_and(|stored| *stored == salted_digest(id, password))
    }

    fn set_password(&mut self, id: &Id, password: Option<&Value>) {
        match password.and_then(Value::as_str) {
            Some(password) => self.passwords.insert(id.clone(), salted_digest(id, password)),
            None => self.passwords.remove(id),
        };
    }
}

fn require_text(document: &Document, field: &'static str) -> Result<(), Refusal> {
    match document.get(field).and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => Ok(()),
        _ => Err(Refusal::invalid(field, "is required")),
    }
}

/// Enough to show that a password is kept and never returned. A real application would use a slow hash and a
/// random salt; here the salt is the id, so that the same calls always give the same store.
fn salted_digest(id: &Id, password: &str) -> String {
    let digest = Sha256::new().chain_update(id.to_string()).chain_update([0]).chain_update(password).finalize();
    digest.iter().fold(String::from("sha256$"), |mut marker, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(marker, "{byte:02x}");
        marker
    })
}

const EMPLOYEE_COLUMNS: &[Column] = &[
    Column { name: "login", case: Case::Folded, unique: true },
    Column { name: "email", case: Case::Folded, unique: true },
    Column { name: "sso_id", case: Case::Exact, unique: false },
    Column { name: "display_name", case: Case::Folded, unique: false },
];

const TEAM_COLUMNS: &[Column] = &[
    Column { name: "name", case: Case::Folded, unique: true },
    Column { name: "sso_id", case: Case::Exact, unique: false },
];
