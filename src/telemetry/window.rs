//! What became of the provisioning events of one tenant in the last 24 hours, and how near that is to quarantine.
//!
//! In: answers, and the time as an argument. Out: sums, and their share of the thresholds that Entra ID publishes
//! (`docs/metrics.md` cites them). Pure but for the atomic numbers: nothing here reads a clock or waits.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a request is to its tenant's identity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioning {
    /// A write of an object.
    Write,
    /// A deletion: one of what is gone already has succeeded.
    Deletion,
    /// A change that is mostly about references to other objects: a PATCH of a type with members.
    Reference,
    /// A look-up.
    Read,
    /// Nothing of the kind, such as discovery.
    Other,
}

/// A provisioning event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Succeeded,
    Failed,
    /// A reference to another object could not be made.
    ReferenceFailed,
}

impl Event {
    /// What an answer is as an event; most reads are none.
    pub(super) fn of(kind: Provisioning, status: u16) -> Option<Self> {
        let failed = status >= 400 && !(status == 404 && matches!(kind, Provisioning::Read | Provisioning::Deletion));
        match (kind, failed) {
            (Provisioning::Other, _) | (Provisioning::Read, false) => None,
            (Provisioning::Write | Provisioning::Deletion | Provisioning::Reference, false) => Some(Self::Succeeded),
            (Provisioning::Write | Provisioning::Deletion | Provisioning::Read, true) => Some(Self::Failed),
            (Provisioning::Reference, true) => Some(Self::ReferenceFailed),
        }
    }
}

/// The last 24 hours in steps of 15 minutes. Recording is one atomic exchange and takes no lock.
#[derive(Debug)]
pub(super) struct Window([AtomicU64; STEPS]);

/// The sums of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// All events.
    pub(super) events: u64,
    /// Those that failed, other than for a reference.
    pub(super) failures: u64,
    /// References that failed.
    pub(super) references: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Window {
    /// Records an event at a time, in seconds from any moment on that stays the same.
    pub(super) fn record(&self, event: Event, seconds: u64) {
        let (index, lap) = place(seconds / STEP_SECONDS);
        let Some(step) = self.0.get(index) else { return };
        // The exchange is tried until nobody came between.
        let _ = step.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            let mut counts = Counts::unpack(held, lap).unwrap_or_default();
            counts.add(event);
            Some(counts.pack(lap))
        });
    }

    /// The sums of the steps that are not older than 24 hours at this time.
    pub(super) fn sums(&self, seconds: u64) -> Sums {
        let now = seconds / STEP_SECONDS;
        let mut sums = Sums::default();
        for back in 0..STEPS as u64 {
            let Some(step) = now.checked_sub(back) else { break };
            let (index, lap) = place(step);
            let held = self.0.get(index).map_or(0, |held| held.load(Ordering::Relaxed));
            let Some(Counts { events, failures, references }) = Counts::unpack(held, lap) else { continue };
            sums.events += events;
            sums.failures += failures;
            sums.references += references;
        }
        sums
    }
}

/// Where a step is kept, and which time round it is; the first is 1, so that 0 is nobody's.
fn place(step: u64) -> (usize, u64) {
    let index = usize::try_from(step % STEPS as u64).unwrap_or_default();
    (index, (step / STEPS as u64 + 1) & LAP_MASK)
}

/// The counts of one step, packed into a number: lap, events, failures, references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    events: u64,
    failures: u64,
    references: u64,
}

impl Counts {
    fn unpack(held: u64, lap: u64) -> Option<Self> {
        (held >> (3 * COUNT_BITS) == lap).then_some(Self {
            events: held >> (2 * COUNT_BITS) & COUNT_MAX,
            failures: held >> COUNT_BITS & COUNT_MAX,
            references: held & COUNT_MAX,
        })
    }

    fn pack(self, lap: u64) -> u64 {
        let Self { events, failures, references } = self;
        lap << (3 * COUNT_BITS) | events << (2 * COUNT_BITS) | failures << COUNT_BITS | references
    }

    /// At the bound nothing more is counted, so that the parts keep to the whole.
    fn add(&mut self, event: Event) {
        if self.events == COUNT_MAX {
            return;
        }
        self.events += 1;
        match event {
            Event::Succeeded => {}
            Event::Failed => self.failures += 1,
            Event::ReferenceFailed => self.references += 1,
        }
    }
}

impl Sums {
    /// Everything that failed.
    pub(super) fn failed(&self) -> u64 {
        self.failures + self.references
    }

    /// The nearest of the thresholds, as a share of it. References count for the last one alone.
    #[expect(clippy::cast_precision_loss, reason = "counts are bounded far below what a float holds exactly")]
    pub(super) fn quarantine_ratio(&self) -> f64 {
        let (failures, events) = (self.failures as f64, (self.events - self.references.min(self.events)) as f64);
        let proportion = if events > 0.0 { failures / events / PROPORTION_MAX } else { 0.0 };
        // Below the least number of failures their proportion is not looked at: both have to be reached.
        let by_proportion = proportion.min(failures / EVALUATED_FROM);
        by_proportion.max(failures / FAILURES_MAX).max(self.failed() as f64 / ALL_FAILURES_MAX)
    }
}

