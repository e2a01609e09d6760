//! JSON documents of applications, read where they lie.
//!
//! In: the text of a reply. Out: a [`Document`], which is looked into through [`View`]s. A reply is looked through once,
//! into one flat list of its values; the items of a list are documents that share it. Whoever needs a tree, such as an
//! expression, asks for one, and only then is it built.

mod tape;
mod view;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use tape::Tape;

pub use view::{Fields, Items, Kind, View};

/// A JSON document. It has no public way to be changed: to change one, take its tree.
#[derive(Clone, Default)]
pub struct Document {
    /// Where it was read; `None` for one that was made of a tree.
    place: Option<Place>,
    tree: OnceLock<Arc<Value>>,
}

/// A value on a tape.
#[derive(Clone)]
struct Place {
    tape: Arc<Tape>,
    at: u32,
}

impl Document {
    /// Reads a JSON text. Of fields with the same name the last one counts. `None` for what is not JSON, or is nested
    /// deeper than `serde_json` follows.
    pub fn parse(text: &str) -> Option<Self> {
        match Tape::parse(text) {
            Some(tape) => Some(Self { place: Some(Place { tape: Arc::new(tape), at: 0 }), tree: OnceLock::new() }),
            None => serde_json::from_str::<Value>(text).ok().map(Self::from),
        }
    }

    /// What is there.
    #[inline]
    pub fn view(&self) -> View<'_> {
        match &self.place {
            Some(place) => View::on(&place.tape, place.at),
            None => View::of(self.tree()),
        }
    }

    /// The document as a tree; built when it is first asked for.
    pub fn tree(&self) -> &Value {
        self.tree.get_or_init(|| {
            let value = self.place.as_ref().map(|place| View::on(&place.tape, place.at).to_value());
            Arc::new(value.unwrap_or_default())
        })
    }

    /// The tree of a document that nobody needs any more.
    pub fn into_tree(mut self) -> Value {
        match self.tree.take() {
            Some(tree) => Arc::try_unwrap(tree).unwrap_or_else(|shared| Value::clone(&shared)),
            None => self.view().to_value(),
        }
    }

    /// The part of it that a view of it shows.
    #[must_use]
    pub fn part(&self, view: View<'_>) -> Self {
        match (&self.place, view.at()) {
            (Some(Place { tape, .. }), Some(at)) => {
                Self { place: Some(Place { tape: Arc::clone(tape), at }), tree: OnceLock::new() }
            }
            _ => Self::from(view.to_value()),
        }
    }

    /// The items of a list; the document itself if it is none.
    ///
    /// # Errors
    /// What is no list is given back.
    pub fn into_items(self) -> Result<Vec<Self>, Self> {
        if self.place.is_none() {
            return match self.into_tree() {
                Value::Array(items) => Ok(items.into_iter().map(Self::from).collect()),
                other => Err(Self::from(other)),
            };
        }
        match self.view().kind() {
            Kind::List(items) => Ok(items.map(|item| self.part(item)).collect()),
            _ => Err(self),
        }
    }

    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        self.place.as_ref().map_or_else(|| view::size(self.tree()), |place| place.tape.size())
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self { place: None, tree: OnceLock::from(Arc::new(value)) }
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.tree() == other.tree()
    }
}

impl PartialEq<Value> for Document {
    fn eq(&self, other: &Value) -> bool {
        self.tree() == other
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.tree(), f)
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.tree(), f)
    }
}

/// A number that two names hardly share: their length, and their first, middle and last letter.
#[inline]
pub fn name_key(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let letter = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    u32::from_be_bytes([length, letter(0), letter(bytes.len() / 2), letter(bytes.len().wrapping_sub(1))])
}

/// What can be asked for as a tree: a document, or a tree.
pub trait Tree: Send + Sync {
    /// The tree.
    fn tree(&self) -> &Value;
}

impl Tree for Document {
    fn tree(&self) -> &Value {
        Document::tree(self)
    }
}

impl Tree for Value {
    fn tree(&self) -> &Value {
        self
    }
}

#[cfg(test)]
mod tests;
