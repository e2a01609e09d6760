//! Turns: what a plan must have to itself while it works, and which requests are one.
//!
//! A read, a merge and a write are three steps; two requests that interleave them would lose one another's change. So
//! a plan says which things it is about to change and waits until it is its turn on all of them. It names them all at
//! once, and naming others gives the former back: nobody waits while holding something, so nobody waits for ever.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::scim::ScimError;

use super::run::Run;

/// What a plan wants to have to itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnRequest {
    /// The things, each by a name that no other backend, tenant or type has. Empty gives back what is held.
    pub keys: Vec<String>,
    /// What makes this request equal to another, where its answer would serve both.
    pub share: Option<Arc<Share>>,
}

/// A request that names members to add and to remove and asks for nothing else. Carried out twice it does what it does
/// once, so two of them at the same time may be carried out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The resource, and how the answer shows it.
    pub about: String,
    /// `value`s to add.
    pub add: HashSet<String>,
    /// `value`s to remove.
    pub remove: HashSet<String>,
}

impl Share {
    /// Whether carrying out the one after the other may end differently than the other way round.
    pub fn disturbs(&self, other: &Self) -> bool {
        self.about == other.about && (!self.add.is_disjoint(&other.remove) || !self.remove.is_disjoint(&other.add))
    }
}

impl Run<'_> {
    /// The name of one resource of this type, for [`TurnRequest::keys`].
    pub(super) fn resource_key(&self, id: &str) -> String {
        self.turn_key(&[self.type_name(), id])
    }

    /// A name within this backend and these route variables. Routes that lead to the same objects under the same
    /// variables share it, however their paths look.
    pub(super) fn turn_key(&self, parts: &[&str]) -> String {
        let known = self.snapshot.variables.iter().zip(&self.context.variables);
        let variables: Vec<(&str, &Value)> =
            known.filter_map(|(name, value)| value.as_ref().map(|value| (&**name, value))).collect();
        // Writing texts and JSON values into memory cannot fail.
        serde_json::to_string(&(&*self.backend.name, variables, parts)).unwrap_or_default()
    }

    /// Waits for the turn on one resource of this type.
    pub(super) async fn turn_on(&self, id: &str) -> Result<(), ScimError> {
        self.turn(TurnRequest { keys: vec![self.resource_key(id)], share: None }).await
    }

    /// Waits for the turn on everything that is named, and gives back what was held before.
    ///
    /// # Errors
    /// 503 with `Retry-After` when the turn does not come in the time a request may take.
    pub(super) async fn turn(&self, request: TurnRequest) -> Result<(), ScimError> {
        if self.native.turn(request).await {
            return Ok(());
        }
        let waited = self.snapshot.limits.request_timeout;
        let detail = format!("this resource was being changed by other requests for {waited:?}; try again");
        Err(ScimError::new(503, detail).with_retry_after(1))
    }
}
