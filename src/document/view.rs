//! Looking into a document, whether it is on a tape or a tree.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::tape::{Group, Node, Tape};

/// A value in a document.
#[derive(Clone, Copy, Debug)]
pub struct View<'d>(At<'d>);

#[derive(Clone, Copy, Debug)]
enum At<'d> {
    Tape(&'d Tape, u32),
    Tree(&'d Value),
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind<'d> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(&'d str),
    /// A list.
    List(Items<'d>),
    /// An object.
    Object(Fields<'d>),
}

impl<'d> View<'d> {
    /// A tree, or a part of one.
    #[inline]
    pub fn of(tree: &'d Value) -> Self {
        Self(At::Tree(tree))
    }

    #[inline]
    pub(super) fn on(tape: &'d Tape, at: u32) -> Self {
        Self(At::Tape(tape, at))
    }

    /// Where it is on its tape.
    pub(super) fn at(self) -> Option<u32> {
        match self.0 {
            At::Tape(_, at) => Some(at),
            At::Tree(_) => None,
        }
    }

    /// What it is.
    #[inline]
    pub fn kind(self) -> Kind<'d> {
        match self.0 {
            At::Tape(tape, at) => match tape.node(at) {
                Node::Null => Kind::Null,
                Node::Bool(value) => Kind::Bool(value),
                Node::Unsigned(value) => Kind::Number(value.into()),
                Node::Signed(value) => Kind::Number(value.into()),
                Node::Float(value) => Number::from_f64(value).map_or(Kind::Null, Kind::Number),
                Node::Text(_) | Node::Unescaped(_) => Kind::Text(tape.text(at)),
                Node::List(group) => Kind::List(Items(Each::on(tape, at, group))),
                Node::Object(group) => Kind::Object(Fields(Each::on(tape, at, group))),
            },
            At::Tree(tree) => match tree {
                Value::Null => Kind::Null,
                Value::Bool(value) => Kind::Bool(*value),
                Value::Number(number) => Kind::Number(number.clone()),
                Value::String(text) => Kind::Text(text),
                Value::Array(items) => Kind::List(Items(Each::Tree(items.iter()))),
                Value::Object(fields) => Kind::Object(Fields(Each::Tree(fields.iter()))),
            },
        }
    }

    /// Whether it is `null`.
    #[inline]
    pub fn is_null(self) -> bool {
        match self.0 {
            At::Tape(tape, at) => matches!(tape.node(at), Node::Null),
            At::Tree(tree) => tree.is_null(),
        }
    }

    /// Whether it is an object.
    #[inline]
    pub fn is_object(self) -> bool {
        match self.0 {
            At::Tape(tape, at) => matches!(tape.node(at), Node::Object(_)),
            At::Tree(tree) => tree.is_object(),
        }
    }

    /// A string as JSON, where that can be had without writing it.
    #[inline]
    pub fn quoted(self) -> Option<&'d str> {
        match self.0 {
            At::Tape(tape, at) => tape.quoted(at),
            At::Tree(_) => None,
        }
    }

    /// The text of a string.
    #[inline]
    pub fn as_str(self) -> Option<&'d str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A field of an object.
    pub fn get(self, name: &str) -> Option<Self> {
        match self.0 {
            At::Tape(tape, at) => match tape.node(at) {
                Node::Object(group) => tape.field(at + 1, group.count, name).map(|at| Self::on(tape, at)),
                _ => None,
            },
            At::Tree(tree) => tree.get(name).map(Self::of),
        }
    }

    /// The items of a list.
    pub fn items(self) -> Option<Items<'d>> {
        match self.kind() {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The fields of an object, in the order of the document.
    pub fn fields(self) -> Option<Fields<'d>> {
        match self.kind() {
            Kind::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether it is this value.
    pub fn is(self, value: &Value) -> bool {
        match (self.kind(), value) {
            (Kind::Text(text), Value::String(value)) => text == value,
            (Kind::Text(_), _) | (_, Value::String(_)) => false,
            _ => *self.value() == *value,
        }
    }

    /// As a tree, borrowed where it is one.
    pub fn value(self) -> Cow<'d, Value> {
        match self.0 {
            At::Tape(..) => Cow::Owned(self.to_value()),
            At::Tree(tree) => Cow::Borrowed(tree),
        }
    }

    /// The tree if it is part of one.
    pub fn as_tree(self) -> Option<&'d Value> {
        match self.0 {
            At::Tape(..) => None,
            At::Tree(tree) => Some(tree),
        }
    }

    /// A tree of its own. It is as deep as the document, which the parser has bounded.
    pub fn to_value(self) -> Value {
        if let At::Tree(tree) = self.0 {
            return tree.clone();
        }
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(value),
            Kind::Number(number) => Value::Number(number),
            Kind::Text(text) => Value::from(text),
            Kind::List(items) => Value::Array(items.map(View::to_value).collect()),
            Kind::Object(fields) => {
                let mut object = Map::new();
                for (name, value) in fields {
                    object.insert(name.to_owned(), value.to_value());
                }
                Value::Object(object)
            }
        }
    }
}

