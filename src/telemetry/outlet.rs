//! In: log lines. Out: standard output, written by a thread of its own.
//!
//! A request hands its line over and goes on; what has gathered within [`GATHER`] leaves in one write. Warnings and
//! errors do not wait. Lines that come faster than they are taken are dropped beyond [`HELD_MAX_BYTES`], and how many
//! is said in a line of its own.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;
use tracing::Level;

use super::catalogue::entries;
use super::line::{self, MESSAGE};
use super::registry::opts;

/// Lines on their way out.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    held: Mutex<Held>,
    arrived: Condvar,
    /// Lines dropped, ever.
    dropped: Option<IntCounter>,
    /// Whether a thread takes what gathers; without it every line is written where it arises.
    gathers: AtomicBool,
}

#[derive(Debug, Default)]
struct Held {
    lines: Vec<u8>,
    dropped: u64,
}

impl Outlet {
    /// One that counts what it drops.
    pub(super) fn counting() -> Self {
        // Nothing but a malformed entry of the catalogue would be refused.
        Self { dropped: IntCounter::with_opts(opts(&entries::LOG_DROPPED)).ok(), ..Self::default() }
    }

    /// The counter of lines dropped.
    pub(super) fn dropped(&self) -> Option<&IntCounter> {
        self.dropped.as_ref()
    }

    /// Starts the thread that writes, unless the system refuses one.
    pub(super) fn start(&'static self) {
        let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || self.run());
        self.gathers.store(spawned.is_ok(), Ordering::Relaxed);
    }

    /// Takes a whole line.
    pub(super) fn put(&self, level: Level, line: &str) {
        self.hold(line.as_bytes());
        if level <= Level::WARN || !self.gathers.load(Ordering::Relaxed) {
            self.flush();
        }
    }

    /// Writes what is held.
    pub(super) fn flush(&self) {
        // Taken first, so that lines leave in the order in which they came.
        let mut out = io::stdout().lock();
        let Held { lines, dropped } = std::mem::take(&mut *self.lock());
        // Nobody is left to be told that nobody listens.
        let _ = out.write_all(&lines);
        if dropped > 0 {
            let fields = |fields: &mut line::Fields<'_>| {
                fields.text(MESSAGE, "log lines were dropped");
                fields.number("lines", dropped);
            };
            line::with_line(super::log::shape(), Level::WARN, "scimshim::server", fields, |line| {
                let _ = out.write_all(line.as_bytes());
            });
        }
        let _ = out.flush();
    }

    #[expect(clippy::disallowed_methods, reason = "it is the thread's own time; no request is served on it")]
    fn run(&self) -> ! {
        loop {
            let mut held = self.lock();
            while held.lines.is_empty() {
                held = self.arrived.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
            drop(held);
            thread::sleep(GATHER);
            self.flush();
        }
    }

    fn hold(&self, line: &[u8]) {
        let mut held = self.lock();
        if held.lines.len() + line.len() > HELD_MAX_BYTES {
            held.dropped += 1;
            drop(held);
            self.dropped.iter().for_each(IntCounter::inc);
            return;
        }
        let first = held.lines.is_empty();
        held.lines.extend_from_slice(line);
        drop(held);
        if first {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long lines gather.
const GATHER: Duration = Duration::from_millis(20);

/// Bytes of lines that wait: some thousand requests.
const HELD_MAX_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_bound_are_counted_and_not_kept() {
        let outlet = Outlet::counting();
        let line = vec![b'x'; HELD_MAX_BYTES / 2];
        for _ in 0..5 {
            outlet.hold(&line);
        }
        let held = outlet.lock();
        assert_eq!((held.lines.len(), held.dropped), (HELD_MAX_BYTES, 3));
        assert_eq!(outlet.dropped().map(IntCounter::get), Some(3));
    }
}
