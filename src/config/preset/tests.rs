//! Every preset serves what its framework really answers: `tests/presets/<name>.toml` holds a configuration, requests
//! and replies, `<name>.txt` the transcripts. `BLESS=1` rewrites the latter.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::PRESETS;
use crate::config::fixture::AROUND;
use crate::config::{Source, compile, render};
use crate::explain::{Layout, Replies, Request, explain};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    config: String,
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    request: String,
    #[serde(default)]
    body: String,
    replies: String,
}

fn transcript(path: &Path) -> String {
    let case: Case = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = format!("version = 1\n{}\n{AROUND}", case.config);
    let snapshot = compile(Source { name: Arc::from("config.toml"), text });
    let snapshot = Arc::new(snapshot.unwrap_or_else(|findings| panic!("{}\n{}", path.display(), render(&findings))));
    assert_eq!(render(&snapshot.warnings), "", "{}", path.display());
    let mut shown = String::new();
    for step in case.step {
        let request = Request::parse(&step.request).unwrap();
        let request = Request { body: step.body.into_bytes(), ..request };
        let replies = Replies::parse(&step.replies).unwrap();
        shown.push_str(&explain(&snapshot, &request, replies).text(Layout::Pretty));
        shown.push('\n');
    }
    shown
}

#[test]
fn every_preset_serves_its_framework() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/presets");
    let mut wrong = Vec::new();
    for (name, _) in PRESETS {
        let name = name.trim_start_matches("preset:");
        let shown = transcript(&folder.join(format!("{name}.toml")));
        let expected = folder.join(format!("{name}.txt"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &shown).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}
