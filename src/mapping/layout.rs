//! In which order the text of an answer is written, decided when a configuration is loaded.
//!
//! In: a mapping. Out: its attributes in the order of their names, each with the rows that give it a value, so that a
//! resource can be written without being built first. A mapping with attributes that are only shown to those who ask
//! for them has no layout: its resources are built and projected.

use std::sync::Arc;

use crate::scim::projection::shown_by_default;

use super::index::each;
use super::row::{Access, Row};
use super::{Mapping, RowSet};

/// The attributes of a resource, in the order of their names.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Everything on the top level.
    pub members: Vec<Member>,
}

/// One member of a JSON object.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// The name as JSON with the colon behind it.
    pub quoted: Box<[u8]>,
    /// Its value.
    pub node: Node,
    /// All rows below.
    pub rows: RowSet,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Node {
    /// A row.
    Row(usize),
    /// Rows of sub-attributes.
    Object(Vec<Member>),
    /// The extension of this index, by rows of its attributes.
    Extension(usize, Vec<Member>),
    /// Rows that make one value together: elements of a list, or a whole and its parts.
    Built,
    /// `id`.
    Id,
    /// `schemas`.
    Schemas,
    /// `meta`, with the rows of its first sub-attributes.
    Meta(Vec<Member>),
    /// `members`.
    Members,
    /// `groups`.
    Groups,
}

impl Layout {
    /// Of a mapping that is complete.
    pub fn of(mapping: &Mapping) -> Option<Self> {
        let readable = mapping.rows.iter().enumerate().filter(|(_, row)| row.access != Access::Write);
        let readable = readable.fold(0, |set, (row, _)| set | 1 << row);
        let by_default = |row: &Row| shown_by_default(&mapping.resource_type, &row.target.path);
        let inverse = mapping.inverse.as_ref().filter(|inverse| !inverse.on_request);
        let related = inverse.map(|_| "groups").into_iter().chain(mapping.members.as_ref().map(|_| "members"));
        let mut related = related.map(|name| crate::scim::AttrPath::core(name, None));
        if !mapping.rows_in(readable).all(|(_, row)| by_default(row))
            || !related.all(|path| shown_by_default(&mapping.resource_type, &path))
            || mapping.resource_type.extensions.len() > EXTENSIONS_MAX
        {
            return None;
        }
        let mut members = vec![member("id", Node::Id, 0), member("schemas", Node::Schemas, 0)];
        members.extend(mapping.members.as_ref().map(|_| member("members", Node::Members, 0)));
        members.extend(mapping.inverse.as_ref().map(|_| member("groups", Node::Groups, 0)));
        let mut meta = Node::Meta(Vec::new());
        let key = |row: &Row| {
            let path = &row.target.path;
            Arc::clone(path.extension.as_ref().unwrap_or(&path.attribute))
        };
        for (name, rows) in groups(mapping, readable, key) {
            let extension = mapping.resource_type.extensions.iter().position(|schema| schema.id == name);
            let node = match extension {
                Some(extension) => Node::Extension(extension, attributes(mapping, rows)),
                None => attribute(mapping, rows),
            };
            match (&*name, node) {
                ("meta", Node::Object(of)) if of.iter().all(|member| *member.name < *"location") => {
                    meta = Node::Meta(of);
                }
                ("id" | "schemas" | "members" | "groups" | "meta", _) => return None,
                (_, node) => members.push(member(&name, node, rows)),
            }
        }
        let rows = if let Node::Meta(of) = &meta { of.iter().fold(0, |set, member| set | member.rows) } else { 0 };
        members.push(member("meta", meta, rows));
        sort(&mut members);
        Some(Self { members })
    }
}

/// The attributes of an extension.
fn attributes(mapping: &Mapping, rows: RowSet) -> Vec<Member> {
    let groups = groups(mapping, rows, |row| Arc::clone(&row.target.path.attribute));
    let mut members: Vec<Member> =
        groups.into_iter().map(|(name, rows)| member(&name, attribute(mapping, rows), rows)).collect();
    sort(&mut members);
    members
}

/// One attribute of the rows about it.
fn attribute(mapping: &Mapping, rows: RowSet) -> Node {
    let plain = mapping.rows_in(rows).all(|(_, row)| row.target.selector.is_empty());
    let subs: Option<Vec<(usize, &Arc<str>)>> =
        mapping.rows_in(rows).map(|(number, row)| Some((number, row.target.path.sub.as_ref()?))).collect();
    match (plain, rows.count_ones(), subs) {
        (true, 1, None) => Node::Row(rows.trailing_zeros() as usize),
        (true, _, Some(subs)) => {
            let mut members: Vec<Member> =
                subs.iter().map(|(row, name)| member(name, Node::Row(*row), 1 << row)).collect();
            sort(&mut members);
            let names_differ = members.windows(2).all(|pair| !matches!(pair, [a, b] if a.name == b.name));
            if names_differ { Node::Object(members) } else { Node::Built }
        }
        _ => Node::Built,
    }
}

fn groups(mapping: &Mapping, rows: RowSet, key: impl Fn(&Row) -> Arc<str>) -> Vec<(Arc<str>, RowSet)> {
    let mut groups: Vec<(Arc<str>, RowSet)> = Vec::new();
    for number in each(rows) {
        let Some(row) = mapping.rows.get(number) else { continue };
        let key = key(row);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => *rows |= 1 << number,
            None => groups.push((key, 1 << number)),
        }
    }
    groups
}

fn member(name: &str, node: Node, rows: RowSet) -> Member {
    let quoted = format!("{}:", serde_json::Value::from(name)).into_bytes().into();
    Member { name: Arc::from(name), quoted, node, rows }
}

fn sort(members: &mut [Member]) {
    members.sort_by(|a, b| a.name.cmp(&b.name));
}

/// Extensions are kept book of in a number of so many bits.
const EXTENSIONS_MAX: usize = 64;
