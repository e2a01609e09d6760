//! How far the checks of a configuration bite: one letter is deleted from each word of an example in turn, and the
//! result must be refused. What slips through is named, with the reason: mostly names that only the application knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{compiled, files};

/// What a word is, by the key it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A key of the language, or the name of a table.
    Key,
    /// A path into a native document.
    NativePath,
    /// Method, path or query of a call.
    Call,
    /// Names and texts in bodies, headers and saved values.
    NativeName,
    /// An expression or template.
    Expression,
    /// A credential reference, a URL, a header name.
    Connection,
    /// Free text: details, reasons, descriptions.
    Text,
    /// Anything else that is a value.
    Value,
}

#[derive(Default)]
struct Tally {
    tried: usize,
    refused: usize,
    warned: usize,
    slipped: Vec<String>,
}

/// Examples for odd applications: most of their words are names, texts and operations that only the application knows.
const ODD: [&str; 4] = ["jsonrpc", "legacy", "redmine", "upsert"];

/// Every example in the repository.
fn examples() -> Vec<PathBuf> {
    let deployed = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(deployed)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("config.toml"))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.extend(files("good"));
    paths
}

/// Words of two letters and more outside comments, with what they are.
fn words(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let code = &line[..comment(line)];
        let mut start = None;
        for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
            let letter = c.is_ascii_alphanumeric() || c == '_';
            match (letter, start) {
                (true, None) => start = Some(at),
                (false, Some(begin)) => {
                    let word = &code[begin..at];
                    if word.len() > 1 && word.starts_with(|c: char| c.is_ascii_alphabetic()) {
                        found.push((offset + begin..offset + at, kind(code, begin, at)));
                    }
                    start = None;
                }
                _ => {}
            }
        }
        offset += line.len();
    }
    found
}

/// Where the comment of a line begins: at a `#` outside quotes.
fn comment(line: &str) -> usize {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    line.len()
}

fn kind(code: &str, begin: usize, end: usize) -> Kind {
    let before = &code[..begin];
    let quoted = before.matches('"').count() % 2 == 1 || (before.matches('\'').count() % 2 == 1);
    if !quoted {
        let key = code[end..].trim_start().starts_with(['=', '.', ']']);
        let braces = before
            .rsplit_once("body = {")
            .is_some_and(|(_, rest)| rest.matches('}').count() <= rest.matches('{').count());
        return match key {
            true if braces => Kind::NativeName,
            true => Kind::Key,
            false => Kind::Value,
        };
    }
    let key = before.rsplit_once('=').map_or("", |(head, _)| head.trim_end());
    let key = key.rsplit([' ', '{', ',', '.', '\'']).next().unwrap_or("").trim_matches('\'');
    match key {
        "native" | "items" | "item" | "total" | "wrap" | "next" | "value" | "display" | "version" => Kind::NativePath,
        "call" | "list" | "get" | "create" | "update" | "replace" | "delete" | "path" | "remove" | "add" => Kind::Call,
        "when" | "ok" | "read" | "write" | "expired" | "derive" | "gone" => Kind::Expression,
        "detail" | "lossy" | "description" => Kind::Text,
        "url" | "token" | "tokens" | "password" | "user" | "name" | "prefix" => Kind::Connection,
        "kind" | "style" | "access" | "policy" | "codec" | "extends" | "omit" | "auth" | "backend" | "of" => {
            Kind::Value
        }
        _ if code[..begin].trim_start().starts_with('[') => Kind::Key,
        _ => Kind::NativeName,
    }
}

/// A word without its middle letter.
fn mutated(text: &str, word: &Range<usize>) -> String {
    let middle = word.start + word.len() / 2;
    format!("{}{}", &text[..middle], &text[middle + 1..])
}

#[test]
fn most_one_letter_mistakes_are_refused() {
    let mut tallies: BTreeMap<Kind, Tally> = BTreeMap::new();
    let mut by_file = String::new();
    let (mut tried, mut refused) = (0, 0);
    let mut usual = (0, 0);
    for path in examples() {
        let text = std::fs::read_to_string(&path).unwrap();
        let before = compiled(&text).unwrap().warnings.len();
        let (mut of_file, mut refused_here) = (0, 0);
        for (word, kind) in words(&text) {
            let tally = tallies.entry(kind).or_default();
            tally.tried += 1;
            of_file += 1;
            match compiled(&mutated(&text, &word)) {
                Err(_) => {
                    tally.refused += 1;
                    refused_here += 1;
                }
                Ok(snapshot) if snapshot.warnings.len() > before => tally.warned += 1,
                Ok(_) => {
                    let line = text[..word.start].matches('\n').count() + 1;
                    tally.slipped.push(format!("{}:{line} {}", name(&path), &text[word]));
                }
            }
        }
        tried += of_file;
        refused += refused_here;
        if !ODD.contains(&name(&path).as_str()) {
            usual = (usual.0 + of_file, usual.1 + refused_here);
        }
        let _ = writeln!(by_file, "{:<40} {refused_here:>4} of {of_file:<4}", name(&path));
    }
    let mut table = format!("{by_file}\n{:<12} {:>6} {:>8} {:>7} {:>8}\n", "", "tried", "refused", "warned", "slipped");
    for (kind, tally) in &tallies {
        let Tally { tried, refused, warned, slipped } = tally;
        let _ = writeln!(table, "{kind:<12?} {tried:>6} {refused:>8} {warned:>7} {:>8}", slipped.len());
    }
    println!("{table}");
    if std::env::var_os("MUTATIONS").is_some() {
        for (kind, tally) in &tallies {
            println!("{kind:?}: {}", tally.slipped.join(", "));
        }
    }
    assert!(tried >= 1000, "{tried} mutations are too few to say anything");
    // What slips is names that only the application knows; an example that says everything in bodies is full of them.
    // A name that the file spells otherwise elsewhere is a warning, with which `check --strict` fails.
    let strictly = refused + tallies.values().map(|tally| tally.warned).sum::<usize>();
    println!(
        "{refused} of {tried} refused: {} %; by --strict {strictly}: {} %",
        refused * 100 / tried,
        strictly * 100 / tried
    );
    assert!(strictly * 100 / tried >= 75, "{strictly} of {tried} refused\n{table}");
    assert!(refused * 100 / tried >= 70, "{refused} of {tried} refused without --strict\n{table}");
    let (of_usual, refused_of_usual) = usual;
    println!("{refused_of_usual} of {of_usual} refused for ordinary applications");
    assert!(refused_of_usual * 100 / of_usual >= 72, "{refused_of_usual} of {of_usual} refused\n{table}");
    // What the program knows itself does not slip, however many such names there are beside it.
    let known = [Kind::Key, Kind::Expression, Kind::Value].map(|kind| &tallies[&kind]);
    let (tried, refused) = known.iter().fold((0, 0), |sum, one| (sum.0 + one.tried, sum.1 + one.refused));
    assert!(refused * 100 / tried >= 95, "{refused} of {tried} refused\n{table}");
}

/// The folder of an example, or the file where it has none of its own.
fn name(path: &Path) -> String {
    let file = path.file_name().unwrap().to_string_lossy();
    match path.parent().and_then(Path::file_name) {
        Some(folder) if file == "config.toml" => folder.to_string_lossy().into_owned(),
        _ => file.into_owned(),
    }
}
