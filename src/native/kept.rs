//! Replies that are kept for a short time, because the mapping says so.
//!
//! In: a call that may be answered from memory, and whoever can carry it out. Out: its outcome. Callers that ask for
//! the same at the same time share one fetch. Any write through the adapter ends the time of what it may have changed;
//! what the application is told by others shows when the time is over. Bounded in bytes and entries.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::client::Completed;
use crate::plan::{NativeCall, NativeFailure, NativeOutcome, NativeReply};

/// All replies together, about as much memory as they take.
const TOTAL_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// One reply; a larger one is not kept.
const REPLY_MAX_BYTES: u64 = 8 * 1024 * 1024;
/// What an entry weighs at the least, so that their number is bounded too.
const ENTRY_MIN_BYTES: u64 = 1024;
/// Owners whose writes are remembered one by one.
const OWNERS_MAX: usize = 10_000;

/// Which reply: a digest of everything that decides it.
type Key = [u8; 32];

/// The replies of one snapshot.
pub struct KeptReplies {
    replies: Cache<Key, Held, Weight>,
    writes: Mutex<Writes>,
    /// Whether a reply was ever asked for here. Until then writes end nothing, and no time is spent on them.
    used: AtomicBool,
}

/// How often something was written, by owner and resource type. A reply is kept under the number it was asked for at.
#[derive(Default)]
struct Writes {
    counts: HashMap<Key, u64>,
    /// Counts for all, when single owners have become too many.
    all: u64,
}

#[derive(Clone)]
struct Held {
    reply: Arc<NativeReply>,
    since: Instant,
    weight: u64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Held> for Weight {
    fn weight(&self, _: &Key, held: &Held) -> u64 {
        held.weight
    }
}

/// A resource type, and the types that show something of it.
pub type ShownBy = (Arc<str>, Vec<Arc<str>>);

/// Whose replies a request may use, and what its writes touch.
#[derive(Clone, Copy)]
pub struct Keeping<'a> {
    /// The replies.
    pub kept: &'a KeptReplies,
    /// Says backend and route variables.
    pub owner: &'a (dyn Fn() -> String + Sync),
    /// Makes a digest of the client's own credential: with some backends it decides what is seen.
    pub credential: &'a (dyn Fn() -> [u8; 32] + Sync),
    /// The types that show something of a type, by its name.
    pub shown_by: &'a [ShownBy],
}

impl std::fmt::Debug for Keeping<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeping")
    }
}

impl Default for KeptReplies {
    fn default() -> Self {
        let entries = usize::try_from(TOTAL_MAX_BYTES / ENTRY_MIN_BYTES).unwrap_or(usize::MAX);
        Self {
            replies: Cache::with_weighter(entries, TOTAL_MAX_BYTES, Weight),
            writes: Mutex::default(),
            used: AtomicBool::new(false),
        }
    }
}

impl std::fmt::Debug for KeptReplies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptReplies").field("len", &self.replies.len()).finish_non_exhaustive()
    }
}

/// A reply that was fetched for a plan and kept. If the plan fails, it may be the reason: [`Keeping::forget`].
pub(super) type Fetched = Option<Key>;

impl Keeping<'_> {
    /// The outcome of a call that only reads: from memory if it is there and young enough, else from `fetch`.
    pub(super) async fn read(
        &self,
        call: &NativeCall,
        time: Duration,
        deadline: Instant,
        fetch: impl Future<Output = Completed>,
    ) -> (Completed, Fetched) {
        let begun = Instant::now();
        // Before anything is asked for: a write that ends without seeing this has ended before the call begins.
        self.kept.used.store(true, Ordering::SeqCst);
        let key = self.key(call);
        let found = |held: Held| {
            let outcome = NativeOutcome::Reply((*held.reply).clone());
            (Completed { outcome, duration: begun.elapsed(), attempts: 0, kept: true }, None)
        };
        let is_old = |held: &Held| held.since.elapsed() > time;
        if self.kept.replies.peek(&key).is_some_and(|held| is_old(&held)) {
            self.kept.replies.remove(&key);
        }
        match timeout_at(deadline, self.kept.replies.get_value_or_guard_async(&key)).await {
            Err(_) => {
                let outcome = NativeOutcome::Failed(NativeFailure::Timeout);
                (Completed { outcome, duration: begun.elapsed(), attempts: 0, kept: false }, None)
            }
            Ok(Ok(held)) if !is_old(&held) => found(held),
            Ok(Ok(_)) => (fetch.await, None),
            // A guard that is dropped without a reply lets the next in line fetch.
            Ok(Err(guard)) => {
                let completed = fetch.await;
                let NativeOutcome::Reply(reply) = &completed.outcome else { return (completed, None) };
                let weight = weight(reply);
                if !(200..300).contains(&reply.status) || reply.unreadable || weight > REPLY_MAX_BYTES {
                    return (completed, None);
                }
                let held = Held { reply: Arc::new(reply.clone()), since: Instant::now(), weight };
                let kept = guard.insert(held).is_ok();
                (completed, kept.then_some(key))
            }
        }
    }

    /// Takes back what was kept for a plan that failed.
    pub(super) fn forget(&self, fetched: &[Key]) {
        for key in fetched {
            self.kept.replies.remove(key);
        }
    }

    /// Something of this type is being written. What is kept ends when the guard is dropped: when the write is over,
    /// however it ended.
    pub(super) fn writing(self, resource: &'_ str) -> Writing<impl FnOnce()> {
        Writing(Some(move || {
            if self.kept.used.load(Ordering::SeqCst) {
                let of = self.shown_by.iter().find(|(of, _)| **of == *resource);
                let shown = of.map_or(&[][..], |(_, types)| types).iter().map(|of| self.scope(of));
                self.kept.wrote(shown.chain([self.scope(resource)]).collect());
            }
        }))
    }

    fn key(&self, call: &NativeCall) -> Key {
        let scope = self.scope(&call.resource);
        let (count, all) = self.kept.count(&scope);
        let mut digest = Sha256::new();
        digest.update(scope);
        digest.update((self.credential)());
        digest.update(count.to_be_bytes());
        digest.update(all.to_be_bytes());
        let body = call.body.as_ref().map(ToString::to_string).unwrap_or_default();
        digest.update(format!("{}\n{}\n{:?}\n{body}", call.method, call.target, call.headers));
        digest.finalize().into()
    }

    fn scope(&self, resource: &str) -> Key {
        Sha256::digest(format!("{}\n{resource}", (self.owner)())).into()
    }
}

impl KeptReplies {
    fn count(&self, scope: &Key) -> (u64, u64) {
        let writes = self.writes();
        (writes.counts.get(scope).copied().unwrap_or(0), writes.all)
    }

    fn wrote(&self, scopes: Vec<Key>) {
        let mut writes = self.writes();
        if writes.counts.len() + scopes.len() > OWNERS_MAX {
            writes.counts.clear();
            writes.all += 1;
        }
        for scope in scopes {
            *writes.counts.entry(scope).or_default() += 1;
        }
    }

    fn writes(&self) -> std::sync::MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something when it is dropped.
pub(super) struct Writing<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Writing<F> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// About as much memory as a reply takes.
fn weight(reply: &NativeReply) -> u64 {
    let headers: usize = reply.headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
    ENTRY_MIN_BYTES + headers as u64 + reply.body.size() as u64
}
