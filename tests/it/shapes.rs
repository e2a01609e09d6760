//! `docs/shapes.md`: every shape of a native API that it lists can be said, is checked, and does what its cases say.
//!
//! A shape is laid over the file at the top of the page and loaded without a warning; the cases below it are run with
//! their canned replies. A block that is marked with a code is refused with that code, and no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use scimshim::cases;
use scimshim::config::{Diagnostic, Snapshot, Source, compile, render};
use toml::Table;

use crate::doc_blocks::{Block, blocks, lay_over};

const PAGE: &str = include_str!("../../docs/shapes.md");

fn parsed(block: &Block) -> Table {
    block.text.parse().unwrap_or_else(|error| panic!("docs/shapes.md:{}: {error}", block.line))
}

/// The file at the top of the page with a block laid over it; a block may bring its own routes.
fn file(base: &Table, block: &Block) -> String {
    let mut file = base.clone();
    let over = parsed(block);
    if over.contains_key("route") {
        file.remove("route");
    }
    lay_over(&mut file, over);
    toml::to_string(&file).unwrap()
}

fn load(text: String) -> Result<Snapshot, Vec<Diagnostic>> {
    compile(Source { name: Arc::from("config.toml"), text })
}

fn base() -> Table {
    let blocks = blocks(PAGE);
    let mut bases = blocks.iter().filter(|block| block.kind == "base");
    let base = parsed(bases.next().unwrap());
    assert!(bases.next().is_none(), "one file stands at the top");
    base
}

#[test]
fn every_shape_does_what_its_cases_say() {
    let base = base();
    let mut snapshot: Option<(usize, Arc<Snapshot>)> = None;
    let mut ran_of_this = 0;
    let (mut shapes, mut wrong) = (0, Vec::new());
    for block in blocks(PAGE) {
        match block.kind {
            "shape" => {
                if let Some((line, _)) = &snapshot {
                    assert!(ran_of_this > 0, "docs/shapes.md:{line}: no case");
                }
                let loaded = load(file(&base, &block))
                    .unwrap_or_else(|found| panic!("docs/shapes.md:{}\n{}", block.line, render(&found)));
                assert!(loaded.warnings.is_empty(), "docs/shapes.md:{}\n{}", block.line, render(&loaded.warnings));
                snapshot = Some((block.line, Arc::new(loaded)));
                shapes += 1;
                ran_of_this = 0;
            }
            "case" => {
                let (_, snapshot) = snapshot.as_ref().expect("cases stand below a shape");
                for case in cases::parse(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.line)) {
                    assert!(!case.expected.is_empty(), "{}", case.name);
                    let differences = case.run(snapshot).differences;
                    if !differences.is_empty() {
                        wrong.push(format!("docs/shapes.md:{} {}\n{}", block.line, case.name, differences.join("\n")));
                    }
                    ran_of_this += 1;
                }
            }
            kind => assert!(kind == "base" || kind.starts_with("wrong "), "docs/shapes.md:{}: {kind:?}", block.line),
        }
    }
    assert!(shapes > 50 && ran_of_this > 0, "{shapes}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_mistake_is_found_and_nothing_else() {
    let base = base();
    let mut mistakes = 0;
    for block in blocks(PAGE) {
        let Some(code) = block.kind.strip_prefix("wrong ") else { continue };
        let found = load(file(&base, &block)).map_or_else(|found| found, |loaded| loaded.warnings);
        let codes: BTreeSet<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, BTreeSet::from([code]), "docs/shapes.md:{}\n{}", block.line, render(&found));
        mistakes += 1;
    }
    assert!(mistakes > 1, "{mistakes}");
}
