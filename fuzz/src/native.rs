//! The reader of native replies, files of the shell by themselves, so that nothing else of it is built.
//!
//! The formatter does not follow these files: it would look for what is below them in another place.
//!
//! In: bytes as an application might send them. Out: nothing, or a panic where a property does not hold.

#[expect(dead_code, reason = "nothing is connected here")]
#[rustfmt::skip]
#[path = "../../src/native/connection.rs"]
mod connection;
#[expect(dead_code, reason = "the shell writes heads, too")]
#[rustfmt::skip]
#[path = "../../src/native/http1.rs"]
pub mod http1;
#[expect(dead_code, reason = "the shell takes requests of a library, too")]
#[rustfmt::skip]
#[path = "../../src/native/outgoing.rs"]
mod outgoing;
#[rustfmt::skip]
#[path = "../../src/native/patience.rs"]
pub(crate) mod patience;
#[rustfmt::skip]
#[path = "../../src/native/connection/pieces.rs"]
mod pieces;
#[rustfmt::skip]
#[path = "../../src/native/reply.rs"]
mod reply;
#[rustfmt::skip]
#[path = "../../src/native/wire.rs"]
mod wire;

use connection::{Connection, Fault};
use http::Method;
use outgoing::Outgoing;

/// A reply is the same however it arrives.
pub fn check(bytes: &[u8], lengths: &[usize], method: &Method, max_bytes: usize) {
    pieces::arrives_alike(bytes, lengths, method, max_bytes);
    pieces::arrives_alike(bytes, &[1], method, max_bytes);
}
