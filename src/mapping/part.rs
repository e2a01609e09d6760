//! Parts: documents beside an object's own, that native expressions and rows see under a name of their own.

use std::sync::Arc;

use super::call::{Call, ListCall};
use super::flow::Flow;
use super::{Mapping, NativePath, Origin, Readers, Row, RowSet};

/// A set of parts by index.
pub type PartSet = u32;

/// The most parts a mapping may have.
pub const MAX_PARTS: usize = 16;

/// One part.
#[derive(Clone, Debug)]
pub struct Part {
    /// The field of the native document that holds it.
    pub name: Arc<str>,
    /// How it is read.
    pub source: PartSource,
    /// How what changed in it is sent.
    pub update: Option<Flow>,
    /// What reads it.
    pub readers: Readers,
    /// Rows that are written there.
    pub rows: RowSet,
    /// Those of them that the object's own calls name in their bodies.
    pub named: RowSet,
    /// Parts under way together.
    pub parallel: usize,
    /// Resources of a page at the most, where the part is read for each of them.
    pub max: usize,
    /// Its place.
    pub origin: Origin,
}

/// How a part is read.
#[derive(Clone, Debug)]
pub enum PartSource {
    /// One object.
    Get(Box<Call>),
    /// A list, read to its end.
    List(Box<ListCall>),
}

impl Part {
    /// The path of a row inside the part.
    pub fn path_of(&self, row: &Row) -> Option<NativePath> {
        row.native_path()?.below(&self.name)
    }

    /// Whether anything in a native document at the path is of this part.
    pub fn holds(&self, path: &NativePath) -> bool {
        path.below(&self.name).is_some()
    }
}

impl Mapping {
    /// Rows that are written to parts, and so never with the object itself.
    pub fn part_rows(&self) -> RowSet {
        self.parts.iter().fold(0, |set, part| set | part.rows)
    }

    /// Rows that the calls of their parts send.
    pub fn own_call_rows(&self) -> RowSet {
        self.parts.iter().filter(|part| part.update.is_some()).fold(0, |set, part| set | part.rows)
    }

    /// Rows of parts that nothing but rules send.
    pub fn unsent_part_rows(&self) -> RowSet {
        let unsent = self.parts.iter().filter(|part| part.update.is_none());
        unsent.fold(0, |set, part| set | (part.rows & !part.named))
    }

    /// The parts that something of what is wanted is read from.
    pub fn parts_for(&self, wanted: &Readers) -> PartSet {
        let needed = self.parts.iter().enumerate().filter(|(_, part)| part.readers.meets(wanted));
        needed.fold(0, |set, (index, _)| set | 1 << index)
    }

    /// Every part.
    pub fn all_parts(&self) -> PartSet {
        self.parts.iter().enumerate().fold(0, |set, (index, _)| set | 1 << index)
    }

    /// The parts of a set.
    pub fn parts_in(&self, set: PartSet) -> impl Iterator<Item = (usize, &Part)> {
        self.parts.iter().enumerate().filter(move |(index, _)| set & (1 << index) != 0)
    }
}
