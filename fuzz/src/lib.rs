//! What the fuzz targets share: from the fuzzer's bytes to the arguments of a parser.
//!
//! In: bytes as libFuzzer mutates them. Out: text within the bound the servers enforce before they parse. It asserts
//! nothing: every target states its own property.

/// The longest text a target looks at, in bytes. Longer input finds nothing that this length does not.
pub const TEXT_MAX_BYTES: usize = 4096;

/// The input as text; what is not UTF-8 is refused before any parser sees it, so the fuzzer need not keep it.
pub fn text(data: &[u8]) -> Option<&str> {
    if data.len() > TEXT_MAX_BYTES {
        return None;
    }
    std::str::from_utf8(data).ok()
}

/// Two texts from one input, for functions of two: split at the first NUL, which neither may contain.
pub fn two_texts(data: &[u8]) -> Option<(&str, &str)> {
    text(data)?.split_once('\0')
}
