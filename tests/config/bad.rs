//! Files with mistakes, and what is said about them. `BLESS=1` rewrites the expectations.

use super::{compiled, files, render};

/// Every `bad/<name>.toml` has its diagnostics beside it as `bad/<name>.stderr`.
#[test]
fn diagnostics_are_as_written_down() {
    let mut wrong = Vec::new();
    for path in files("bad") {
        let text = std::fs::read_to_string(&path).unwrap();
        let found = match compiled(&text) {
            Ok(snapshot) => snapshot.warnings,
            Err(found) => found,
        };
        assert!(!found.is_empty(), "{} has nothing wrong with it", path.display());
        let shown = render(&found);
        let expected = path.with_extension("stderr");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &shown).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

/// The codes in order, without the words.
#[test]
fn ten_different_mistakes_are_found_in_one_pass() {
    let text = std::fs::read_to_string(super::folder("bad").join("ten.toml")).unwrap();
    let found = compiled(&text).expect_err("ten mistakes");
    let mut codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes.len(), 10, "{}", render(&found));
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 10, "all of them different");
    assert!(found.windows(2).all(|pair| pair[0].line <= pair[1].line), "in file order");
}

#[test]
fn a_secret_in_the_file_is_never_shown() {
    let base = super::root();
    for (from, to) in [
        ("\"env:ACME_KEY\"", "\"hunter2-hunter2\""),
        ("\"env:SCIM_TOKEN\"", "\"hunter2-hunter2\""),
        ("\"env:ACME_KEY\"", "\"plain:hunter2-hunter2\""),
    ] {
        let text = base.replace(from, to);
        let found = match compiled(&text) {
            Ok(snapshot) => snapshot.warnings,
            Err(found) => found,
        };
        assert!(!found.is_empty());
        assert!(!render(&found).contains("hunter2"), "{}", render(&found));
    }
}

/// A code that no file shows would have nothing to keep its words and its place right.
#[test]
fn every_code_is_shown_by_some_file() {
    let mut shown = String::new();
    for path in files("bad") {
        shown.push_str(&std::fs::read_to_string(path.with_extension("stderr")).unwrap_or_default());
    }
    let missing: Vec<&str> = scimshim::config::CODES
        .iter()
        .map(|(code, _)| *code)
        .filter(|code| !shown.contains(&format!("[{code}]")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The catalogue and the code name the same codes.
#[test]
fn every_code_is_in_the_catalogue() {
    let mut used = std::collections::BTreeSet::new();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("codes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').filter(|word| word.len() == 4 && word.starts_with(['E', 'W']));
                used.extend(quoted.filter(|word| word[1..].parse::<u16>().is_ok()).map(str::to_owned));
            }
        }
    }
    let known: std::collections::BTreeSet<String> =
        scimshim::config::CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(used, known);
}
