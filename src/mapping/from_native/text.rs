//! A SCIM resource as text, written as its native document is read.
//!
//! In: a layout, a native document, and what the plan knows besides. Out: what [`resource`](super::resource) would have
//! built, as JSON, with `schemas` and `meta`. Where the application has no version of its own, one is computed over
//! the same values as [`digest`](crate::scim::digest::digest) takes them from a resource.

use serde_json::Value;

use crate::document::{Document, Kind, View};
use crate::expr::Env;
use crate::mapping::index::Found;
use crate::mapping::layout::{Layout, Member, Node};
use crate::mapping::row::Source;
use crate::mapping::{Codec, Mapping, RowSet};
use crate::scim::Resource;
use crate::scim::digest::Digest;

use super::ReadFault;

/// What the rows do not say about a resource.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// `id`.
    pub id: &'a str,
    /// `meta.location`.
    pub location: &'a str,
    /// `meta.version`.
    pub version: Version<'a>,
    /// `members`.
    pub members: &'a [Value],
    /// `groups`.
    pub groups: &'a [Value],
}

/// The version of a resource.
#[derive(Clone, Copy, Debug)]
pub enum Version<'a> {
    /// The application's own.
    Own(&'a str),
    /// Computed over the rest.
    Computed,
    /// Not said.
    None,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The version, if it was computed.
    pub version: Option<String>,
    /// Rows that gave a value.
    pub read: RowSet,
    /// Rows that could not be read, in their order.
    pub faults: Vec<ReadFault>,
}

/// Writes resources one after the other. It keeps nothing of them but its memory.
#[derive(Debug, Default)]
pub struct Writer {
    digest: Digest,
}

impl Writer {
    /// Adds the text of one resource.
    pub fn write(
        &mut self,
        (mapping, layout): (&Mapping, &Layout),
        native: &Document,
        about: &About<'_>,
        env: &Env<'_>,
        out: &mut Vec<u8>,
    ) -> Written {
        self.digest.clear();
        let mut writing = Writing {
            mapping,
            about,
            found: mapping.index.find(native),
            native,
            env: Env { native: Some(native), ..*env },
            out,
            digest: &mut self.digest,
            read: 0,
            faults: Vec::new(),
            schemas: Schemas::default(),
            version: None,
        };
        writing.object(&layout.members);
        writing.list_extensions();
        let version = writing.fill_version();
        let Writing { read, mut faults, .. } = writing;
        faults.sort_by_key(|fault| fault.row);
        Written { version, read, faults }
    }
}

/// One resource on its way to text.
struct Writing<'w> {
    mapping: &'w Mapping,
    about: &'w About<'w>,
    found: Found<'w>,
    native: &'w Document,
    env: Env<'w>,
    out: &'w mut Vec<u8>,
    digest: &'w mut Digest,
    read: RowSet,
    faults: Vec<ReadFault>,
    schemas: Schemas,
    /// Where the version is to stand, if it is computed.
    version: Option<usize>,
}

/// `schemas`, which stands before the extensions that it must name.
#[derive(Default)]
struct Schemas {
    /// Where the list ends in the text.
    end: usize,
    /// Where it begins in the digest.
    digest_start: usize,
    /// Where it ends there.
    digest_end: usize,
    /// Extensions with a value, by index.
    extensions: u64,
}

