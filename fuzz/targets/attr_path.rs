//! Attribute paths: no text panics, and the canonical form of a path names the same attribute.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scimshim_fuzz::{USER_TYPE, text};

fuzz_target!(|data: &[u8]| {
    let Some(Ok(first)) = text(data).map(|text| USER_TYPE.resolve_attribute(text)) else {
        return;
    };
    let printed = first.path.to_string();
    match USER_TYPE.resolve_attribute(&printed) {
        Ok(second) => assert_eq!(first, second, "{printed}"),
        Err(err) => panic!("`{printed}` names nothing: {err}"),
    }
});
