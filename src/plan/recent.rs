//! What a request that changes members has read about them, as long as nobody has written since.
//!
//! Whether a change is permitted, what it comes to and what the answer shows are questions about the same lists and the
//! same people. A write, or another turn, ends what is known; requests that only read keep nothing here.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::read::Object;
use super::run::Run;

/// Type and id.
type Who = (Arc<str>, String);

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The native items that show who is in a group.
    lists: HashMap<Who, Vec<Value>>,
    /// People by their ids; `None` for who is not there, or not to be seen.
    people: HashMap<Who, Option<Object>>,
}

impl Run<'_> {
    fn who(&self, id: &str) -> Who {
        (Arc::clone(&self.mapping.resource_type.name), id.to_owned())
    }

    /// Remembers who is in a group of this type.
    pub(super) fn remember_members(&self, id: &str, items: &[Value]) {
        self.native.remember(|recent| recent.lists.insert(self.who(id), items.to_vec()));
    }

    /// Who is in a group of this type, if that is known.
    pub(super) fn recent_members(&self, id: &str) -> Option<Vec<Value>> {
        self.native.recall(|recent| recent.lists.get(&self.who(id)).cloned())
    }

    /// Remembers an object of this type, or that there is none. What guards hide is remembered as absent, so nothing is
    /// kept for those from whom nothing is hidden.
    pub(super) fn remember_person(&self, id: &str, object: Option<&Object>) {
        if !self.sees_hidden {
            self.native.remember(|recent| recent.people.insert(self.who(id), object.cloned()));
        }
    }

    /// An object of this type; the inner `None` says that there is none.
    #[expect(clippy::option_option, reason = "what is not known and what is not there are different")]
    pub(super) fn recent_person(&self, id: &str) -> Option<Option<Object>> {
        if self.sees_hidden {
            return None;
        }
        self.native.recall(|recent| recent.people.get(&self.who(id)).cloned())
    }
}
