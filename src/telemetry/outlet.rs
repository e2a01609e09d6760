//! In: log lines. Out: standard output, written by a thread of its own.
//!
//! A request hands its line over and goes on; what has gathered within [`GATHER`] leaves in one write. Warnings and
//! errors do not wait. Lines that come faster than they are taken are dropped beyond [`HELD_MAX_BYTES`], and how many
//! is said in a line of its own.

use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::catalogue::entries;
use super::registry::opts;

/// Lines on their way out.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    held: Mutex<Held>,
    arrived: Condvar,
    /// Lines dropped, ever.
    dropped: Option<IntCounter>,
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

    /// Starts the thread that writes. Without it, should the system refuse one, every line is written where it arises.
    pub(super) fn start(&'static self) -> Lines {
        let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || self.run());
        Lines { outlet: self, gather: spawned.is_ok() }
    }

    /// Writes what is held.
    pub(super) fn flush(&self) {
        // Taken first, so that lines leave in the order in which they came.
        let mut out = io::stdout().lock();
        let Held { lines, dropped } = std::mem::take(&mut *self.lock());
        // Nobody is left to be told that nobody listens.
        let _ = out.write_all(&lines);
        if dropped > 0 {
            let _ = writeln!(out, r#"{{"level":"WARN","message":"log lines were dropped","lines":{dropped}}}"#);
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

/// Where the formatter puts its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    outlet: &'static Outlet,
    gather: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter { outlet: self.outlet, at_once: !self.gather }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LineWriter {
        LineWriter { outlet: self.outlet, at_once: !self.gather || *metadata.level() <= Level::WARN }
    }
}

/// Takes whole lines.
#[derive(Debug)]
pub(super) struct LineWriter {
    outlet: &'static Outlet,
    at_once: bool,
}

impl io::Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.outlet.hold(line);
        if self.at_once {
            self.outlet.flush();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
