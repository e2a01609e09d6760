//! House rules that no linter knows.
//!
//! In: the text of the files of this checkout. Out: one finding a line, each with its place and the reason for the
//! rule. The rules are data, [`RULES`], and each carries an example that must be found, so that a rule which has gone
//! blind fails too. It reads text and no syntax tree: what it sees is what a reader sees.

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use self::text::{Function, code_only, functions, without_tests};

/// The hard limits; most files and functions are far below them.
const FILE_MAX_LINES: usize = 600;
const FUNCTION_MAX_LINES: usize = 80;

/// The modules that may do IO. Everything else under `src` is core.
const SHELL: &[&str] = &[
    "adapter",
    "cases/cli",
    "cli",
    "config/reload",
    "demo",
    "explain/cli",
    "main",
    "native",
    "online",
    "proxy",
    "server",
    "telemetry",
];

/// What the core may not name. Addresses and points in time are values and welcome; opening the ones and asking for
/// the current one of the others is not.
const SHELL_PATHS: &[&str] = &[
    "arc_swap",
    "async_trait",
    "clap",
    "crate::adapter",
    "crate::cli",
    "crate::config::reload",
    "crate::demo",
    "crate::native",
    "crate::proxy",
    "crate::server",
    "crate::telemetry",
    "futures_util",
    "hyper",
    "hyper_util",
    "notify",
    "pingora",
    "prometheus",
    "rustls",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "TcpListener",
    "TcpStream",
    "Timestamp::now",
    "ToSocketAddrs",
    "UdpSocket",
    "UnixListener",
    "UnixStream",
    "Zoned::now",
    "tokio",
];

/// Findings that are known and accepted: rule, path, what was found. It may shrink, and an entry that no longer
/// matches anything is itself a finding.
const ACCEPTED: &[(&str, &str, &str)] = &[];

/// One rule: which files it looks at, what it finds in one, and an example that it must find.
struct Rule {
    name: &'static str,
    why: &'static str,
    applies: fn(path: &str) -> bool,
    find: fn(&Source) -> Vec<Finding>,
    example: (&'static str, &'static str),
}

const RULES: &[Rule] = &[
    Rule {
        name: "module docs",
        why: "a file opens with `//!`: what comes in, what goes out, what it does not do",
        applies: is_rust,
        find: missing_module_docs,
        example: ("src/scim/etag.rs", "// Entity tags.\nuse std::fmt;\n"),
    },
    Rule {
        name: "core stays pure",
        why: "the core takes time, files and sockets as arguments; the shell supplies them",
        applies: is_core,
        find: shell_in_core,
        example: ("src/plan/mod.rs", "//! Plans.\nlet due = Instant::now() + wait;\n"),
    },
    Rule {
        name: "no leftovers",
        why: "unfinished or switched-off code is not merged",
        applies: is_rust,
        find: leftovers,
        example: ("tests/it/users.rs", "//! Users.\n#[test]\n#[ignore = \"slow\"]\nfn slow() {}\n"),
    },
    Rule {
        name: "file length",
        why: "a file over the limit holds more than one subject",
        applies: is_rust,
        find: long_file,
        example: ("src/scim/long.rs", LONG),
    },
    Rule {
        name: "function length",
        why: "a function over the limit is several",
        applies: is_rust,
        find: long_functions,
        example: ("src/scim/long.rs", LONG),
    },
    Rule {
        name: "no machine paths",
        why: "a path of one machine means nothing on another",
        applies: |path| !path.ends_with("tests/it/tidy.rs"),
        find: machine_paths,
        example: ("docs/install.md", "Unpack it in /home/alice/scimshim.\n"),
    },
];

/// Long enough for both limits: a function that holds this file three times.
const LONG: &str = concat!(
    "//! Long.\nfn long() {\n",
    include_str!("tidy.rs"),
    include_str!("tidy.rs"),
    include_str!("tidy.rs"),
    "}\n"
);

#[test]
fn house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &mut files);
    let sources: Vec<Source> = files.iter().filter_map(|file| Source::read(root, file)).collect();
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the sources were not found");

    let mut report = Vec::new();
    let mut accepted = vec![false; ACCEPTED.len()];
    for rule in RULES {
        for source in sources.iter().filter(|source| (rule.applies)(&source.path)) {
            for Finding { line, what } in (rule.find)(source) {
                let entry = (rule.name, source.path.as_str(), what.as_str());
                match ACCEPTED.iter().position(|known| *known == entry) {
                    Some(at) => accepted[at] = true,
                    None => report.push(format!("{}:{line}: {}: {what} ({})", source.path, rule.name, rule.why)),
                }
            }
        }
    }
    let stale = ACCEPTED.iter().zip(accepted).filter(|(_, seen)| !seen);
    report.extend(stale.map(|(entry, _)| format!("accepted, but gone: {entry:?}")));
    assert!(report.is_empty(), "{} findings\n{}", report.len(), report.join("\n"));
}

