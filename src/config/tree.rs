//! A TOML document as a tree in which everything knows its place.
//!
//! In: texts. Out: [`Node`]s with spans and key paths, and the syntax errors that the recoverable parser found. Tables
//! keep the order of the file. What a key means is decided elsewhere.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Severity};

/// One text of a configuration.
#[derive(Clone, Debug)]
pub struct Source {
    /// File name, or a preset such as `preset:rest@1`.
    pub name: Arc<str>,
    /// TOML text.
    pub text: String,
}

/// Where something stands: a byte range of one source, and the path of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: usize,
    pub(crate) span: Range<usize>,
    pub(crate) path: Arc<str>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
    /// A date or time; no key takes one.
    Date,
    /// Could not be read; reported as a syntax error already.
    Broken,
}

/// Entries in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// `name = value`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) key: Place,
    pub(crate) value: Node,
}

impl Table {
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

impl Node {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_table(&self) -> Option<&Table> {
        match &self.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }

    /// What a message calls this value.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Text(_) => "a string",
            Data::Int(_) => "an integer",
            Data::Float(_) => "a number",
            Data::Bool(_) => "a boolean",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
            Data::Date => "a date",
            Data::Broken => "a broken value",
        }
    }
}

/// Parses one source. The tree holds everything that could be read, whatever the errors.
pub(crate) fn parse(sources: &SourceMap, source: usize) -> (Table, Vec<(usize, Diagnostic)>) {
    let (table, errors) = DeTable::parse_recoverable(sources.text(source));
    let tree = table_of(table.get_ref(), source, "");
    let errors = errors.iter().map(|error| {
        let span = error.span().unwrap_or_default();
        let place = Place { source, span, path: Arc::from("") };
        let start = place.span.start;
        (start, sources.diagnostic(Severity::Error, "E000", &place, one_line(error.message()), None))
    });
    (tree, errors.collect())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table_of(table: &DeTable<'_>, source: usize, path: &str) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| {
            let path = join(path, key.get_ref());
            Entry {
                name: key.get_ref().to_string(),
                key: Place { source, span: key.span(), path: Arc::from(path.as_str()) },
                value: node_of(value.get_ref(), value.span(), source, &path),
            }
        })
        .collect();
    // The parser's map is sorted by name; readers, diagnostics and "in file order" want the text's order.
    entries.sort_by_key(|entry| entry.key.span.start);
    Table { entries }
}

/// Recursion is bounded by the parser, which refuses documents nested deeper than 80 levels.
fn node_of(value: &DeValue<'_>, span: Range<usize>, source: usize, path: &str) -> Node {
    let data = match value {
        // What stands in for a value that could not be read has no place in the text.
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if span.is_empty() => {
            Data::Broken
        }
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Data::Int(number),
            Err(_) => Data::Float(f64::INFINITY),
        },
        DeValue::Float(number) => Data::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Data::Bool(*value),
        DeValue::Datetime(_) => Data::Date,
        DeValue::Array(items) => Data::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| node_of(item.get_ref(), item.span(), source, &format!("{path}[{index}]")))
                .collect(),
        ),
        DeValue::Table(table) => Data::Table(table_of(table, source, path)),
    };
    Node { place: Place { source, span, path: Arc::from(path) }, data }
}

fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (true, false) => format!("'{key}'"),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}.'{key}'"),
    }
}

/// Texts with their line starts.
#[derive(Debug)]
pub(crate) struct SourceMap {
    sources: Vec<(Source, Vec<usize>)>,
}

