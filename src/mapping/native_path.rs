//! Paths into native documents: where a value is read, and where it is put.
//!
//! In: `data.items`, `contacts[kind eq 1].to[0]`, `@header:Location`. Out: a [`NativePath`] that reads and writes JSON.
//! It does not know what the value means.

mod lens;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::document::{Document, View};

pub use parse::NativePathError;
pub(crate) use parse::conjunction;

/// A place in a native reply or body.
///
/// ```text
/// path     = "" | "@link" | "@header:" name | step { "." step }
/// step     = name [ "[" index "]" | "[" selector "]" | "[]" ]      index = 0, 1, .. or -1 (the last)
/// selector = name " eq " literal { " and " name " eq " literal }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePath {
    root: Root,
    steps: Vec<Step>,
    /// The top-level field is sent whole, although nothing below it is a list.
    whole: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Root {
    Document,
    Link,
    Header(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A field of an object.
    Name(Arc<str>),
    /// An element by position; -1 is the last.
    Index(i32),
    /// The first element with these fields.
    Select(Vec<(Arc<str>, Value)>),
    /// Every element.
    Each,
}

impl NativePath {
    /// The whole document.
    pub fn whole() -> Self {
        Self { root: Root::Document, steps: Vec::new(), whole: false }
    }

    /// Parses a path.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place in the text.
    pub fn parse(text: &str) -> Result<Self, NativePathError> {
        parse::path(text)
    }

    /// Whether this is the whole document.
    pub fn is_whole(&self) -> bool {
        self.root == Root::Document && self.steps.is_empty()
    }

    /// Whether this is the next link of a `Link` header.
    pub fn is_link(&self) -> bool {
        self.root == Root::Link
    }

    /// The name of the reply header this reads, if it reads one.
    pub fn header(&self) -> Option<&str> {
        match &self.root {
            Root::Header(name) => Some(name),
            Root::Document | Root::Link => None,
        }
    }

    /// The top-level field, if it is always sent whole: the path goes through a list below it, or the application
    /// replaces the object there.
    pub fn whole_field(&self) -> Option<&str> {
        match self.steps.first() {
            Some(Step::Name(name)) if self.whole || self.steps.iter().any(|step| !matches!(step, Step::Name(_))) => {
                Some(name)
            }
            _ => None,
        }
    }

    /// Marks the path if it leads into the top-level field `field`, which the application replaces as a whole. Says
    /// whether it does.
    pub fn send_whole(&mut self, field: &str) -> bool {
        let below = matches!(self.steps.as_slice(), [Step::Name(name), _, ..] if **name == *field);
        self.whole |= below;
        below
    }

    /// The names of the fields it goes through, if it is nothing but fields, and at least one.
    pub fn names(&self) -> Option<Vec<&Arc<str>>> {
        let names = self.steps.iter().map(|step| match step {
            Step::Name(name) => Some(name),
            Step::Index(_) | Step::Select(_) | Step::Each => None,
        });
        let names: Option<Vec<_>> = names.collect();
        names.filter(|names| self.root == Root::Document && !names.is_empty())
    }

    /// The name of the top-level field, if the path is nothing but that.
    pub fn field(&self) -> Option<&str> {
        match (&self.root, self.steps.as_slice()) {
            (Root::Document, [Step::Name(name)]) => Some(name),
            _ => None,
        }
    }

    /// Where the object is that has the field in which the path ends, unless that is the document itself.
    pub fn parent(&self) -> Option<Self> {
        match (&self.root, self.steps.split_last()) {
            (Root::Document, Some((Step::Name(_), steps))) if !steps.is_empty() => {
                Some(Self { root: Root::Document, steps: steps.to_vec(), whole: false })
            }
            _ => None,
        }
    }

    /// The name of the field that the path ends in.
    pub fn last_name(&self) -> Option<&str> {
        match (&self.root, self.steps.last()) {
            (Root::Document, Some(Step::Name(name))) => Some(name),
            _ => None,
        }
    }

    /// Whether the path can be read but not written: `[]`, `[-1]`, a header, a link.
    pub fn is_read_only(&self) -> bool {
        self.root != Root::Document || self.steps.iter().any(|step| matches!(step, Step::Each | Step::Index(..=-1)))
    }

    /// The value there, out of a document that nobody needs any more. Fields are moved; only a path through a list
    /// copies.
    pub fn take(&self, mut document: Value) -> Option<Value> {
        if self.root != Root::Document {
            return None;
        }
        let mut steps = self.steps.as_slice();
        while let [Step::Name(name), rest @ ..] = steps {
            document = match document {
                Value::Object(mut fields) => fields.remove(&**name)?,
                _ => return None,
            };
            steps = rest;
        }
        if steps.is_empty() { Some(document) } else { lens::get(steps, View::of(&document)).map(View::to_value) }
    }

    /// The part of a document there, out of one that nobody needs any more.
    pub fn take_part(&self, document: Document) -> Option<Document> {
        if self.is_whole() {
            return Some(document);
        }
        let found = self.find(document.view())?;
        Some(document.part(found))
    }

    /// The value there; `None` if there is none. A path with `[]` gives its first value.
    pub fn find<'d>(&self, document: impl Into<View<'d>>) -> Option<View<'d>> {
        match self.root {
            Root::Document => lens::get(&self.steps, document.into()),
            Root::Link | Root::Header(_) => None,
        }
    }

    /// The same in a tree.
    pub fn get<'d>(&self, document: &'d Value) -> Option<&'d Value> {
        self.find(document)?.as_tree()
    }

    /// Every value there: several only with `[]`.
    pub fn get_all<'d>(&self, document: &'d Value) -> Vec<&'d Value> {
        let mut found = Vec::new();
        if self.root == Root::Document {
            lens::get_all(&self.steps, View::of(document), &mut found);
        }
        found.into_iter().filter_map(View::as_tree).collect()
    }

    /// Puts a value there, making the objects and lists on the way; `None` takes it away.
    ///
    /// Only what the path names changes: other fields, and other items of a list, stay. Through a selector, the first
    /// item that matches is changed; if none matches, an item of the selector's fields and the value is appended; an
    /// item of which nothing but the selector's fields is left is dropped, and null counts as nothing there. A
    /// read-only path changes nothing.
    pub fn put(&self, document: &mut Value, value: Option<Value>) {
        if !self.is_read_only() {
            lens::put(&self.steps, document, value);
        }
    }

    /// Copies what is there from a document into one of the same structure; of the items that a selector goes through,
    /// the fields that it looks at as well.
    pub fn unveil(&self, from: &Value, into: &mut Value) {
        if self.root == Root::Document {
            lens::unveil(&self.steps, from, into);
        }
    }

    /// Removes every value there, through `[]` too.
    pub fn strip(&self, document: &mut Value) {
        if self.root == Root::Document {
            lens::strip(&self.steps, document);
        }
    }

    /// What stands before another path that this one ends with: `user` of `user.id` before `id`.
    pub fn before(&self, tail: &Self) -> Option<Self> {
        if self.root != Root::Document || tail.root != Root::Document {
            return None;
        }
        let steps = self.steps.strip_suffix(tail.steps.as_slice())?;
        Some(Self { root: Root::Document, steps: steps.to_vec(), whole: false })
    }

    /// Whether this reads the list at another path, or what of its elements; the whole document may be or hold it.
    pub fn reads_list(&self, list: &Self) -> bool {
        if self.root != Root::Document || list.root != Root::Document {
            return false;
        }
        match self.steps.strip_prefix(list.steps.as_slice()) {
            Some(below) => !matches!(below, [Step::Name(_), ..]),
            None => self.steps.is_empty(),
        }
    }

    /// Whether writing one may change what the other reads: one is a prefix of the other, or they are equal. Items
    /// with different values of one selector field, and elements of different position, are apart.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.root == other.root && self.steps.iter().zip(&other.steps).all(|(a, b)| a.may_meet(b))
    }
}

