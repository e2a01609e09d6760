//! What normalisation keeps book of while it walks a body, and the place it is at.

use std::fmt;

use serde_json::Value;

use super::catalogue::{Repair, Repairs};
use crate::scim::filter::FilterRepair;
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::{Bound, ScimError};

/// Repairs made, names ignored, and how much of the bound on values is left.
pub(super) struct Notes<'r> {
    pub(super) repairs: &'r mut Repairs,
    pub(super) read_only: ReadOnly,
    unknown: Vec<String>,
    values_left: usize,
    values_max: usize,
}

/// What happens to read-only attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOnly {
    /// They are left out: a client that writes a resource back restates them.
    Ignored,
    /// They are kept: the resource is what is stored, not what is asked for.
    Kept,
}

impl<'r> Notes<'r> {
    pub(super) fn new(repairs: &'r mut Repairs, read_only: ReadOnly, values_max: usize) -> Self {
        Self { repairs, read_only, unknown: Vec::new(), values_left: values_max, values_max }
    }

    pub(super) fn repair(&mut self, repair: Repair) {
        self.repairs.record(repair);
    }

    /// Counts what the filter parser repaired.
    pub(super) fn filter_repairs(&mut self, repairs: Vec<FilterRepair>) {
        for repair in repairs {
            self.repair(repair.into());
        }
    }

    /// Notes a name that no schema knows. Only so many are kept: they are for a log line, not for the record.
    pub(super) fn ignore(&mut self, name: impl fmt::Display) {
        self.repair(Repair::UnknownAttribute);
        if self.unknown.len() < UNKNOWN_MAX {
            self.unknown.push(name.to_string().chars().take(UNKNOWN_NAME_MAX).collect());
        }
    }

    /// Takes elements of a list from the bound on the whole request.
    ///
    /// # Errors
    /// 413.
    pub(super) fn spend(&mut self, values: usize) -> Result<(), ScimError> {
        let left = self.values_left.checked_sub(values);
        self.values_left = left.ok_or_else(|| {
            ScimError::too_large(format!("more than {} values in one request; send them in several", self.values_max))
                .with_bound(Bound::MembersMax)
        })?;
        Ok(())
    }

    /// Whether what is sent for an attribute is left out, because the service provider alone sets it.
    pub(super) fn ignores(&self, attribute: &Attribute) -> bool {
        self.read_only == ReadOnly::Ignored && attribute.mutability == Mutability::ReadOnly
    }

    pub(super) fn into_unknown(self) -> Vec<String> {
        self.unknown
    }
}

/// Where in the body we are, for messages. A chain of references, because it is rendered only on failure.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    /// An attribute, by any path that can be printed.
    Attribute(&'a dyn fmt::Display),
    /// Something below.
    Sub(&'a At<'a>, &'a str),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => path.fmt(f),
            Self::Sub(parent, name) => write!(f, "{parent}.{name}"),
        }
    }
}

impl At<'_> {
    /// 400 `invalidValue` that says what is expected here and what kind of thing came instead; never the value.
    pub(super) fn expected(&self, what: &str, got: &Value) -> ScimError {
        let got = match got {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        ScimError::invalid_value(format!("{self} must be {what}, not {got}"))
    }
}

/// Names kept per request.
const UNKNOWN_MAX: usize = 32;

/// Characters kept of each.
const UNKNOWN_NAME_MAX: usize = 120;
