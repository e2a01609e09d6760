//! Native replies: no bytes panic, and the same bytes are the same reply, or the same fault, however they arrive.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use scimshim_fuzz::native;

fuzz_target!(|data: &[u8]| {
    let Some(([first, second, knobs], bytes)) = data.split_first_chunk() else {
        return;
    };
    let lengths = [usize::from(first % 64) + 1, usize::from(second % 64) + 1];
    let method = if knobs % 8 == 0 { Method::HEAD } else { Method::GET };
    native::check(bytes, &lengths, &method, usize::from(*knobs));
});
