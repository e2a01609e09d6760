//! The cases beside every example. In: `config.toml` and `config.cases.toml` of each folder below `deploy/examples`.
//! Out: what differs from what the cases expect. They run as `scimshim test` runs them, and nothing is sent.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scimshim::cases::{Case, parse};
use scimshim::config::reload::fetch_text;
use scimshim::config::{Snapshot, Source, compile_with, render};

/// A whole transcript shows what a list of calls does not: repairs, notes, and the lines of the configuration.
const TRANSCRIPTS_MIN: usize = 3;

/// Files with examples in them, in the order of their names.
fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path().join("config.toml")).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

fn snapshot(config: &Path) -> Arc<Snapshot> {
    let source = Source { name: "config.toml".into(), text: std::fs::read_to_string(config).unwrap() };
    let compiled = compile_with(source, &fetch_text);
    Arc::new(compiled.unwrap_or_else(|findings| panic!("{}: {}", config.display(), render(&findings))))
}

/// What is wrong with one example, a paragraph each.
fn wrong(config: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(config.with_extension("cases.toml")) else {
        return vec!["there is no config.cases.toml beside it".to_owned()];
    };
    let cases = match parse(&text) {
        Ok(cases) => cases,
        Err(error) => return vec![error.to_string()],
    };
    let snapshot = snapshot(config);
    let mut wrong: Vec<String> = cases.iter().filter_map(|case| differing(case, &snapshot)).collect();
    let transcripts = cases.iter().filter(|case| case.expected.explain.is_some()).count();
    if transcripts < TRANSCRIPTS_MIN {
        wrong.push(format!("{transcripts} cases have `explain`, and at least {TRANSCRIPTS_MIN} should"));
    }
    wrong
}

/// A transcript that was accepted may still say that a reply is missing or left over; an example should not.
fn differing(case: &Case, snapshot: &Arc<Snapshot>) -> Option<String> {
    let mut differences = case.run(snapshot).differences;
    for line in case.expected.explain.iter().flat_map(|text| text.lines()) {
        if line.starts_with("unused ") || line.starts_with("stopped ") {
            differences.push(format!("its transcript has the line\n  {line}"));
        }
    }
    (!differences.is_empty()).then(|| format!("{}\n{}", case.name, differences.join("\n")))
}

#[test]
fn every_example_does_what_its_cases_say() {
    let configs = configs();
    assert!(configs.len() >= 5, "{configs:?}");
    let mut report = String::new();
    for config in &configs {
        for paragraph in wrong(config) {
            writeln!(report, "{}: {paragraph}\n", config.display()).unwrap();
        }
    }
    assert!(report.is_empty(), "after a change that is meant, run `scimshim test --update`\n{report}");
}