impl Writing<'_> {
    /// An object of those members that have a value; says whether there are any.
    fn object(&mut self, members: &[Member]) -> bool {
        let (start, mark) = (self.out.len(), self.digest.begin_object());
        self.out.push(b'{');
        let count = self.members(members);
        self.out.push(b'}');
        self.end(start, mark, count)
    }

    /// Says how many of the members have a value that counts for the version.
    fn members(&mut self, members: &[Member]) -> usize {
        let mut count = 0;
        let first = self.out.len();
        for member in members {
            let is_meta = matches!(member.node, Node::Meta(_));
            if !is_meta && member.rows != 0 && member.rows & self.found.rows() == 0 {
                continue;
            }
            let (start, mark) = (self.out.len(), self.digest.mark());
            if start > first {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&member.quoted);
            self.digest.name(&member.name);
            let counts = self.value(member);
            count += usize::from(counts);
            if !counts {
                self.digest.take_back(mark);
                if !is_meta {
                    self.out.truncate(start);
                }
            }
        }
        count
    }

    fn value(&mut self, member: &Member) -> bool {
        match &member.node {
            Node::Row(row) => self.row(*row),
            Node::Object(of) => self.object(of),
            Node::Extension(extension, of) => {
                let some = self.object(of);
                self.schemas.extensions |= u64::from(some) << *extension;
                some
            }
            Node::Built => self.built(member),
            Node::Id => {
                text(self.out, self.about.id);
                self.digest.text(self.about.id);
                true
            }
            Node::Schemas => {
                self.core_schema();
                true
            }
            Node::Meta(of) => self.meta(of),
            Node::Members => self.list(self.about.members),
            Node::Groups => self.list(self.about.groups),
        }
    }

    fn core_schema(&mut self) {
        let core = &self.mapping.resource_type.schema.id;
        let mark = self.digest.begin_list();
        self.out.push(b'[');
        text(self.out, core);
        self.digest.text(core);
        self.digest.end(mark, 1);
        self.schemas =
            Schemas { end: self.out.len(), digest_start: mark, digest_end: self.digest.mark(), ..self.schemas };
        self.out.push(b']');
    }

    /// Elements that are complete already.
    fn list(&mut self, items: &[Value]) -> bool {
        let (start, mark) = (self.out.len(), self.digest.begin_list());
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            json(self.out, item);
            self.digest.value(item);
        }
        self.out.push(b']');
        self.end(start, mark, items.len())
    }

    /// What the rows say of `meta` is part of the version; the rest is the same whatever the resource says.
    fn meta(&mut self, of: &[Member]) -> bool {
        let mark = self.digest.begin_object();
        self.out.push(b'{');
        let start = self.out.len();
        let count = self.members(of);
        self.digest.end(mark, count);
        if self.out.len() > start {
            self.out.push(b',');
        }
        self.out.extend_from_slice(b"\"location\":");
        text(self.out, self.about.location);
        self.out.extend_from_slice(b",\"resourceType\":");
        text(self.out, &self.mapping.resource_type.name);
        match self.about.version {
            Version::None => {}
            Version::Own(version) => {
                self.out.extend_from_slice(b",\"version\":");
                text(self.out, version);
            }
            Version::Computed => {
                self.out.extend_from_slice(b",\"version\":\"W/\\\"");
                self.version = Some(self.out.len());
                self.out.extend_from_slice(&[b'0'; DIGITS]);
                self.out.extend_from_slice(b"\\\"\"");
            }
        }
        self.out.push(b'}');
        count > 0
    }

    fn row(&mut self, number: usize) -> bool {
        let Some(row) = self.mapping.rows.get(number) else { return false };
        let raw = self.found.get(number);
        let some = match (&row.source, raw) {
            (Source::Native { codec, .. }, Some(raw)) if reads_as_it_stands(codec, raw) => self.assigned(raw),
            _ => match super::value(self.mapping, row, raw, self.native, &self.env) {
                Ok(Some(value)) => self.assigned(View::of(&value)),
                Ok(None) => false,
                Err(reason) => {
                    self.faults.push(ReadFault { row: number, reason });
                    false
                }
            },
        };
        self.read |= RowSet::from(some) << number;
        some
    }

    /// Rows that make one value together are put together first.
    fn built(&mut self, member: &Member) -> bool {
        let mapping = self.mapping;
        let mut resource = Resource::default();
        for (number, row) in mapping.rows_in(member.rows & self.found.rows()) {
            match super::value(mapping, row, self.found.get(number), self.native, &self.env) {
                Ok(Some(value)) => row.target.write(&mut resource, value),
                Ok(None) => {}
                Err(reason) => self.faults.push(ReadFault { row: number, reason }),
            }
        }
        let with_value = mapping.rows_in(member.rows).filter(|(_, row)| row.target.read(&resource, false).is_some());
        self.read |= with_value.fold(0, |set, (number, _)| set | 1 << number);
        let path = mapping.rows_in(member.rows).next().map(|(_, row)| row.target.path.parent());
        path.and_then(|path| resource.get(&path).map(|value| self.assigned(View::of(value)))).unwrap_or(false)
    }

    /// A value without what is unassigned in it, as [`assigned`](super::assigned) makes it; says whether any is left.
    fn assigned(&mut self, value: View<'_>) -> bool {
        match value.kind() {
            Kind::Null | Kind::Text("") => false,
            Kind::Text(string) => {
                match value.quoted() {
                    Some(quoted) => self.out.extend_from_slice(quoted.as_bytes()),
                    None => text(self.out, string),
                }
                self.digest.text(string);
                true
            }
            Kind::Bool(value) => {
                self.out.extend_from_slice(if value { b"true" } else { b"false" });
                self.digest.value(&Value::Bool(value));
                true
            }
            Kind::Number(value) => {
                let value = Value::Number(value);
                json(self.out, &value);
                self.digest.value(&value);
                true
            }
            Kind::List(items) => {
                let (start, mark) = (self.out.len(), self.digest.begin_list());
                self.out.push(b'[');
                let mut count = 0;
                for item in items {
                    let before = self.out.len();
                    if count > 0 {
                        self.out.push(b',');
                    }
                    if self.assigned(item) {
                        count += 1;
                    } else {
                        self.out.truncate(before);
                    }
                }
                self.out.push(b']');
                self.end(start, mark, count)
            }
            Kind::Object(fields) => {
                let (start, mark) = (self.out.len(), self.digest.begin_object());
                self.out.push(b'{');
                let mut count = 0;
                for (name, value) in fields.sorted() {
                    count += usize::from(self.assigned_member(name, value, count > 0));
                }
                self.out.push(b'}');
                self.end(start, mark, count)
            }
        }
    }

    fn assigned_member(&mut self, name: &str, value: View<'_>, follows: bool) -> bool {
        let (start, mark) = (self.out.len(), self.digest.mark());
        if follows {
            self.out.push(b',');
        }
        text(self.out, name);
        self.out.push(b':');
        self.digest.name(name);
        let some = self.assigned(value);
        if !some {
            self.out.truncate(start);
            self.digest.take_back(mark);
        }
        some
    }

    /// Ends a list or an object, or takes it back if it is empty.
    fn end(&mut self, start: usize, mark: usize, count: usize) -> bool {
        if count == 0 {
            self.out.truncate(start);
            self.digest.take_back(mark);
        } else {
            self.digest.end(mark, count);
        }
        count > 0
    }

    fn list_extensions(&mut self) {
        let Schemas { end, digest_start, digest_end, extensions } = self.schemas;
        if extensions == 0 {
            return;
        }
        let schemas = self.mapping.resource_type.extensions.iter().enumerate();
        let urns: Vec<&str> =
            schemas.filter(|(index, _)| extensions & (1 << index) != 0).map(|(_, schema)| &*schema.id).collect();
        let mut more = Vec::with_capacity(128);
        for urn in &urns {
            more.push(b',');
            text(&mut more, urn);
        }
        self.out.splice(end..end, more);
        self.digest.insert_texts(digest_end, &urns);
        self.digest.end(digest_start, urns.len() + 1);
    }

    fn fill_version(&mut self) -> Option<String> {
        let at = self.version?;
        let digits = self.out.get_mut(at..at + DIGITS)?;
        for (digit, number) in digits.iter_mut().rev().zip(nibbles(self.digest.finish())) {
            *digit = number;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        Some(["W/\"", digits, "\""].concat())
    }
}

/// Whether codecs leave a native value alone.
fn reads_as_it_stands(codecs: &[Codec], raw: View<'_>) -> bool {
    codecs.is_empty() || raw.as_str().is_some_and(|text| codecs.iter().all(|codec| codec.reads_as_it_stands(text)))
}

/// The hexadecimal digits of a number, the last one first.
fn nibbles(mut number: u128) -> impl Iterator<Item = u8> {
    std::iter::repeat_with(move || {
        let digit = (number & 0xf) as u8;
        number >>= 4;
        if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
    })
}

/// A text as JSON.
fn text(out: &mut Vec<u8>, text: &str) {
    // Without an early end, so that many bytes are looked at together.
    let escapes = text.bytes().map(|byte| u8::from(byte < b' ' || matches!(byte, b'"' | b'\\')));
    if escapes.fold(0, |any, escape| any | escape) != 0 {
        // Writing into memory cannot fail.
        serde_json::to_writer(out, text).unwrap_or_default();
        return;
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn json(out: &mut Vec<u8>, value: &Value) {
    // As above.
    serde_json::to_writer(out, value).unwrap_or_default();
}

/// Digits of a version that is computed.
const DIGITS: usize = 32;
