//! Which rows a document says something about, without asking row by row.
//!
//! In, when a configuration is loaded: the rows. Out, while serving: the native values of all rows in one walk over a
//! native document, and the rows that may have a value in a SCIM resource. Both are only ever a superset of the rows
//! with a value; what a value is, `from_native` and `to_native` say.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use crate::document::{Document, View, name_key};
use crate::scim::{AttrPath, Resource};

use super::RowSet;
use super::row::{Access, Row, Source};

/// The rows of a mapping by what they are about.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Top-level keys of resources, in the order of [`by_length`]: attributes, and extensions by their URN.
    scim: Vec<(Arc<str>, RowSet)>,
    /// Fields of native documents.
    native: Vec<Field>,
    /// Rows that can be read although [`Found`] holds nothing for them.
    unfound: RowSet,
    /// How many rows there are.
    rows: usize,
    /// Lists whose elements have places of their own.
    places: Vec<Places>,
}

/// A list of which only the elements that rows ask for have a place.
#[derive(Clone, Debug)]
pub struct Places {
    /// The attribute.
    pub attribute: AttrPath,
    /// The rows about it, in order; never empty.
    pub rows: Vec<usize>,
}

/// A field of a native document that some row goes through; in the order of their keys among its siblings.
#[derive(Clone, Debug)]
struct Field {
    /// See [`name_key`]: names are compared only where it is the same.
    key: u32,
    name: Arc<str>,
    /// Rows whose value it is.
    rows: RowSet,
    below: Vec<Field>,
}

/// The native values of rows.
#[derive(Debug)]
pub struct Found<'d> {
    values: Vec<Option<View<'d>>>,
    rows: RowSet,
}

/// Attributes and extensions of a resource, each with the rows about it.
#[derive(Debug)]
pub struct Tops<'r>(Vec<(RowSet, &'r Value)>);

impl<'r> Tops<'r> {
    /// The rows that may have a value.
    pub fn rows(&self) -> RowSet {
        self.0.iter().fold(0, |set, (rows, _)| set | rows)
    }

    /// The attribute that a row is about, or the extension that it is in.
    pub fn get(&self, row: usize) -> Option<&'r Value> {
        self.0.iter().find(|(rows, _)| rows & 1 << row != 0).map(|(_, value)| *value)
    }
}

impl Index {
    /// Of the rows of a mapping, in their order.
    pub fn of(rows: &[Row]) -> Self {
        let mut index = Self { rows: rows.len(), ..Self::default() };
        for (number, row) in rows.iter().enumerate() {
            let bit = 1 << number;
            let path = &row.target.path;
            let key = path.extension.as_ref().unwrap_or(&path.attribute);
            match index.scim.binary_search_by(|(known, _)| by_length(known, key)) {
                Ok(at) => index.scim.get_mut(at).into_iter().for_each(|(_, rows)| *rows |= bit),
                Err(at) => index.scim.insert(at, (Arc::clone(key), bit)),
            }
            if !row.target.selector.is_empty() {
                index.place(number, row);
            }
            if row.access == Access::Write {
                continue;
            }
            match &row.source {
                Source::Native { path, codec } => match path.names() {
                    Some(names) => {
                        add(&mut index.native, &names, bit);
                        if codec.iter().any(super::Codec::reads_absent) {
                            index.unfound |= bit;
                        }
                    }
                    None => index.unfound |= bit,
                },
                Source::Computed { .. } | Source::Mirror { .. } => index.unfound |= bit,
            }
        }
        // Where a row holds the whole list, every element has its place.
        index.places.retain(|places| {
            let of_list = rows.iter().filter(|row| row.target.path.same_attribute(&places.attribute));
            of_list.count() == places.rows.len()
        });
        index
    }

    fn place(&mut self, number: usize, row: &Row) {
        match self.places.iter_mut().find(|places| places.attribute.same_attribute(&row.target.path)) {
            Some(places) => places.rows.push(number),
            None => {
                let attribute = AttrPath { sub: None, ..row.target.path.clone() };
                self.places.push(Places { attribute, rows: vec![number] });
            }
        }
    }

    /// Lists of which only the elements that rows ask for have a place.
    pub fn places(&self) -> &[Places] {
        &self.places
    }

    /// The rows that may have a value in a resource.
    pub fn present(&self, resource: &Resource) -> RowSet {
        resource.0.keys().fold(0, |set, key| set | self.about(key))
    }

    /// The same, each with what it is about.
    pub fn tops<'r>(&self, resource: &'r Resource) -> Tops<'r> {
        Tops(resource.0.iter().map(|(key, value)| (self.about(key), value)).collect())
    }

    /// The rows about an attribute of the core schema, or about an extension.
    pub fn about(&self, key: &str) -> RowSet {
        let at = self.scim.binary_search_by(|(known, _)| by_length(known, key)).ok();
        at.and_then(|at| self.scim.get(at)).map_or(0, |(_, rows)| *rows)
    }

    /// The rows about what a path names, or about a part of it or what it is part of.
    pub fn of_attribute(&self, path: &AttrPath) -> RowSet {
        self.about(path.extension.as_ref().unwrap_or(&path.attribute))
    }

    /// The native values of all rows that are plain fields.
    pub fn find<'d>(&self, native: &'d Document) -> Found<'d> {
        let mut found = Found { values: vec![None; self.rows], rows: self.unfound };
        found.walk(&self.native, native.view());
        found
    }
}

/// Shorter names first: to tell most of two apart, nobody has to look at their letters.
fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn add(fields: &mut Vec<Field>, names: &[&Arc<str>], bit: RowSet) {
    let [name, below @ ..] = names else { return };
    let key = name_key(name);
    let at = match fields.binary_search_by(|field| field.key.cmp(&key).then_with(|| field.name.cmp(name))) {
        Ok(at) => at,
        Err(at) => {
            fields.insert(at, Field { key, name: Arc::clone(name), rows: 0, below: Vec::new() });
            at
        }
    };
    if let Some(field) = fields.get_mut(at) {
        if below.is_empty() {
            field.rows |= bit;
        } else {
            add(&mut field.below, below, bit);
        }
    }
}

impl<'d> Found<'d> {
    /// Depth is that of the mapping's paths.
    fn walk(&mut self, fields: &[Field], document: View<'d>) {
        for (name, value) in document.fields().into_iter().flatten() {
            let Some(field) = field(fields, name).filter(|_| !value.is_null()) else { continue };
            self.rows |= field.rows;
            for row in each(field.rows) {
                if let Some(place) = self.values.get_mut(row) {
                    *place = Some(value);
                }
            }
            if !field.below.is_empty() {
                self.walk(&field.below, value);
            }
        }
    }

    /// The value of a row that is a plain field, unless it is null.
    pub fn get(&self, row: usize) -> Option<View<'d>> {
        self.values.get(row).copied().flatten()
    }

    /// The rows that can be read from the document.
    pub fn rows(&self) -> RowSet {
        self.rows
    }
}

fn field<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
    let key = name_key(name);
    let at = fields.partition_point(|field| field.key < key);
    let alike = fields.get(at..)?.iter().take_while(|field| field.key == key);
    alike.into_iter().find(|field| *field.name == *name)
}

/// The numbers in a set, ascending.
pub fn each(set: RowSet) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let row = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn the_numbers_of_a_set_come_in_order() {
        let check = |set, expected: &[usize]| assert_eq!(each(set).collect::<Vec<_>>(), expected);
        check(0, &[]);
        check(0b1011, &[0, 1, 3]);
        check(1 << 127 | 1, &[0, 127]);
    }
}