impl SourceMap {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        let mut map = Self { sources: Vec::new() };
        for source in sources {
            map.add(source);
        }
        map
    }

    /// Adds a text; its number.
    pub(crate) fn add(&mut self, source: Source) -> usize {
        let starts = std::iter::once(0).chain(source.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.sources.push((source, starts));
        self.sources.len() - 1
    }

    /// The number of a text that is there already.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.sources.iter().position(|(source, _)| *source.name == *name)
    }

    /// Every text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|(source, _)| source.text.as_str())
    }

    pub(crate) fn text(&self, source: usize) -> &str {
        self.sources.get(source).map_or("", |(source, _)| &source.text)
    }

    pub(crate) fn name(&self, source: usize) -> Arc<str> {
        self.sources.get(source).map_or_else(|| Arc::from("?"), |(source, _)| Arc::clone(&source.name))
    }

    /// Line of a byte offset, from 1, and the offset at which that line starts.
    fn line(&self, source: usize, offset: usize) -> (u32, usize) {
        let starts = self.sources.get(source).map_or(&[][..], |(_, starts)| starts);
        let line = starts.partition_point(|start| *start <= offset).max(1);
        (u32::try_from(line).unwrap_or(u32::MAX), starts.get(line - 1).copied().unwrap_or(0))
    }

    /// The origin shown by `explain` and in logs.
    pub(crate) fn origin(&self, place: &Place) -> crate::mapping::Origin {
        crate::mapping::Origin { source: self.name(place.source), line: self.line(place.source, place.span.start).0 }
    }

    pub(crate) fn diagnostic(
        &self,
        severity: Severity,
        code: &'static str,
        place: &Place,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        let text = self.text(place.source);
        let start = floor(text, place.span.start);
        let (line, line_start) = self.line(place.source, start);
        let excerpt = text.get(line_start..).unwrap_or("").lines().next().unwrap_or("");
        let before = text.get(line_start..start).unwrap_or("");
        let within = text.get(start..floor(text, place.span.end)).unwrap_or("").lines().next().unwrap_or("");
        Diagnostic {
            severity,
            code,
            message,
            file: self.name(place.source).to_string(),
            line,
            column: count(before) + 1,
            length: count(within).max(1),
            key_path: place.path.to_string(),
            excerpt: excerpt.trim_end_matches('\r').to_owned(),
            help,
        }
    }

    /// The place of a part of a string value. Exact for literal strings and for basic strings without escapes;
    /// otherwise the whole value.
    pub(crate) fn within(&self, node: &Node, part: Range<usize>) -> Place {
        let raw = self.text(node.place.source).get(node.place.span.clone()).unwrap_or("");
        let value = node.as_text().unwrap_or("");
        let offset = OPENINGS.iter().find(|opening| {
            raw.strip_prefix(**opening).is_some_and(|rest| {
                rest.strip_prefix(value).is_some_and(|close| matches!(close, "\"" | "'" | "\"\"\"" | "'''"))
            })
        });
        let Some(opening) = offset else { return node.place.clone() };
        let start = node.place.span.start + opening.len();
        Place { span: start + part.start.min(value.len())..start + part.end.min(value.len()), ..node.place.clone() }
    }

    /// As [`Self::within`], for a key.
    pub(crate) fn within_key(&self, entry: &Entry, part: Range<usize>) -> Place {
        let value = Node { place: entry.key.clone(), data: Data::Text(entry.name.clone()) };
        self.within(&value, part)
    }
}

/// Longest first, so that `"""` is not taken for an empty string.
const OPENINGS: [&str; 8] = ["\"\"\"\r\n", "'''\r\n", "\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"];

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> (SourceMap, Table, Vec<(usize, Diagnostic)>) {
        let sources = SourceMap::new(vec![Source { name: Arc::from("t.toml"), text: text.to_owned() }]);
        let (table, errors) = parse(&sources, 0);
        (sources, table, errors)
    }

    #[test]
    fn entries_keep_the_order_and_the_path_of_the_file() {
        let (_, table, errors) = tree("z = 1\n[b.'x y']\nq = [1, 'two']\n[a]\n");
        assert!(errors.is_empty());
        let names: Vec<&str> = table.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["z", "b", "a"]);
        let inner = table.get("b").and_then(|b| b.value.as_table()).and_then(|b| b.get("x y")).unwrap();
        let list = &inner.value.as_table().unwrap().get("q").unwrap().value;
        let Data::List(items) = &list.data else { panic!("a list") };
        assert_eq!(&*items[1].place.path, "b.'x y'.q[1]");
    }

    #[test]
    fn parts_of_strings_have_exact_places_unless_escaped() {
        for (text, column) in [
            ("a = \"x {bad}\"", 9),
            ("a = 'x {bad}'", 9),
            ("a = \"\"\"x {bad}\"\"\"", 11),
            ("a = \"\\u0078 {bad}\"", 5),
            ("ä = 'x {bad}'", 9),
        ] {
            let (sources, table, _) = tree(text);
            let place = sources.within(&table.entries[0].value, 3..6);
            let shown = sources.diagnostic(Severity::Error, "E022", &place, String::new(), None);
            assert_eq!(shown.column, column, "{text}");
        }
    }

    #[test]
    fn syntax_errors_are_all_reported_and_the_rest_is_still_read() {
        let (_, table, errors) = tree("a = = 3\nb = 2\nc = \"open\nb = 4\n");
        assert_eq!(errors.iter().map(|(_, error)| error.line).collect::<Vec<_>>(), [1, 1, 3, 4], "{errors:?}");
        assert!(matches!(table.get("a").unwrap().value.data, Data::Broken));
        assert!(matches!(table.get("b").unwrap().value.data, Data::Int(2)));
    }
}
