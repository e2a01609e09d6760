//! Keeping the configuration in force equal to the one in the file.
//!
//! In: a [`Loader`], and hints that something changed: events of the file system, a slow poll, a signal. Out: a new
//! [`Live`], swapped in whole, or the old one and a log line for everything that is wrong. What a configuration means
//! is not known here.
//!
//! The parent directory of every file is watched and not the file itself: Kubernetes publishes a `ConfigMap` by
//! swapping a symbolic link beside it, and a watch on the file is dead after the first swap. The poll is for mounts
//! that send no events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

use crate::proxy::edge::Live;
use crate::telemetry::events::ConfigLoaded;
use crate::telemetry::{Metrics, log};

/// Makes a configuration from files.
#[async_trait]
pub trait Loader: Send + Sync {
    /// Reads, compiles and resolves everything. What only a restart can change must be as it was the first time.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    async fn load(&self) -> Result<Loaded, LoadError>;

    /// Files whose change is a reason to load again: the configuration, and the secrets that it named when it was last
    /// read, whether or not it could be put in force.
    fn files(&self) -> Vec<PathBuf>;
}

/// A configuration that can be put in force.
pub struct Loaded {
    /// The configuration.
    pub live: Live,
    /// What its author should look at, one finding each.
    pub warnings: Vec<String>,
}

/// Why there is no new configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A file could not be read.
    #[error("{path}: {reason}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The configuration is wrong; one finding each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// These keys changed, and only a restart can change them.
    #[error("restart needed: {} cannot change while running", .0.join(", "))]
    RestartNeeded(Vec<&'static str>),
}

/// What became of a reason to load again: the label of `scimshim_config_reloads_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new configuration is in force.
    Applied,
    /// The files are what they were.
    Unchanged,
    /// A file could not be read.
    Unreadable,
    /// The configuration is wrong.
    Invalid,
    /// A key changed that only a restart can change.
    RestartNeeded,
}

impl Outcome {
    /// What an attempt to load comes to.
    pub const ALL: [Self; 4] = [Self::Applied, Self::Unreadable, Self::Invalid, Self::RestartNeeded];

    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Unreadable => "unreadable",
            Self::Invalid => "invalid",
            Self::RestartNeeded => "restart_needed",
        }
    }
}

/// The keeper of the configuration in force.
pub struct Reloader {
    loader: Box<dyn Loader>,
    current: Arc<ArcSwap<Live>>,
    metrics: Arc<Metrics>,
    hint: Arc<Notify>,
    /// What was tried last, good or bad: a bad file is not complained about every ten seconds.
    tried: Fingerprint,
}

type Fingerprint = [u8; 32];

impl Reloader {
    /// Loads for the first time.
    ///
    /// # Errors
    ///
    /// There is nothing to fall back on, so that any error is final.
    pub async fn first(loader: Box<dyn Loader>, metrics: Arc<Metrics>) -> Result<Self, LoadError> {
        let Loaded { live, warnings } = loader.load().await?;
        log::configure(&live.log);
        let tried = fingerprint(&loader.files()).await;
        let outcome = Outcome::Applied.as_str();
        let hash = &live.hash;
        ConfigLoaded { outcome, success: true, hash, now: now(), remarks: &warnings }.emit(&metrics);
        let current = Arc::new(ArcSwap::from_pointee(live));
        Ok(Self { loader, current, metrics, hint: Arc::new(Notify::new()), tried })
    }

    /// The configuration in force, now and later.
    pub fn current(&self) -> Arc<ArcSwap<Live>> {
        self.current.clone()
    }

    /// Wakes [`run`](Self::run) up, as SIGHUP does.
    pub fn trigger(&self) -> Arc<Notify> {
        self.hint.clone()
    }

