//! Files that compile, and what they compile to.

use super::{files, fine, root};

#[test]
fn the_root_file_compiles_without_warnings() {
    let snapshot = fine(&root());
    assert_eq!(snapshot.warnings, []);
}

#[test]
fn the_examples_compile() {
    for path in files("good") {
        let text = std::fs::read_to_string(&path).unwrap();
        let snapshot =
            super::compiled(&text).unwrap_or_else(|found| panic!("{}\n{}", path.display(), super::render(&found)));
        assert!(!snapshot.routes.is_empty());
    }
}
