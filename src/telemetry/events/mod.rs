//! One struct for each thing that happens; [`emit`](ScimAnswered::emit) writes its log line and its metrics.
//!
//! What can be read here is all that ever reaches the log from the request path.

mod native;
mod process;
mod request;

use std::time::Duration;

pub use super::window::Provisioning;
pub use native::{BreakerChanged, CredentialRefused, LoggedIn, NativeCalled};
pub use process::{ConfigLoaded, ConnectionRejected, Panicked, PassedThrough, ProtocolRefused};
pub use request::{RequestLabels, ScimAnswered, ScimPlanned, Work};

/// The text of a status code without an allocation.
#[derive(Default)]
struct CodeText([u8; 3]);

impl CodeText {
    fn of(&mut self, status: u16) -> &str {
        let digit = |value: u16| b'0' + (value % 10) as u8;
        self.0 = [digit(status / 100), digit(status / 10), digit(status)];
        std::str::from_utf8(&self.0).unwrap_or("000")
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
