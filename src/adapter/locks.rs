//! Writes to one resource take turns.
//!
//! A read, a merge and a write are three steps; two requests that interleave them would lose one another's change.
//! Identity providers do send several small changes to one group at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Locks by name, each there only while somebody holds it or waits for it.
#[derive(Debug, Default)]
pub struct ResourceLocks {
    held: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A turn; dropping it passes the turn on.
#[derive(Debug)]
pub struct Turn {
    guard: Option<OwnedMutexGuard<()>>,
    key: String,
    locks: Arc<ResourceLocks>,
}

impl ResourceLocks {
    /// Waits for the turn of this key; first come, first served.
    pub async fn take(self: &Arc<Self>, key: String) -> Turn {
        let lock = Arc::clone(self.entries().entry(key.clone()).or_default());
        let mut turn = Turn { guard: None, key, locks: Arc::clone(self) };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }

    /// Locks that exist at the moment.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether nobody holds anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The entry goes when nobody else refers to it: the map is locked, so nobody can join in between.
        let mut entries = self.locks.entries();
        self.guard = None;
        if entries.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_key_one_turn_and_nothing_is_left_behind() {
        let locks = Arc::new(ResourceLocks::default());
        let first = locks.take("Groups/1".to_owned()).await;
        let other = locks.take("Groups/2".to_owned()).await;
        let waiting = {
            let locks = Arc::clone(&locks);
            tokio::spawn(async move { locks.take("Groups/1".to_owned()).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        drop(waiting.await.unwrap());
        drop(other);
        assert!(locks.is_empty());
    }

    #[tokio::test]
    async fn giving_up_the_wait_leaves_nothing_behind() {
        let locks = Arc::new(ResourceLocks::default());
        let first = locks.take("Groups/1".to_owned()).await;
        let gave_up =
            tokio::time::timeout(std::time::Duration::from_millis(1), locks.take("Groups/1".to_owned())).await;
        assert!(gave_up.is_err());
        drop(first);
        assert!(locks.is_empty());
    }
}
