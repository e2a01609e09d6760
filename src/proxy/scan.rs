//! Looking for a byte in a head, eight at a time.

/// Where this byte first stands.
pub(super) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let sought = ONES * u64::from(byte);
    first(bytes, |word| zeros(word ^ sought))
}

/// Where a control character first stands, the tab and the last of ASCII among them.
pub(super) fn find_control(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| word.wrapping_sub(ONES * 0x20) & !word | zeros(word ^ (ONES * 0x7f)))
}

/// Has the high bit of the first byte that is zero, and of none before it.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// `mark` has the high bit of the first byte that is sought, and of none before it.
fn first(bytes: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let place =
        |word: u64| Some(mark(word) & HIGHS).filter(|marks| *marks != 0).map(|marks| marks.trailing_zeros() / 8);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        if let Some(at) = place(u64::from_le_bytes(*word)) {
            return Some(8 * index + at as usize);
        }
    }
    // What stands beyond the end is nobody's.
    let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    place(last).map(|at| at as usize).filter(|at| *at < rest.len()).map(|at| 8 * words.len() + at)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_place_is_the_one_that_looking_at_each_byte_finds(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1e_u8..0x22, 0x7d_u8..0x82], 0..40),
            byte in any::<u8>(),
            from in 0_usize..10,
        ) {
            let bytes = bytes.get(from..).unwrap_or_default();
            prop_assert_eq!(find(bytes, byte), bytes.iter().position(|found| *found == byte));
            for byte in bytes {
                prop_assert_eq!(find(bytes, *byte), bytes.iter().position(|found| found == byte));
            }
            prop_assert_eq!(find_control(bytes), bytes.iter().position(|found| *found < 0x20 || *found == 0x7f));
        }
    }
}
