//! Lays a file over what it extends: presets and other files, left to right.
//!
//! In: the file, and a function that fetches others. Out: one [`Table`] in which every value keeps its place. Tables
//! merge deeply, everything else is replaced; in a list of tables an entry with an `id` survives, and merges with the
//! entry that has the same one. What the merged keys mean is decided elsewhere.

use std::sync::Arc;

use super::preset::PRESETS;
use super::read::Report;
use super::tree::{Data, Entry, Node, Source, Table, parse};

/// Fetches a file that `extends` names: its path as resolved against the file that names it. The error is a reason for
/// people, without the path.
pub type Fetch<'f> = &'f dyn Fn(&str) -> Result<String, String>;

/// What came of a file and everything below it.
pub(crate) struct Layered {
    pub(crate) root: Table,
    /// Something that `extends` names is not there, so what it would have said is not missing.
    pub(crate) incomplete: bool,
}

/// Reads source 0 of the report and what it extends.
pub(crate) fn layered(report: &mut Report, fetch: Fetch<'_>) -> Layered {
    let mut layers = Layers { report, fetch, incomplete: false, above: Vec::new(), loads: 0 };
    let mut root = layers.load(0);
    let incomplete = layers.incomplete;
    spread_backend_defaults(&mut root);
    Layered { root, incomplete }
}

struct Layers<'r, 'f> {
    report: &'r mut Report,
    fetch: Fetch<'f>,
    incomplete: bool,
    /// The sources that lead to the one at hand.
    above: Vec<usize>,
    loads: usize,
}

impl Layers<'_, '_> {
    /// Depth is bounded by [`LOADS_MAX`].
    fn load(&mut self, source: usize) -> Table {
        let (own, errors) = parse(&self.report.sources, source);
        for (offset, error) in errors {
            self.report.push(source, offset, error);
        }
        if let Some(entry) = own.get("needs") {
            needs(self.report, &entry.value);
        }
        self.above.push(source);
        let mut base = Table::default();
        let named = own.get("extends").and_then(|entry| self.report.list(&entry.value)).unwrap_or(&[]);
        for node in named {
            let table = self.open(node, source).map(|next| self.load(next));
            self.incomplete |= table.is_none();
            base = merge(base, self.checked_version(table.unwrap_or_default()));
        }
        self.above.pop();
        if let Some(entry) = own.get("unset") {
            for node in self.report.list(&entry.value).unwrap_or(&[]) {
                self.unset(&mut base, node);
            }
        }
        merge(base, own)
    }

    /// A layer below, without what is about that file alone.
    fn checked_version(&mut self, mut layer: Table) -> Table {
        if let Some(entry) = layer.get("version")
            && !matches!(entry.value.data, Data::Int(1) | Data::Broken)
        {
            self.report.error("E009", &entry.value.place, "this adapter reads `version = 1`");
        }
        layer.entries.retain(|entry| !matches!(entry.name.as_str(), "version" | "extends" | "unset" | "needs"));
        layer
    }

    /// The number of a source that is named.
    fn open(&mut self, node: &Node, from: usize) -> Option<usize> {
        let name = self.report.word(node)?;
        self.loads += 1;
        if self.loads > LOADS_MAX {
            if self.loads == LOADS_MAX + 1 {
                let message = format!("more than {LOADS_MAX} presets and files, all together");
                self.report.error("E200", &node.place, message);
            }
            return None;
        }
        let preset = name.starts_with("preset:");
        let full = if preset { name.to_owned() } else { beside(&self.report.sources.name(from), name) };
        if let Some(known) = self.report.sources.find(&full) {
            if self.above.contains(&known) {
                let message = format!("`{name}` extends itself, by way of {}", self.way(known));
                self.report.error("E200", &node.place, message);
                return None;
            }
            return Some(known);
        }
        let text = if preset { self.preset(node, name)? } else { self.file(node, &full)? };
        Some(self.report.sources.add(Source { name: Arc::from(full), text }))
    }