#[test]
fn every_rule_finds_its_example() {
    for rule in RULES {
        let (path, text) = rule.example;
        assert!((rule.applies)(path), "{} does not look at {path}", rule.name);
        assert!(!(rule.find)(&Source::new(path, text)).is_empty(), "{} is blind", rule.name);
    }
}

/// A file, by its path from the root with `/` between the parts.
struct Source {
    path: String,
    text: String,
    /// The same text with comments and the contents of literals blanked out, line by line in place.
    code: String,
}

/// One thing found; the line counts from 1.
struct Finding {
    line: usize,
    what: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = if is_rust(path) { code_only(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// Nothing for what is not text.
    fn read(root: &Path, file: &Path) -> Option<Self> {
        let path = file.strip_prefix(root).ok()?.to_str()?;
        Some(Self::new(path, &fs::read_to_string(file).ok()?))
    }
}

/// All files below a folder, except what is built, fetched or kept by other tools.
pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if !path.is_dir() {
            files.push(path);
        } else if !(path.join("CACHEDIR.TAG").exists() || name == ".git" || name == "node_modules" || name == "target")
        {
            collect(&path, files);
        }
    }
}

fn has_extension(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == wanted)
}

fn is_rust(path: &str) -> bool {
    has_extension(path, "rs")
}

fn is_core(path: &str) -> bool {
    let Some(module) = path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")) else {
        return false;
    };
    let is_shell = SHELL.iter().any(|shell| {
        let rest = module.strip_prefix(shell);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    // Unit tests may read their cases from files.
    !is_shell && !module.ends_with("/tests") && !module.contains("/tests/")
}

fn missing_module_docs(source: &Source) -> Vec<Finding> {
    if source.text.starts_with("//!") {
        return Vec::new();
    }
    vec![Finding { line: 1, what: "does not open with `//!`".into() }]
}

fn shell_in_core(source: &Source) -> Vec<Finding> {
    words(without_tests(&source.code), SHELL_PATHS)
}

fn leftovers(source: &Source) -> Vec<Finding> {
    words(&source.code, &["dbg!", "todo!", "unimplemented!", "#[ignore"])
}

/// The lines that name one of the words, as a whole word.
fn words(code: &str, wanted: &[&str]) -> Vec<Finding> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for word in wanted {
            let whole = line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + word.len()..].chars().next();
                !(before.is_some_and(is_part) || word.ends_with(is_part) && after.is_some_and(is_part))
            });
            if whole {
                found.push(Finding { line: index + 1, what: format!("`{word}`") });
            }
        }
    }
    found
}

fn long_file(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    if lines <= FILE_MAX_LINES {
        return Vec::new();
    }
    vec![Finding { line: 1, what: format!("{lines} lines, at most {FILE_MAX_LINES}") }]
}

fn long_functions(source: &Source) -> Vec<Finding> {
    functions(&source.code)
        .filter(|function| function.lines > FUNCTION_MAX_LINES)
        .map(|Function { name, line, lines }| Finding {
            line,
            what: format!("`{name}` has {lines} lines, at most {FUNCTION_MAX_LINES}"),
        })
        .collect()
}

fn machine_paths(source: &Source) -> Vec<Finding> {
    // The checkout this was built in is such a path too, unless it is at the top of the file system.
    let checkout = env!("CARGO_MANIFEST_DIR");
    let checkout = (checkout.matches('/').count() > 1).then_some(checkout);
    let scratch = is_rust(&source.path).then_some("/tmp/");
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let paths = ["/home/", "/root/"].into_iter().chain(checkout).chain(scratch);
        found.extend(
            paths.filter(|path| line.contains(path)).map(|path| Finding { line: index + 1, what: format!("`{path}`") }),
        );
    }
    found
}

#[test]
fn core_and_shell_are_told_apart() {
    for core in ["src/lib.rs", "src/scim/mod.rs", "src/config/raw.rs", "src/proxying.rs", "src/config/reloading.rs"] {
        assert!(is_core(core), "{core}");
    }
    for shell in ["src/main.rs", "src/proxy/mod.rs", "src/cli.rs", "src/config/reload.rs", "xtask/src/main.rs"] {
        assert!(!is_core(shell), "{shell}");
    }
}

#[test]
fn words_are_whole_and_code_only() {
    let found = |text| leftovers(&Source::new("src/x.rs", text)).len();
    assert_eq!(found("let a = dbg!(b);"), 1);
    assert_eq!(found("// dbg!(b)\nlet a = \"todo!\";"), 0);
    let impure = |text| shell_in_core(&Source::new("src/x.rs", text)).len();
    assert_eq!(impure("use std::fs;"), 1);
    assert_eq!(impure("use std::fs::File;\nuse tokio::sync::Notify;"), 2);
    assert_eq!(impure("enum Key { Instant(u8) } fn hyperbole() {}"), 0);
}
