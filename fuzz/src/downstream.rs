//! The reader of request heads, a file of the shell by itself, so that nothing else of it is built.
//!
//! The formatter does not follow these files: it would look for what is below them in another place.
//!
//! In: bytes as a client might send them. Out: nothing, or a panic where a property does not hold.

#[rustfmt::skip]
#[path = "../../src/proxy/head/alike.rs"]
mod alike;
#[rustfmt::skip]
#[path = "../../src/proxy/head.rs"]
pub mod head;
#[rustfmt::skip]
#[path = "../../src/proxy/scan.rs"]
mod scan;

use head::{FIELDS_MAX, Framing, Refusal, inspect, search};

/// A head is the same however it arrives, and means the same to another parser.
pub fn check(bytes: &[u8], lengths: &[usize], max_bytes: usize) {
    alike::arrives_alike(bytes, lengths, max_bytes);
    if let Ok(Some((head, framing, _))) = alike::taken(&[bytes], max_bytes) {
        alike::is_understood(&head, framing);
    }
}
