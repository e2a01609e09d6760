//! Rows of one kind, ordered by id, with indexes over the columns that can be looked up.
//!
//! Documents come in already checked; uniqueness is decided here. A row is rendered to JSON when it changes, so
//! that reading it, alone or in a list, costs a copy.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::fields::{Document, apply};
use super::id::{Id, Ids};
use super::page::{Page, Params};
use super::reply::Refusal;

/// A column with an index: an equality filter of the list call and, if unique, a reason for 409.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) case: Case,
    pub(super) unique: bool,
}

/// Whether two values of a column that differ in case are the same value.
#[derive(Clone, Copy)]
pub(super) enum Case {
    Exact,
    Folded,
}

impl Case {
    fn key(self, value: &str) -> String {
        match self {
            Case::Exact => value.to_owned(),
            Case::Folded => value.to_lowercase(),
        }
    }
}

/// One employee or team.
pub(super) struct Row {
    pub(super) document: Document,
    created_at: String,
    updated_at: String,
    version: u64,
    rendered: Vec<u8>,
}

impl Row {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.document.get(field).and_then(Value::as_str)
    }

    /// Counts the changes of this row, from 1.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The row as clients read it.
    pub(super) fn rendered(&self) -> &[u8] {
        &self.rendered
    }

    fn render(&mut self, id: &Id, ids: Ids) {
        let wire = Wire {
            id: id.to_json(ids),
            document: &self.document,
            created_at: &self.created_at,
            updated_at: &self.updated_at,
            version: self.version,
        };
        // Strings, numbers and maps with text keys always serialise, so the default is never taken.
        self.rendered = serde_json::to_vec(&wire).unwrap_or_default();
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    id: Value,
    #[serde(flatten)]
    document: &'a Document,
    created_at: &'a str,
    updated_at: &'a str,
    version: u64,
}

/// All rows of one kind.
pub(super) struct Table {
    columns: &'static [Column],
    /// Beside `columns`: folded value -> rows that have it.
    indexes: Vec<HashMap<String, BTreeSet<Id>>>,
    rows: BTreeMap<Id, Row>,
    next_number: u64,
    rows_max: usize,
    ids: Ids,
}

impl Table {
    pub(super) fn new(columns: &'static [Column], ids: Ids, rows_max: usize) -> Table {
        let indexes = columns.iter().map(|_| HashMap::new()).collect();
        Table { columns, indexes, rows: BTreeMap::new(), next_number: 1, rows_max, ids }
    }

    /// # Errors
    /// [`Refusal::NotFound`].
    pub(super) fn row(&self, id: &Id) -> Result<&Row, Refusal> {
        self.rows.get(id).ok_or(Refusal::NotFound)
    }

    /// Adds a row, under the next free number unless an id is given. A given id that exists is replaced.
    ///
    /// # Errors
    /// [`Refusal::Duplicate`] for a value of a unique column, [`Refusal::Full`].
    pub(super) fn insert(&mut self, id: Option<Id>, document: Document, now: Timestamp) -> Result<Id, Refusal> {
        if self.rows.len() >= self.rows_max {
            return Err(Refusal::Full);
        }
        let id = match id {
            Some(id) => id,
            None => self.free_id()?,
        };
        self.refuse_duplicates(&id, &document)?;
        if let Id::Number(number) = id {
            self.next_number = self.next_number.max(number.saturating_add(1));
        }
        self.remove(&id);
        self.index(&id, &document);
        let at = rfc3339(now);
        let mut row = Row { document, created_at: at.clone(), updated_at: at, version: 1, rendered: Vec::new() };
        row.render(&id, self.ids);
        self.rows.insert(id.clone(), row);
        Ok(id)
    }

    /// Applies checked changes. A change to what is there already changes nothing, the version included.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Duplicate`].
    pub(super) fn update(&mut self, id: &Id, changes: Document, now: Timestamp) -> Result<&Row, Refusal> {
        let before = &self.row(id)?.document;
        let mut after = before.clone();
        apply(&mut after, changes);
        if after != *before {
            self.refuse_duplicates(id, &after)?;
            self.unindex(id);
            self.index(id, &after);
            if let Some(row) = self.rows.get_mut(id) {
                row.document = after;
            }
            self.touch(id, now);
        }
        self.row(id)
    }

    /// Marks a row as changed, for a change that is not in its document.
    pub(super) fn touch(&mut self, id: &Id, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(id) {
            row.version += 1;
            row.updated_at = rfc3339(now);
            row.render(id, self.ids);
        }
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Row> {
        self.unindex(id);
        self.rows.remove(id)
    }

    /// One page of the rows that match every column named in `params`, and how many match in all.
    pub(super) fn select(&self, params: &Params<'_>, page: Page) -> (Vec<(&Id, &Row)>, usize) {
        let hits: Vec<&BTreeSet<Id>> = (self.columns.iter().zip(&self.indexes))
            .filter_map(|(column, index)| Some((index, column.case.key(params.last(column.name)?))))
            .map(|(index, key)| index.get(&key).unwrap_or(&NO_ROWS))
            .collect();
        let Some((first, others)) = hits.split_first() else {
            return (self.rows.iter().skip(page.skip()).take(page.size).collect(), self.rows.len());
        };
        let matching: Vec<(&Id, &Row)> = (first.iter())
            .filter(|id| others.iter().all(|other| other.contains(id)))
            .filter_map(|id| self.rows.get_key_value(id))
            .collect();
        let total = matching.len();
        (matching.into_iter().skip(page.skip()).take(page.size).collect(), total)
    }

    fn free_id(&self) -> Result<Id, Refusal> {
        let mut number = self.next_number;
        while self.rows.contains_key(&Id::Number(number)) {
            number = number.checked_add(1).ok_or(Refusal::Full)?;
        }
        Ok(Id::Number(number))
    }

    fn refuse_duplicates(&self, id: &Id, document: &Document) -> Result<(), Refusal> {
        for (column, index) in self.columns.iter().zip(&self.indexes).filter(|(column, _)| column.unique) {
            let Some(key) = column_key(column, document) else {
                continue;
            };
            if index.get(&key).is_some_and(|holders| holders.iter().any(|holder| holder != id)) {
                return Err(Refusal::Duplicate { field: column.name });
            }
        }
        Ok(())
    }

    fn index(&mut self, id: &Id, document: &Document) {
        for (column, index) in self.columns.iter().zip(&mut self.indexes) {
            if let Some(key) = column_key(column, document) {
                index.entry(key).or_default().insert(id.clone());
            }
        }
    }

    fn unindex(&mut self, id: &Id) {
        let Some(row) = self.rows.get(id) else { return };
        for (column, index) in self.columns.iter().zip(&mut self.indexes) {
            let Some(key) = column_key(column, &row.document) else {
                continue;
            };
            if let Some(holders) = index.get_mut(&key) {
                holders.remove(id);
                if holders.is_empty() {
                    index.remove(&key);
                }
            }
        }
    }
}

/// The index key of a document, or `None` where the column is absent or empty: an empty e-mail is no e-mail.
fn column_key(column: &Column, document: &Document) -> Option<String> {
    let value = document.get(column.name)?.as_str().filter(|value| !value.is_empty())?;
    Some(column.case.key(value))
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

static NO_ROWS: BTreeSet<Id> = BTreeSet::new();