    fn preset(&mut self, node: &Node, name: &str) -> Option<String> {
        let found = PRESETS.iter().find(|(known, _)| *known == name);
        if found.is_none() {
            let names = PRESETS.iter().map(|(name, _)| *name);
            self.report.unknown("E007", &node.place, format!("there is no preset `{name}`"), name, names);
        }
        found.map(|(_, text)| (*text).to_owned())
    }

    fn file(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = (self.fetch)(path).and_then(|text| {
            let fits = text.len() <= super::TEXT_MAX_BYTES;
            fits.then_some(text).ok_or_else(|| format!("it has more than {} bytes", super::TEXT_MAX_BYTES))
        });
        match text {
            Ok(text) => Some(text),
            Err(reason) => {
                let help = "a file is looked for beside the one that names it; presets are called \"preset:NAME\"";
                let message = format!("`{path}` cannot be read: {reason}");
                self.report.error_help("E201", &node.place, message, help.to_owned());
                None
            }
        }
    }

    /// The names from a source to the one at hand.
    fn way(&self, from: usize) -> String {
        let names = self.above.iter().skip_while(|source| **source != from);
        names.map(|source| format!("`{}`", self.report.sources.name(*source))).collect::<Vec<_>>().join(", ")
    }

    /// Takes away what lies below.
    fn unset(&mut self, base: &mut Table, node: &Node) {
        let Some(text) = self.report.word(node) else { return };
        let Some(path) = key_path(text) else {
            let help = "such as \"resource.Group\" or \"resource.User.attrs.'name.givenName'\"".to_owned();
            self.report.error_help("E004", &node.place, format!("`{text}` is not the path of a key"), help);
            return;
        };
        let Err((name, siblings)) = remove(base, &path) else { return };
        if !self.incomplete {
            let message = format!("nothing to unset: what this file extends has no `{text}`");
            self.report.unknown("E202", &node.place, message, &name, siblings.iter().map(String::as_str));
        }
    }
}

/// Whether this program is one of the versions that a file is for.
fn needs(report: &mut Report, node: &Node) {
    let Some(text) = report.word(node) else { return };
    let Ok(wanted) = semver::VersionReq::parse(text) else {
        let help = "such as \">=0.1\" or \">=0.1, <2\"".to_owned();
        report.error_help("E004", &node.place, format!("`{text}` does not say which versions"), help);
        return;
    };
    // A development version of 0.3.0 counts as 0.3.0.
    let own = semver::Version::parse(env!("CARGO_PKG_VERSION"));
    let own = own.map(|own| semver::Version::new(own.major, own.minor, own.patch));
    if own.is_ok_and(|own| !wanted.matches(&own)) {
        let message = format!("this file needs scimshim {text}, and this is {}", env!("CARGO_PKG_VERSION"));
        let help = "nothing else was checked; install a version that the file is for".to_owned();
        report.error_help("E203", &node.place, message, help);
    }
}

/// A path as one that stands in a file means it.
fn beside(file: &str, name: &str) -> String {
    let folder = file.rfind('/').and_then(|slash| file.get(..=slash)).unwrap_or("");
    if name.starts_with('/') { name.to_owned() } else { format!("{folder}{name}") }
}

/// `a.'b c'.d`.
fn key_path(text: &str) -> Option<Vec<String>> {
    if text.contains(['\n', '=', '#']) {
        return None;
    }
    let table: toml::Table = toml::from_str(&format!("{text} = 0")).ok()?;
    let mut path = Vec::new();
    let mut rest = &table;
    loop {
        let (name, value) = rest.iter().next()?;
        path.push(name.clone());
        match value {
            toml::Value::Table(table) => rest = table,
            _ => return Some(path),
        }
    }
}