/// More of the events than this may not fail,
const PROPORTION_MAX: f64 = 0.4;
/// once there are so many failures.
const EVALUATED_FROM: f64 = 5_000.0;
/// More may not fail, whatever the proportion.
const FAILURES_MAX: f64 = 40_000.0;
/// The same with references.
const ALL_FAILURES_MAX: f64 = 60_000.0;

const STEP_SECONDS: u64 = 15 * 60;
const STEPS: usize = 96;
/// A window is as long as this.
pub(super) const WINDOW_SECONDS: u64 = STEP_SECONDS * STEPS as u64;

const COUNT_BITS: u32 = 18;
/// Events of one step at the most: 290 a second for a quarter of an hour.
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
/// Comes round after 2.8 years.
const LAP_MASK: u64 = (1 << 10) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_examples_come_out() {
        let ratio = |failures, references, succeeded| {
            Sums { events: failures + references + succeeded, failures, references }.quarantine_ratio()
        };
        // 45,000 users failed.
        assert!(ratio(45_000, 0, 1_000_000) > 1.0);
        // 30,000 failed, 5,000 did not.
        assert!(ratio(30_000, 0, 5_000) > 1.0);
        // 20,000 failed, 100,000 did not.
        assert!(ratio(20_000, 0, 100_000) < 1.0);
        // 4,000 are not evaluated.
        assert!(ratio(4_000, 0, 0) < 1.0);
        // 40,000 users and 21,000 managers.
        assert!(ratio(40_000, 21_000, 1_000_000) > 1.0);
        // References alone count for the last threshold only.
        assert!(ratio(0, 59_000, 0) < 1.0);
        assert!(ratio(0, 0, 0) <= 0.0);
    }

    #[test]
    fn answers_become_events() {
        use Provisioning::{Deletion, Other, Read, Reference, Write};
        for (kind, status, event) in [
            (Write, 201, Some(Event::Succeeded)),
            (Write, 409, Some(Event::Failed)),
            (Write, 404, Some(Event::Failed)),
            (Write, 503, Some(Event::Failed)),
            (Deletion, 204, Some(Event::Succeeded)),
            (Deletion, 404, Some(Event::Succeeded)),
            (Deletion, 500, Some(Event::Failed)),
            (Reference, 204, Some(Event::Succeeded)),
            (Reference, 404, Some(Event::ReferenceFailed)),
            (Read, 200, None),
            (Read, 404, None),
            (Read, 400, Some(Event::Failed)),
            (Read, 502, Some(Event::Failed)),
            (Other, 500, None),
        ] {
            assert_eq!(Event::of(kind, status), event, "{kind:?} {status}");
        }
    }

    #[test]
    fn a_step_that_is_full_stays_so() {
        let window = Window::default();
        for _ in 0..COUNT_MAX + 10 {
            window.record(Event::Failed, 0);
        }
        window.record(Event::Succeeded, 0);
        assert_eq!(window.sums(0), Sums { events: COUNT_MAX, failures: COUNT_MAX, references: 0 });
        // The neighbours in the number are not touched.
        window.record(Event::ReferenceFailed, STEP_SECONDS);
        assert_eq!(window.sums(STEP_SECONDS).references, 1);
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![Just(Event::Succeeded), Just(Event::Failed), Just(Event::ReferenceFailed)]
    }

    proptest! {
        /// The sums are those of a list of all events, cut off at the step that is 24 hours old.
        #[test]
        fn a_window_holds_the_last_day_and_nothing_else(
            steps in proptest::collection::vec((0_u64..20_000, event()), 0..200),
            start in 0_u64..100_000_000,
            later in 0_u64..200_000,
        ) {
            let (window, mut now, mut all) = (Window::default(), start, Vec::new());
            for (wait, event) in steps {
                now += wait;
                window.record(event, now);
                all.push((now, event));
            }
            now += later;
            let oldest = (now / STEP_SECONDS).saturating_sub(STEPS as u64 - 1);
            let count = |wanted: Event| {
                all.iter().filter(|(at, event)| at / STEP_SECONDS >= oldest && *event == wanted).count() as u64
            };
            let (failures, references) = (count(Event::Failed), count(Event::ReferenceFailed));
            let events = count(Event::Succeeded) + failures + references;
            prop_assert_eq!(window.sums(now), Sums { events, failures, references });
        }

        /// More failures never bring a tenant further away, and a share of 1 is what the thresholds say.
        #[test]
        fn the_ratio_rises_with_failures_and_is_one_at_a_threshold(
            failures in 0_u64..100_000, references in 0_u64..100_000, succeeded in 0_u64..200_000,
        ) {
            let sums = |failures, references| Sums { events: failures + references + succeeded, failures, references };
            let ratio = sums(failures, references).quarantine_ratio();
            prop_assert!(sums(failures + 1, references).quarantine_ratio() >= ratio);
            prop_assert!(sums(failures, references + 1).quarantine_ratio() >= ratio);
            let beyond = failures > 40_000
                || failures + references > 60_000
                || (failures >= 5_000 && failures * 10 > (failures + succeeded) * 4);
            prop_assert!(!beyond || ratio >= 1.0);
            let below = failures < 40_000
                && failures + references < 60_000
                && (failures < 5_000 || failures * 10 < (failures + succeeded) * 4);
            prop_assert!(!below || ratio < 1.0);
        }
    }
}
