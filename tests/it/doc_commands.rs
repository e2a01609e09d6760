//! Commands in the documentation: they can be typed as they stand, and those of the first pages do what the page says.
//!
//! Every block of `sh` in a page goes through a shell in which nothing but the shell itself is there, and the arguments
//! of `scimshim` and `cargo xtask` are held to what these take. In [`PAGES`] the word behind `sh` says more: `serve`
//! starts what goes on running, `run` is carried out, and a block of `json part` or `text part` behind it is what it
//! prints, at least. A block of `toml file` becomes `config.toml`. Ports are those that are free.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::Parser as _;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use scimshim::cli::Cli;
use scimshim::demo::client::Client;
use serde_json::Value;

use crate::proxy_binary::output;

/// The page of all metrics.
const METRICS: &str = include_str!("../../docs/metrics.md");

/// The pages that are carried out from top to bottom.
const PAGES: [&str; 2] = ["README.md", "docs/quick-start.md"];

/// A fenced block: where it begins, what stands behind the fence, its text.
struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in page.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push(Block { line: index + 1, info: info.to_owned(), text: String::new() });
            }
        } else if let Some(block) = found.last_mut().filter(|_| open) {
            writeln!(block.text, "{line}").unwrap();
        }
    }
    assert!(!open, "a block is not closed");
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages of the repository, without what is built.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.join("CACHEDIR.TAG").exists() && !path.ends_with(".git") {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Functions in place of programs. Each writes its words, NUL behind each and one more behind the last. Nothing else is
/// found, and what is named by a path is skipped.
const STUBS: &str = r#"
PATH=
shopt -s extdebug
trap '[[ ${BASH_COMMAND%% *} != */* ]]' DEBUG
called() { printf '%s\0' "$@" >> "$CALLS"; printf '\0' >> "$CALLS"; }
scimshim() { called scimshim "$@"; }
cargo() { called cargo "$@"; }
curl() { called curl "$@"; }
command_not_found_handle() { :; }
"#;

/// The calls that a script makes, as words.
fn calls(script: &str, folder: &Path) -> Vec<Vec<String>> {
    let file = folder.join("calls");
    let _ = fs::remove_file(&file);
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("{STUBS}\n{script}")]).env("CALLS", &file).current_dir(folder).stdin(Stdio::null());
    let said = String::from_utf8(bash.output().unwrap().stderr).unwrap();
    assert!(!said.contains("syntax error") && !said.contains("unexpected EOF"), "{script}\n{said}");
    let text = fs::read_to_string(&file).unwrap_or_default();
    text.split_terminator("\0\0").map(|call| call.split('\0').map(str::to_owned).collect()).collect()
}