/// Removes a value. If it is not there: the part of the path that failed, and what stands in its place.
fn remove(table: &mut Table, path: &[String]) -> Result<(), (String, Vec<String>)> {
    let Some((name, rest)) = path.split_first() else { return Ok(()) };
    let Some(at) = table.entries.iter().position(|entry| entry.name == *name) else {
        return Err((name.clone(), table.entries.iter().map(|entry| entry.name.clone()).collect()));
    };
    if rest.is_empty() {
        table.entries.remove(at);
        return Ok(());
    }
    let gone = || Err((rest.join("."), Vec::new()));
    match table.entries.get_mut(at).map(|entry| &mut entry.value.data) {
        Some(Data::Table(inner)) => remove(inner, rest),
        Some(Data::List(items)) => {
            let [id, rest @ ..] = rest else { return gone() };
            let Some(at) = items.iter().position(|item| id_of(item) == Some(id.as_str())) else { return gone() };
            match (rest, items.get_mut(at).map(|item| &mut item.data)) {
                ([], _) => {
                    items.remove(at);
                    Ok(())
                }
                (rest, Some(Data::Table(inner))) => remove(inner, rest),
                _ => gone(),
            }
        }
        _ => gone(),
    }
}

/// `[defaults.backend]` is laid under every backend.
fn spread_backend_defaults(root: &mut Table) {
    let defaults = root.get("defaults").and_then(|entry| entry.value.as_table());
    let Some(base) = defaults.and_then(|table| table.get("backend")).and_then(|entry| entry.value.as_table()).cloned()
    else {
        return;
    };
    let backends = root.entries.iter_mut().find(|entry| entry.name == "backend").map(|entry| &mut entry.value.data);
    let Some(Data::Table(backends)) = backends else { return };
    for entry in &mut backends.entries {
        if let Data::Table(own) = &mut entry.value.data {
            *own = merge(base.clone(), std::mem::take(own));
        }
    }
}

/// Lays `over` on `base`.
pub(crate) fn merge(base: Table, over: Table) -> Table {
    let mut merged = base;
    for entry in over.entries {
        match merged.entries.iter_mut().find(|old| old.name == entry.name) {
            Some(old) => merge_entry(old, entry),
            None => merged.entries.push(entry),
        }
    }
    merged
}

fn merge_entry(old: &mut Entry, new: Entry) {
    let place = new.value.place.clone();
    old.key = new.key;
    let before = std::mem::replace(&mut old.value.data, Data::Broken);
    let data = match (before, new.value.data) {
        (Data::Table(base), Data::Table(over)) if !is_another(&old.name, &base, &over) => {
            Data::Table(merge(base, over))
        }
        (Data::List(base), Data::List(over)) => Data::List(merge_lists(base, over)),
        (_, data) => data,
    };
    old.value = Node { place, data };
}

/// A reference to a secret is a value, though it is written as a table. Paging of another style and a credential of another kind have nothing in common with the ones below.
fn is_another(name: &str, base: &Table, over: &Table) -> bool {
    let is_secret = |table: &Table| matches!(table.entries.as_slice(), [entry] if entry.name == "secret");
    if is_secret(base) != is_secret(over) {
        return true;
    }
    let key = match name {
        "paging" => "style",
        "auth" => "kind",
        _ => return false,
    };
    let word = |table: &Table| table.get(key).and_then(|entry| entry.value.as_text()).map(str::to_owned);
    word(over).is_some_and(|own| word(base).is_some_and(|before| before != own))
}

/// What the file says comes first; of what lies below only entries with an `id` are left, merged with their namesakes.
fn merge_lists(base: Vec<Node>, over: Vec<Node>) -> Vec<Node> {
    let mut merged = over;
    for below in base {
        let Some(id) = id_of(&below).map(str::to_owned) else { continue };
        match merged.iter_mut().find(|item| id_of(item) == Some(&id)) {
            Some(item) => {
                let own = std::mem::replace(&mut item.data, Data::Broken);
                item.data = match (below.data, own) {
                    (Data::Table(base), Data::Table(over)) => Data::Table(merge(base, over)),
                    (_, own) => own,
                };
            }
            None => merged.push(below),
        }
    }
    merged
}

fn id_of(node: &Node) -> Option<&str> {
    node.as_table()?.get("id")?.value.as_text()
}

