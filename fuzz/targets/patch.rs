//! PATCH bodies: no body panics, what is refused is the client's fault, and what is accepted changes only the
//! attributes that its operations touch.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scimshim::dialect::{self, PatchLimits, Repairs};
use scimshim::scim::FilterLimits;
use scimshim::scim::patch::{apply, touched};
use scimshim_fuzz::{USER, USER_TYPE, text};

fuzz_target!(|data: &[u8]| {
    let Some(Ok(body)) = text(data).map(serde_json::from_str) else {
        return;
    };
    let limits = PatchLimits { max_operations: 50, max_values: 200, filter: FilterLimits::default() };
    let normalised = match dialect::patch(&USER_TYPE, body, &limits, Some("42"), &mut Repairs::default()) {
        Ok(normalised) => normalised,
        Err(error) => return assert!((400..500).contains(&error.status), "{error:?}"),
    };
    let changed = match apply(&USER_TYPE, USER.clone(), &normalised.ops) {
        Ok(changed) => changed,
        Err(error) => return assert!((400..500).contains(&error.status), "{error:?}"),
    };
    let touched = touched(&normalised.ops);
    let may_change = |key: &str| {
        touched.iter().any(|path| path.extension.as_deref().unwrap_or(&path.attribute).eq_ignore_ascii_case(key))
    };
    for key in USER.0.keys().chain(changed.0.keys()).filter(|key| !may_change(key)) {
        assert_eq!(USER.0.get(key), changed.0.get(key), "{key} is not touched by {:?}", normalised.ops);
    }
});