impl<'d> From<&'d Value> for View<'d> {
    fn from(tree: &'d Value) -> Self {
        Self::of(tree)
    }
}

impl<'d> From<&'d super::Document> for View<'d> {
    fn from(document: &'d super::Document) -> Self {
        document.view()
    }
}

/// What belongs to a list or an object, one after the other.
#[derive(Clone, Debug)]
enum Each<'d, I> {
    Tape { tape: &'d Tape, at: u32, left: u32 },
    Tree(I),
}

impl<'d, I> Each<'d, I> {
    fn on(tape: &'d Tape, at: u32, group: Group) -> Self {
        Self::Tape { tape, at: at + 1, left: group.count }
    }
}

/// The items of a list.
#[derive(Clone, Debug)]
pub struct Items<'d>(Each<'d, std::slice::Iter<'d, Value>>);

impl<'d> Iterator for Items<'d> {
    type Item = View<'d>;

    #[inline]
    fn next(&mut self) -> Option<View<'d>> {
        match &mut self.0 {
            Each::Tape { tape, at, left } => {
                *left = left.checked_sub(1)?;
                let item = View::on(tape, *at);
                *at = tape.behind(*at);
                Some(item)
            }
            Each::Tree(items) => items.next().map(View::of),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Each::Tape { left, .. } => *left as usize,
            Each::Tree(items) => items.len(),
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// The fields of an object.
#[derive(Clone, Debug)]
pub struct Fields<'d>(Each<'d, serde_json::map::Iter<'d>>);

impl<'d> Fields<'d> {
    /// By name, as a tree has them.
    pub fn sorted(self) -> Vec<(&'d str, View<'d>)> {
        let is_sorted = matches!(self.0, Each::Tree(_));
        let mut fields: Vec<_> = self.collect();
        if !is_sorted {
            fields.sort_unstable_by_key(|(name, _)| *name);
        }
        fields
    }
}

impl<'d> Iterator for Fields<'d> {
    type Item = (&'d str, View<'d>);

    #[inline]
    fn next(&mut self) -> Option<(&'d str, View<'d>)> {
        match &mut self.0 {
            Each::Tape { tape, at, left } => {
                *left = left.checked_sub(1)?;
                let field = (tape.text(*at), View::on(tape, *at + 1));
                *at = tape.behind(*at + 1);
                Some(field)
            }
            Each::Tree(fields) => fields.next().map(|(name, value)| (name.as_str(), View::of(value))),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Each::Tape { left, .. } => *left as usize,
            Each::Tree(fields) => fields.len(),
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// About how much memory a tree takes, in bytes. It is as deep as the parser allows.
pub(super) fn size(tree: &Value) -> usize {
    let own = size_of::<Value>();
    match tree {
        Value::String(text) => own + text.len(),
        Value::Array(items) => own + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => own + fields.iter().map(|(name, field)| 48 + name.len() + size(field)).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) => own,
    }
}