#[test]
fn every_command_of_every_page_can_be_typed() {
    let mut all = Vec::new();
    pages(root(), &mut all);
    let verbs = include_str!("../../xtask/src/main.rs");
    let (mut programs, mut tasks) = (0, 0);
    for page in all {
        let text = fs::read_to_string(&page).unwrap();
        for block in blocks(&text).iter().filter(|block| block.info.split(' ').next() == Some("sh")) {
            let folder = tempfile::tempdir().unwrap();
            for words in calls(&block.text, folder.path()) {
                let place = format!("{}:{}: {}", page.display(), block.line, words.join(" "));
                match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["scimshim", ..] => {
                        programs += 1;
                        let parsed = Cli::try_parse_from(&words).map(drop);
                        assert!(parsed.is_ok(), "{place}\n{}", parsed.unwrap_err());
                    }
                    ["cargo", "xtask", verb, ..] => {
                        tasks += 1;
                        assert!(verbs.contains(&format!("name: \"{verb}\"")), "{place}: no such verb");
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(programs > 30 && tasks > 0, "{programs} and {tasks} are too few to be all");
}

#[test]
fn every_metric_that_a_page_names_is_there() {
    let mut all = Vec::new();
    pages(root(), &mut all);
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut seen = 0;
    for page in all.iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(page).unwrap();
        for (at, _) in text.match_indices("scimshim_") {
            let name = text[at..].split(|c| !is_part(c)).next().unwrap();
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            // What ends in `_` is a prefix.
            let known = name.ends_with('_') || METRICS.contains(&format!("### {name}\n"));
            assert!(known, "{}: there is no metric {name}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_mapping_of_the_first_page_can_be_used() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let found: Vec<Block> = blocks(&text).into_iter().filter(|block| block.info == "toml").collect();
    assert_eq!(found.len(), 1);
    let (output, said) = output("check", &found[0].text);
    assert!(output.status.success() && said.trim_end().ends_with("config.toml: ok"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pages_do_what_they_say() {
    for name in PAGES {
        Session::new(name).play().await;
    }
}

/// A reader who types everything on a page.
struct Session {
    page: &'static str,
    folder: tempfile::TempDir,
    client: Client,
    /// What the page says, and where it is in truth.
    addresses: Vec<(String, String)>,
    serving: Vec<Serving>,
    /// What the last command printed.
    printed: String,
}

/// A program that serves, and what it has still to say.
struct Serving {
    child: Child,
    _lines: BufReader<ChildStdout>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // With everything that the shell has started.
        let kill = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.child.wait();
    }
}

impl Session {
    fn new(page: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(root().join("config.toml"), folder.path().join("config.toml")).unwrap();
        let client = Client::new().unwrap();
        Self { page, folder, client, addresses: Vec::new(), serving: Vec::new(), printed: String::new() }
    }

    async fn play(mut self) {
        let text = fs::read_to_string(root().join(self.page)).unwrap();
        let mut ran = 0;
        for block in blocks(&text) {
            let place = format!("{}:{}", self.page, block.line);
            match block.info.as_str() {
                "toml file" => {
                    let text = self.real(&block.text).replace("127.0.0.1:8080", ANY).replace("127.0.0.1:9090", ANY);
                    fs::write(self.folder.path().join("config.toml"), text).unwrap();
                }
                "sh serve" => self.serve(&block.text, &place),
                "sh run" => {
                    ran += 1;
                    self.printed = self.run(&block.text, &place).await;
                }
                "json part" => {
                    let (expected, found): (Value, Value) =
                        (parsed(&block.text, &place), parsed(&self.printed, &place));
                    assert!(holds(&found, &expected), "{place}: this is not in\n{}", self.printed);
                }
                "text part" => {
                    let mut lines = self.printed.lines();
                    for expected in block.text.lines() {
                        let found = lines.any(|line| line.starts_with(expected));
                        assert!(found, "{place}: `{expected}` is not in\n{}", self.printed);
                    }
                }
                _ => {}
            }
        }
        assert!(ran > 0, "{}: nothing was run", self.page);
    }

    /// The text with addresses as they are.
    fn real(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (said, real)| text.replace(said, real))
    }

    fn serve(&mut self, script: &str, place: &str) {
        let said = script.split(' ').find(|word| word.starts_with("127.0.0.1:")).unwrap_or_default().to_owned();
        let mut script = script.replace("cargo xtask demo", "scimshim demo");
        if !said.is_empty() {
            script = script.replace(&said, ANY);
        }
        let mut child = self.shell(&script).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("READY ") && !line.contains("\"msg\":\"listening\"") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "{place}: it ended");
        }
        let address = |after: &str| {
            let rest = line.split_once(after).unwrap_or_else(|| panic!("{place}: no {after} in {line}")).1;
            rest.split(['"', '/', ' ']).next().unwrap().to_owned()
        };
        if line.contains("READY ") {
            self.addresses.push((said, address("url=http://")));
        } else {
            self.addresses.push(("127.0.0.1:8080".into(), address("\"data\":\"")));
            self.addresses.push(("127.0.0.1:9090".into(), address("\"admin\":\"")));
        }
        self.serving.push(Serving { child, _lines: lines });
    }

    /// A shell that finds this build of the program.
    fn shell(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_scimshim"));
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-eu", "-c", script]).env("PATH", path).env_remove("SCIMSHIM_LOG");
        bash.current_dir(self.folder.path()).stdin(Stdio::null());
        bash
    }

    /// What a block prints: its one `curl` is carried out here, because not every machine has that.
    async fn run(&self, script: &str, place: &str) -> String {
        let script = self.real(script);
        if script.starts_with("curl ") {
            let calls = calls(&script, self.folder.path());
            assert_eq!(calls.len(), 1, "{place}");
            return self.fetch(&calls[0][1..], place).await;
        }
        let output = self.shell(&script).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{place}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    async fn fetch(&self, arguments: &[String], place: &str) -> String {
        let (mut method, mut url, mut body, mut query) = (None, None, None, None);
        let mut headers = HeaderMap::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{place}: {word} of what?")).clone();
            match word.as_str() {
                "-s" | "-G" => {}
                "-X" => method = Some(value()),
                "-d" => body = Some(value()),
                "--data-urlencode" => query = Some(value()),
                "-H" => {
                    let header = value();
                    let (name, value) = header.split_once(": ").unwrap();
                    headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
                }
                _ if word.starts_with("http://") => url = Some(word.clone()),
                _ => panic!("{place}: this test does not know `{word}`"),
            }
        }
        assert_eq!(query.is_some(), arguments.iter().any(|word| word == "-G"), "{place}: -G and --data-urlencode");
        let query = query.map(|query| {
            let (name, value) = query.split_once('=').unwrap();
            format!("?{name}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
        });
        let url = url.unwrap_or_else(|| panic!("{place}: no URL")) + &query.unwrap_or_default();
        let method = method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
        let answer = self.client.send(&method, &url, headers, body.unwrap_or_default().into()).await.unwrap();
        let said = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(answer.status < 300, "{place}: {} {said}", answer.status);
        said
    }
}

const ANY: &str = "127.0.0.1:0";

fn parsed(text: &str, place: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}\n{text}"))
}

/// Whether everything that is expected is there; objects may hold more.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| holds(found, expected))
        }
        (found, expected) => found == expected,
    }
}

#[test]
fn what_is_said_in_part_is_there() {
    let holds = |found: &str, expected: &str| holds(&parsed(found, ""), &parsed(expected, ""));
    assert!(holds(r#"{"a": {"b": 1, "c": 2}, "d": [{"e": 3, "f": 4}]}"#, r#"{"a": {"b": 1}, "d": [{"e": 3}]}"#));
    assert!(!holds(r#"{"a": {"b": 1}}"#, r#"{"a": {"b": 2}}"#));
    assert!(!holds(r#"{"a": [1]}"#, r#"{"a": []}"#));
    assert!(!holds(r#"{"a": 1}"#, r#"{"b": null}"#));
}