impl NativePath {
    /// The path inside the top-level field `name`, if it leads there.
    pub fn below(&self, name: &str) -> Option<Self> {
        match self.steps.split_first() {
            Some((Step::Name(first), rest)) if **first == *name && self.root == Root::Document => {
                Some(Self { root: Root::Document, steps: rest.to_vec(), whole: false })
            }
            _ => None,
        }
    }

    /// Whether a selection of fields, such as an expression makes, may read what is there: one leads to the other, or
    /// they are equal.
    pub fn meets_fields(&self, fields: &[String]) -> bool {
        self.root == Root::Document
            && self.steps.iter().zip(fields).all(|(step, field)| match step {
                Step::Name(name) => **name == **field,
                // An expression does not say which element it means.
                Step::Index(_) | Step::Select(_) | Step::Each => true,
            })
    }
}

impl Step {
    fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a == b,
            (Self::Index(a), Self::Index(b)) => a == b || (*a < 0) != (*b < 0),
            (Self::Select(a), Self::Select(b)) => {
                !a.iter().any(|(name, value)| b.iter().any(|(other, wanted)| name == other && value != wanted))
            }
            (Self::Name(_), _) | (_, Self::Name(_)) => false,
            _ => true,
        }
    }
}

impl fmt::Display for NativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Document => {}
            Root::Link => return f.write_str("@link"),
            Root::Header(name) => return write!(f, "@header:{name}"),
        }
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Name(name) => {
                    if index > 0 {
                        f.write_str(".")?;
                    }
                    write_name(f, name)?;
                }
                Step::Index(position) => write!(f, "[{position}]")?,
                Step::Each => f.write_str("[]")?,
                Step::Select(fields) => write_selector(f, fields)?,
            }
        }
        Ok(())
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if parse::is_plain_name(name) { f.write_str(name) } else { write!(f, "{}", Value::from(name)) }
}

fn write_selector(f: &mut fmt::Formatter<'_>, fields: &[(Arc<str>, Value)]) -> fmt::Result {
    f.write_str("[")?;
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            f.write_str(" and ")?;
        }
        write_name(f, name)?;
        write!(f, " eq {value}")?;
    }
    f.write_str("]")
}
