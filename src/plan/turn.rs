//! Turns: what a plan must have to itself while it works, and which requests are one.
//!
//! A read, a merge and a write are three steps; two requests that interleave them would lose one another's change. So
//! a plan says which things it is about to change and waits until it is its turn on all of them. It names them all at
//! once, and naming others gives the former back: nobody waits while holding something, so nobody waits for ever.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::scim::{Bound, ScimError};

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

/// What a write depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// What the request says.
    Blind,
    /// What is read before it, or what the other side of a relation may be writing.
    Merge,
}

impl Run<'_> {
    /// What a write of one resource of this type must have to itself. Two that depend on what they read may be about
    /// different resources and still write the same thing, which is what a lock of the mapping is for.
    pub(super) fn keys_for(&self, id: &str, work: Work) -> Vec<String> {
        let mut keys = vec![self.resource_key(id)];
        if work == Work::Merge {
            keys.extend(self.lock_key());
        }
        keys
    }

    /// The name of the lock that this type shares with others.
    pub(super) fn lock_key(&self) -> Option<String> {
        let lock = self.mapping.lock.as_deref()?;
        if self.native.is_traced() {
            self.note(format!("lock {lock}"));
        }
        // Apart from every type and id: no resource has two more words behind its type.
        Some(self.turn_key(&["lock", "", lock]))
    }

    /// The name of one resource of this type, for [`TurnRequest::keys`].
    pub(super) fn resource_key(&self, id: &str) -> String {
        self.turn_key(&[self.type_name(), id])
    }

    /// A name within this backend and these route variables: the text of a JSON list. Routes that lead to the same
    /// objects under the same variables share it, however their paths look.
    pub(super) fn turn_key(&self, parts: &[&str]) -> String {
        let mut key = String::with_capacity(KEY_BYTES);
        key.push('[');
        push_text(&mut key, &self.backend.name);
        key.push_str(",[");
        for (name, value) in self.snapshot.variables.iter().zip(self.context.variables.iter()) {
            if let Some(value) = value {
                key.push_str(if key.ends_with(']') { ",[" } else { "[" });
                push_text(&mut key, name);
                key.push(',');
                key.push_str(&value.to_string());
                key.push(']');
            }
        }
        key.push_str("],[");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                key.push(',');
            }
            push_text(&mut key, part);
        }
        key.push_str("]]");
        key
    }

    /// Waits for the turn on one resource of this type.
    pub(super) async fn turn_on(&self, id: &str, work: Work) -> Result<(), ScimError> {
        self.turn(TurnRequest { keys: self.keys_for(id, work), share: None }).await
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
        let what = match &self.mapping.lock {
            Some(lock) => format!("this resource, or another one under the lock `{lock}`,"),
            None => "this resource".to_owned(),
        };
        let detail = format!("{what} was being changed by other requests for {waited:?}; try again");
        Err(ScimError::new(503, detail).with_retry_after(1).with_bound(Bound::RequestTimeout))
    }
}

/// Adds a text as JSON has it.
fn push_text(key: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        key.push_str(&Value::from(text).to_string());
    } else {
        key.push('"');
        key.push_str(text);
        key.push('"');
    }
}

/// Room for most names.
const KEY_BYTES: usize = 80;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::call::{NativeFailure, NativeOutcome, Step};
    use crate::plan::harness::{begin, snapshot};

    const MAPPED: &str = "
        [backend.app]
        url = 'https://app.example'
        [resource.User]
        path = '/people'
        lock = 'seats'
        ops = { get = 'GET {path}/{id}', replace = 'PUT {path}/{id}' }
        attrs = { userName = 'login' }
        [resource.Group]
        path = '/teams'
        lock = 'seats'
        ops = { get = 'GET {path}/{id}', update = 'PATCH {path}/{id}' }
        attrs = { displayName = 'title' }
    ";

    fn patch(path: &str, value: &str) -> Value {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        json!({ "schemas": [schema], "Operations": [{ "op": "replace", "path": path, "value": value }] })
    }

    #[test]
    fn who_does_not_get_the_lock_is_told_to_come_back() {
        let mut plan = begin(&snapshot(MAPPED), ("PATCH", "/scim/Users/7", &patch("userName", "ann")));
        let Step::Turn(turn) = plan.next(Vec::new()) else { panic!("no turn is asked for") };
        assert_eq!(turn.keys, [r#"["app",[],["User","7"]]"#, r#"["app",[],["lock","","seats"]]"#]);
        let Step::Reply(answer) = plan.next(vec![NativeOutcome::Failed(NativeFailure::Timeout)]) else {
            panic!("it goes on without its turn")
        };
        assert_eq!((answer.status, answer.headers.as_slice()), (503, [("Retry-After", "1".to_owned())].as_slice()));
        let error = answer.report.error.as_ref().unwrap();
        assert!(error.detail.contains("the lock `seats`"), "{}", error.detail);
    }

    #[test]
    fn names_are_json_whatever_is_in_them() {
        for text in ["", "a b", "a\"b\\c", "\u{0}\n\u{7f}\u{e9}"] {
            let mut key = String::new();
            super::push_text(&mut key, text);
            assert_eq!(key, json!(text).to_string());
        }
    }

    #[test]
    fn what_reads_nothing_does_not_wait_for_the_lock() {
        let mut plan = begin(&snapshot(MAPPED), ("PATCH", "/scim/Groups/7", &patch("displayName", "Ops")));
        let Step::Turn(turn) = plan.next(Vec::new()) else { panic!("no turn is asked for") };
        assert_eq!(turn.keys, [r#"["app",[],["Group","7"]]"#]);
    }
}
