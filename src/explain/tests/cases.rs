//! The cases of `tests/plans/*.toml`: request and replies in, transcript out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{folder, snapshot};
use crate::explain::{Layout, Replies, ReplyEntry, Request, Tables, explain};
use crate::pattern::compilations;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) config: String,
    #[serde(rename = "case")]
    pub(super) cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    replies: Vec<ReplyEntry>,
    #[serde(default)]
    tables: Tables,
    expect: String,
}

impl Case {
    /// Bodies of the replies.
    pub(super) fn reply_bodies(&self) -> impl Iterator<Item = &str> {
        self.replies.iter().map(|reply| reply.body.as_str())
    }

    pub(super) fn replies(&self) -> Replies {
        Replies::new(self.replies.clone()).and_then(|replies| replies.with_tables(self.tables.clone())).unwrap()
    }

    pub(super) fn request(&self) -> Request {
        let header = |name: &str| self.headers.get(name).cloned();
        let line = Request::parse(&self.request).unwrap_or_else(|| panic!("{}: no request line", self.name));
        Request {
            body: self.body.clone().into_bytes(),
            if_match: header("If-Match"),
            if_none_match: header("If-None-Match"),
            ..line
        }
    }
}

/// Every case file, in the order of the names.
pub(super) fn files() -> Vec<(PathBuf, File)> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "toml")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let file = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, file)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_transcript_is_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    let mut count = 0;
    for (path, file) in files() {
        let snapshot = snapshot(&file.config);
        let texts: Vec<String> = file
            .cases
            .iter()
            .map(|case| explain(&snapshot, &case.request(), case.replies()).text(Layout::Compact))
            .collect();
        count += texts.len();
        if bless {
            write(&path, &texts);
            continue;
        }
        for (case, text) in file.cases.iter().zip(&texts).filter(|(case, text)| case.expect != **text) {
            let name = path.file_name().unwrap_or_default().display();
            let _ = writeln!(differences, "{name}: {}\nexpected:\n{}\nfound:\n{text}", case.name, case.expect);
        }
    }
    assert!(differences.is_empty(), "{differences}(BLESS=1 writes what was found)");
    assert!(count >= 50, "only {count} cases were found");
}

/// Regular expressions, expressions, templates and native paths are compiled when a configuration is loaded.
#[test]
fn serving_compiles_nothing() {
    let mut cases = 0;
    for (path, file) in files() {
        let unloaded = compilations();
        let snapshot = snapshot(&file.config);
        let loaded = compilations();
        assert!(loaded > unloaded + 10, "{}: loading is counted", path.display());
        for case in &file.cases {
            explain(&snapshot, &case.request(), case.replies());
            assert_eq!(compilations(), loaded, "{}: {} compiles something", path.display(), case.name);
            cases += 1;
        }
    }
    assert!(cases >= 50, "only {cases} cases were found");
}

/// Replaces what stands between `expect = '''` and `'''` by what was found, and leaves the rest of the file alone.
fn write(path: &Path, texts: &[String]) {
    const OPEN: &str = "\nexpect = '''\n";
    const CLOSE: &str = "'''\n";
    let old = fs::read_to_string(path).unwrap();
    let mut parts = old.split(OPEN);
    let mut new = parts.next().unwrap_or_default().to_owned();
    let rest: Vec<&str> = parts.collect();
    assert_eq!(rest.len(), texts.len(), "{}: a case needs `expect = '''` on a line of its own", path.display());
    for (part, text) in rest.iter().zip(texts) {
        let after = part.find(CLOSE).map_or("", |close| &part[close + CLOSE.len()..]);
        let _ = write!(new, "{OPEN}{text}{CLOSE}{after}");
    }
    if new != old {
        fs::write(path, new).unwrap();
    }
}
