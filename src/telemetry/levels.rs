//! Which levels are in force: those of the configuration, of the command line, or those set while running.
//!
//! In: levels from three places. Out: one answer. What is set while running comes first, then the command line, then
//! the configuration.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::config::levels::Levels;

/// Where the levels in force come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelSource {
    /// `[log] level`, or its default.
    Config,
    /// `--log-level`, or the environment.
    Flag,
    /// Set while running.
    Admin,
}

impl LevelSource {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Flag => "flag",
            Self::Admin => "admin",
        }
    }
}

/// The levels in force, and what there is besides them.
#[derive(Clone, Debug)]
pub struct LevelState {
    /// In force.
    pub levels: Levels,
    /// Where they come from.
    pub source: LevelSource,
    /// What holds when nothing is set while running.
    pub configured: Levels,
    /// When what is set while running ends, if it ends by itself.
    pub until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Sources {
    config: Levels,
    flag: Option<Levels>,
    admin: Option<(Levels, Option<Instant>)>,
    /// How often `admin` was set: what was set later is not ended by a timer of what was set before.
    times: u64,
}

static SOURCES: LazyLock<Mutex<Sources>> = LazyLock::new(Mutex::default);
static IN_FORCE: LazyLock<ArcSwap<Levels>> = LazyLock::new(ArcSwap::default);

/// The levels in force.
pub(super) fn in_force() -> arc_swap::Guard<Arc<Levels>> {
    IN_FORCE.load()
}

pub(super) fn set_flag(levels: Option<Levels>) {
    let mut sources = sources();
    sources.flag = levels;
    sources.apply();
}

/// A configuration is in force. One that says something else than the one before ends what is set while running.
pub(super) fn set_config(levels: &Levels) {
    let mut sources = sources();
    if sources.config != *levels {
        sources.config = levels.clone();
        sources.admin = None;
    }
    sources.apply();
}

/// Sets levels while running. Returns their number, for [`end`].
pub fn set(levels: Levels, until: Option<Instant>) -> u64 {
    let mut sources = sources();
    sources.admin = Some((levels, until));
    sources.times += 1;
    sources.apply();
    sources.times
}

/// Goes back to what holds otherwise; a number ends only what was set under it. Returns whether it was in force.
pub fn end(number: Option<u64>) -> bool {
    let mut sources = sources();
    if number.is_some_and(|number| number != sources.times) || sources.admin.take().is_none() {
        return false;
    }
    sources.apply();
    true
}

/// What is in force, and why.
pub fn state() -> LevelState {
    let sources = sources();
    let (configured, fixed) = match &sources.flag {
        Some(levels) => (levels.clone(), LevelSource::Flag),
        None => (sources.config.clone(), LevelSource::Config),
    };
    match &sources.admin {
        Some((levels, until)) => {
            LevelState { levels: levels.clone(), source: LevelSource::Admin, configured, until: *until }
        }
        None => LevelState { levels: configured.clone(), source: fixed, configured, until: None },
    }
}

impl Sources {
    fn apply(&self) {
        let admin = self.admin.as_ref().map(|(levels, _)| levels);
        let levels = admin.or(self.flag.as_ref()).unwrap_or(&self.config);
        if **IN_FORCE.load() != *levels {
            IN_FORCE.store(Arc::new(levels.clone()));
            // Every place that logs has been told whether it is listened to.
            tracing::callsite::rebuild_interest_cache();
        }
    }
}

fn sources() -> MutexGuard<'static, Sources> {
    SOURCES.lock().unwrap_or_else(PoisonError::into_inner)
}