    /// Reloads whenever there is reason to, until dropped.
    pub async fn run(mut self) {
        let mut watched = Watched::default();
        loop {
            // What changed before a directory was watched is no event, so that the files are looked at once more.
            if !watched.follow(&self.loader.files(), &self.hint) {
                let hinted = tokio::time::timeout(POLL_EVERY, self.hint.notified()).await.is_ok();
                if hinted {
                    // One change comes as several events, and a file being written is not worth reading.
                    tokio::time::sleep(SETTLE).await;
                }
            }
            self.reload_if_changed().await;
        }
    }

    /// Compares the files with what was tried last, and loads them if they differ. What changes while they are being
    /// loaded is a difference next time.
    pub async fn reload_if_changed(&mut self) -> Outcome {
        let found = fingerprint(&self.loader.files()).await;
        if found == self.tried {
            return Outcome::Unchanged;
        }
        self.tried = found;
        let (outcome, remarks) = match self.loader.load().await {
            Ok(loaded) => {
                log::configure(&loaded.live.log);
                self.current.store(Arc::new(loaded.live));
                self.current.load().scim.put_in_force();
                (Outcome::Applied, loaded.warnings)
            }
            Err(LoadError::Invalid(findings)) => (Outcome::Invalid, findings),
            Err(error @ LoadError::Unreadable { .. }) => (Outcome::Unreadable, vec![error.to_string()]),
            Err(error @ LoadError::RestartNeeded(_)) => (Outcome::RestartNeeded, vec![error.to_string()]),
        };
        let hash = &self.current.load().hash;
        let success = outcome == Outcome::Applied;
        ConfigLoaded { outcome: outcome.as_str(), success, hash, now: now(), remarks: &remarks }.emit(&self.metrics);
        outcome
    }
}

/// The directories that are watched.
#[derive(Default)]
struct Watched {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

impl Watched {
    /// Watches the parent directories of these files and no others; says whether those were others before.
    fn follow(&mut self, files: &[PathBuf], hint: &Arc<Notify>) -> bool {
        let directories: BTreeSet<PathBuf> = files.iter().map(|file| parent(file)).collect();
        if directories == self.directories {
            return false;
        }
        let hint = hint.clone();
        let wake = move |event: notify::Result<notify::Event>| {
            // Reading the file is an event too, and would wake us for ever.
            if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
                hint.notify_one();
            }
        };
        self.watcher = notify::recommended_watcher(wake).ok();
        for directory in &directories {
            let watching = self
                .watcher
                .as_mut()
                .is_some_and(|watcher| watcher.watch(directory, RecursiveMode::NonRecursive).is_ok());
            if !watching {
                tracing::warn!(directory = %directory.display(), "directory cannot be watched; it is polled");
            }
        }
        self.directories = directories;
        true
    }
}

fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Reads a file of at most [`FILE_MAX_BYTES`].
///
/// # Errors
///
/// [`LoadError::Unreadable`], also for text that is not UTF-8.
pub async fn read_text(path: &Path) -> Result<String, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { path: path.to_owned(), reason };
    let bytes = read_bytes(path).await.map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))
}

/// Reads a file that a configuration extends, for [`compile_with`](super::compile_with).
///
/// # Errors
///
/// A reason, without the path.
pub fn fetch_text(path: &str) -> Result<String, String> {
    let read = || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(std::fs::File::open(path)?, FILE_MAX_BYTES), &mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    read().map_err(|error| error.to_string())
}

async fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = tokio::fs::File::open(path).await?.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).await?;
    if read as u64 > FILE_MAX_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {FILE_MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

async fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let mut hash = Sha256::new();
    for file in files {
        // A file that cannot be read has a fingerprint of its own, so that its return is a change.
        let content = read_bytes(file).await.map(Sha256::digest);
        hash.update([u8::from(content.is_ok())]);
        hash.update(content.unwrap_or_default());
    }
    hash.finalize().into()
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Larger than any configuration, smaller than any harm.
pub const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

const SETTLE: Duration = Duration::from_millis(200);
const POLL_EVERY: Duration = Duration::from_secs(10);