/// The most presets and files that one file may lead to, each counted as often as it is named.
const LOADS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::SourceMap;

    fn tree(text: &str) -> Table {
        let sources = SourceMap::new(vec![Source { name: Arc::from("t.toml"), text: text.to_owned() }]);
        parse(&sources, 0).0
    }

    fn shown(table: &Table) -> String {
        table
            .entries
            .iter()
            .map(|entry| format!("{}={}", entry.name, shown_node(&entry.value)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn shown_node(node: &Node) -> String {
        match &node.data {
            Data::Table(table) => format!("{{{}}}", shown(table)),
            Data::List(items) => format!("[{}]", items.iter().map(shown_node).collect::<Vec<_>>().join(" ")),
            Data::Text(text) => text.clone(),
            Data::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn merging() {
        for (base, over, expected) in [
            ("x = { a = 1, l = [1, 2] }", "x = { l = [3], b = 2 }", "x={a=1 l=[3] b=2}"),
            ("x = { a = 1 }", "x = 'text'", "x=text"),
            ("x = 'text'", "x = { a = 1 }", "x={a=1}"),
            ("x = [{ a = 1 }]", "x = [{ b = 2 }]", "x=[{b=2}]"),
            ("x = [{ id = 'p', a = 1 }, { a = 2 }]", "x = [{ b = 2 }]", "x=[{b=2} {id=p a=1}]"),
            ("x = [{ id = 'p', a = 1, b = 1 }]", "x = [{ b = 3 }, { id = 'p', b = 2 }]", "x=[{b=3} {id=p a=1 b=2}]"),
            (
                "paging = { style = 'page', page = 'p', max = 5 }",
                "paging = { max = 7 }",
                "paging={style=page page=p max=7}",
            ),
            ("paging = { style = 'page', page = 'p' }", "paging = { style = 'link' }", "paging={style=link}"),
            ("key = { secret = 'env:A' }", "key = { value = 'x' }", "key={value=x}"),
            ("key = { value = 'x' }", "key = { secret = 'env:A' }", "key={secret=env:A}"),
            ("key = { secret = 'env:A' }", "key = { secret = 'env:B' }", "key={secret=env:B}"),
            ("auth = { kind = 'bearer', token = 't' }", "auth = { kind = 'none' }", "auth={kind=none}"),
        ] {
            assert_eq!(shown(&merge(tree(base), tree(over))), expected, "{base} / {over}");
        }
    }

    #[test]
    fn removing() {
        let text = "a = { b = { c = 1 }, 'x y' = 2 }\nl = [{ id = 'p', q = 1 }, { id = 'r' }]";
        for (path, expected) in [
            ("a.b.c", Ok("a={b={} x y=2} l=[{id=p q=1} {id=r}]")),
            ("a.'x y'", Ok("a={b={c=1}} l=[{id=p q=1} {id=r}]")),
            ("l.p", Ok("a={b={c=1} x y=2} l=[{id=r}]")),
            ("l.p.q", Ok("a={b={c=1} x y=2} l=[{id=p} {id=r}]")),
            ("l", Ok("a={b={c=1} x y=2}")),
            ("a.z", Err("z")),
            ("l.z", Err("z")),
            ("a.b.c.d", Err("d")),
        ] {
            let mut table = tree(text);
            let removed = remove(&mut table, &key_path(path).unwrap());
            match expected {
                Ok(expected) => assert_eq!((removed.is_ok(), shown(&table).as_str()), (true, expected), "{path}"),
                Err(part) => assert_eq!(removed.unwrap_err().0, part, "{path}"),
            }
        }
        for bad in ["", "a..b", "a = 1\nb", "a b", "#"] {
            assert_eq!(key_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_are_looked_for_beside_the_one_that_names_them() {
        assert_eq!(beside("config.toml", "base.toml"), "base.toml");
        assert_eq!(beside("etc/scim/config.toml", "../base.toml"), "etc/scim/../base.toml");
        assert_eq!(beside("etc/config.toml", "/srv/base.toml"), "/srv/base.toml");
    }
}
