//! What must not be touched, or not be seen.

use crate::expr::{Expr, Name, Template};

use super::Origin;

/// One `[[resource.T.guard]]`.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Which objects, or which requests, it is about.
    pub when: Expr,
    /// What it forbids.
    pub deny: Denied,
    /// What the administrator reads.
    pub detail: Option<Template>,
    /// Its place.
    pub origin: Origin,
}

/// What a guard may forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Being seen; and with it everything else.
    Read,
    /// Being made.
    Create,
    /// Being changed, its membership apart.
    Update,
    /// Being deleted.
    Delete,
    /// Of a group: changes of its membership.
    Members,
    /// Of a user: joining or leaving a group.
    Member,
}

impl Verb {
    /// All of them with their names in the configuration.
    pub const ALL: [(&'static str, Self); 6] = [
        ("read", Self::Read),
        ("create", Self::Create),
        ("update", Self::Update),
        ("delete", Self::Delete),
        ("members", Self::Members),
        ("member", Self::Member),
    ];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }
}

/// A set of verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Denied(u8);

impl FromIterator<Verb> for Denied {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        Self(verbs.into_iter().fold(0, |set, verb| set | 1 << verb as u8))
    }
}

impl Denied {
    /// Whether the verb was named.
    pub fn names(self, verb: Verb) -> bool {
        self.0 & (1 << verb as u8) != 0
    }
}

impl Guard {
    /// Whether it hides what it matches.
    pub fn hides(&self) -> bool {
        self.deny.names(Verb::Read)
    }

    /// Whether deciding it, or saying why, needs the native document.
    pub fn needs_object(&self) -> bool {
        let detail = self.detail.as_ref().is_some_and(|detail| detail.uses(Name::Native) || detail.uses(Name::Old));
        self.when.uses(Name::Native) || self.when.uses(Name::Old) || detail
    }
}
