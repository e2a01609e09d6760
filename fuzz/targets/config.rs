//! Configurations: no text panics or hangs, every finding can be shown, and the same text gives the same findings.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use scimshim::config::{Source, compile, render};
use scimshim_fuzz::text;

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else {
        return;
    };
    let read = || match compile(Source { name: Arc::from("config.toml"), text: text.to_owned() }) {
        Ok(snapshot) => (snapshot.hash, render(&snapshot.warnings)),
        Err(findings) => (String::new(), render(&findings)),
    };
    assert_eq!(read(), read());
});
