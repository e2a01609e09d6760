//! Request heads: no bytes panic; the same bytes are the same head, or refused, however they arrive; and what passes
//! means the same to a parser of somebody else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scimshim_fuzz::downstream;

fuzz_target!(|data: &[u8]| {
    let Some(([first, second, knobs], bytes)) = data.split_first_chunk() else {
        return;
    };
    let lengths = [usize::from(first % 64) + 1, usize::from(second % 64) + 1];
    downstream::check(bytes, &lengths, usize::from(*knobs) * 16 + 16);
});
