//! One flat list of the values of a JSON text.
//!
//! In: the text. Out: a [`Tape`]. The text itself is kept, and strings are places in it; only those with escapes are
//! kept beside it. The parser is that of `serde_json`; here is only what it fills.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The values of a text in their order: a list is followed by its items, an object by its names and values in turn.
#[derive(Debug)]
pub(super) struct Tape {
    text: Box<str>,
    /// Strings that stand in the text in another form.
    unescaped: String,
    nodes: Vec<Node>,
}

/// One value, or the name of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A place in the text.
    Text(Span),
    /// A place in the strings beside it.
    Unescaped(Span),
    List(Group),
    Object(Group),
}

/// Bytes of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

/// What belongs to a list or an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Items or fields.
    pub(super) count: u32,
    /// The first node behind it.
    pub(super) end: u32,
}

impl Tape {
    /// Reads a text; `None` for what is not JSON, is larger than a tape can name, or has an object in which a name
    /// comes twice.
    pub(super) fn parse(text: &str) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        let nodes = Vec::with_capacity((text.len() / USUAL_NODE_BYTES).min(FIRST_NODES_MAX) + 1);
        let mut builder = Builder { text, unescaped: String::new(), nodes };
        let mut parser = serde_json::Deserializer::from_str(text);
        Any(&mut builder).deserialize(&mut parser).ok()?;
        parser.end().ok()?;
        let Builder { unescaped, nodes, .. } = builder;
        Some(Self { text: text.into(), unescaped, nodes })
    }

    #[inline]
    pub(super) fn node(&self, at: u32) -> Node {
        self.nodes.get(at as usize).copied().unwrap_or(Node::Null)
    }

    /// The node behind a value.
    #[inline]
    pub(super) fn behind(&self, at: u32) -> u32 {
        match self.node(at) {
            Node::List(group) | Node::Object(group) => group.end,
            _ => at + 1,
        }
    }

    /// The string at a node; empty for another value.
    #[inline]
    pub(super) fn text(&self, at: u32) -> &str {
        let (text, span) = match self.node(at) {
            Node::Text(span) => (&*self.text, span),
            Node::Unescaped(span) => (&*self.unescaped, span),
            _ => return "",
        };
        text.get(span.range()).unwrap_or_default()
    }

    /// A string as it stands in the text, quotes and all, if it stands there as itself.
    #[inline]
    pub(super) fn quoted(&self, at: u32) -> Option<&str> {
        let Node::Text(span) = self.node(at) else { return None };
        let Range { start, end } = span.range();
        self.text.get(start.checked_sub(1)?..end + 1)
    }

    /// The value of a field of an object whose first name is at `at`.
    pub(super) fn field(&self, mut at: u32, count: u32, name: &str) -> Option<u32> {
        for _ in 0..count {
            if self.length(at) == name.len() && self.text(at) == name {
                return Some(at + 1);
            }
            at = self.behind(at + 1);
        }
        None
    }

    #[inline]
    fn length(&self, at: u32) -> usize {
        match self.node(at) {
            Node::Text(span) | Node::Unescaped(span) => span.length as usize,
            _ => 0,
        }
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.unescaped.len() + self.nodes.len() * size_of::<Node>()
    }
}

impl Span {
    #[inline]
    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.length as usize
    }
}

struct Builder<'t> {
    text: &'t str,
    unescaped: String,
    nodes: Vec<Node>,
}

impl<'t> Builder<'t> {
    /// A string of the text itself.
    #[inline]
    fn borrowed(&mut self, part: &'t str) {
        let start = part.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        match (u32::try_from(start), u32::try_from(part.len())) {
            (Ok(start), Ok(length)) => self.nodes.push(Node::Text(Span { start, length })),
            _ => self.copied(part),
        }
    }

    /// A string that stands there in another form, which is never shorter.
    fn copied(&mut self, part: &str) {
        let start = u32::try_from(self.unescaped.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(part.len()).unwrap_or_default();
        self.unescaped.push_str(part);
        self.nodes.push(Node::Unescaped(Span { start, length }));
    }

    fn string(&self, at: usize) -> &str {
        match self.nodes.get(at) {
            Some(Node::Text(span)) => self.text.get(span.range()).unwrap_or_default(),
            Some(Node::Unescaped(span)) => self.unescaped.get(span.range()).unwrap_or_default(),
            _ => "",
        }
    }

    /// Makes room for what is known at the end of a list or an object.
    fn open(&mut self) -> usize {
        self.nodes.push(Node::Null);
        self.nodes.len() - 1
    }

    fn close(&mut self, at: usize, count: u32, group: impl FnOnce(Group) -> Node) {
        let end = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        if let Some(node) = self.nodes.get_mut(at) {
            *node = group(Group { count, end });
        }
    }

    /// Whether the name that was added last is there before, among so many fields of the object at `object`.
    #[cold]
    #[inline(never)]
    fn is_repeated(&self, object: usize, fields: u32) -> bool {
        let name = self.string(self.nodes.len() - 1);
        let mut at = object + 1;
        for _ in 0..fields {
            if self.string(at) == name {
                return true;
            }
            at = match self.nodes.get(at + 1) {
                Some(Node::List(group) | Node::Object(group)) => group.end as usize,
                _ => at + 2,
            };
        }
        false
    }
}

/// Any value.
struct Any<'b, 't>(&'b mut Builder<'t>);

impl<'t> DeserializeSeed<'t> for Any<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Any<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.nodes.push(Node::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.nodes.push(Node::Bool(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.nodes.push(Node::Unsigned(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.nodes.push(Node::Signed(value));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.nodes.push(Node::Float(value));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'t str) -> Result<(), E> {
        self.0.borrowed(value);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.copied(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<(), A::Error> {
        let at = self.0.open();
        let mut count = 0;
        while items.next_element_seed(Any(self.0))?.is_some() {
            count += 1;
        }
        self.0.close(at, count, Node::List);
        Ok(())
    }

    fn visit_map<A: MapAccess<'t>>(self, mut fields: A) -> Result<(), A::Error> {
        let at = self.0.open();
        let mut count = 0;
        // One bit for names of a kind: only names of the same kind have to be compared.
        let mut kinds = 0_u64;
        while let Some(kind) = fields.next_key_seed(Name(self.0))? {
            if kinds & kind != 0 && self.0.is_repeated(at, count) {
                return Err(A::Error::custom("a name comes twice"));
            }
            kinds |= kind;
            fields.next_value_seed(Any(self.0))?;
            count += 1;
        }
        self.0.close(at, count, Node::Object);
        Ok(())
    }
}

/// The name of a field; gives its kind as one bit.
struct Name<'b, 't>(&'b mut Builder<'t>);

impl<'t> DeserializeSeed<'t> for Name<'_, 't> {
    type Value = u64;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for Name<'_, 't> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'t str) -> Result<u64, E> {
        self.0.borrowed(name);
        Ok(kind_bit(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<u64, E> {
        self.0.copied(name);
        Ok(kind_bit(name))
    }
}

#[inline]
fn kind_bit(name: &str) -> u64 {
    let key = super::name_key(name);
    1 << ((key ^ key >> 7 ^ key >> 13 ^ key >> 22) % u64::BITS)
}

/// Most values take more room in a text.
const USUAL_NODE_BYTES: usize = 8;

/// Room taken before anything is read; more is taken as needed.
const FIRST_NODES_MAX: usize = 1 << 16;
