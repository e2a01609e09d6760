//! Filters: no text panics, a parsed filter can be evaluated, and printing then parsing gives the same filter, with
//! nothing left to repair.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scimshim::scim::{Filter, FilterLimits};
use scimshim_fuzz::{USER, USER_TYPE, text};

fuzz_target!(|data: &[u8]| {
    let limits = FilterLimits::default();
    let Some(Ok(first)) = text(data).map(|text| Filter::parse(text, &USER_TYPE, &limits)) else {
        return;
    };
    let _ = first.filter.matches(&USER);

    let printed = first.filter.to_string();
    // Full names and escapes make the printed form longer, and brackets around what was repaired make it deeper.
    let roomy = FilterLimits { max_depth: 2 * limits.max_depth, max_length: 64 * limits.max_length, ..limits };
    let second = Filter::parse(&printed, &USER_TYPE, &roomy)
        .unwrap_or_else(|err| panic!("`{printed}` does not parse again: {err}"));
    assert_eq!(first.filter, second.filter, "{printed}");
    assert!(second.repairs.is_empty(), "`{printed}` needed {:?}", second.repairs);
});
