//! One timer for many waits.
//!
//! In: something to wait for, and until when. Out: what it came to, unless it came too late. Waits that follow each
//! other end later and later, and nearly all of them come to something: so the timer of an earlier wait is left as it
//! is, and set again only when it has gone off. Setting one for every wait costs as much as a small system call.

use std::future::Future;
use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer, once there is one.
#[derive(Debug, Default)]
pub(crate) struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// Waits for something, but not after `until`.
    pub(crate) async fn bound<F: Future>(&mut self, until: Instant, future: F) -> Option<F::Output> {
        let kept = self.0.take().filter(|timer| timer.deadline() <= until);
        let mut timer = kept.unwrap_or_else(|| Box::pin(sleep_until(until)));
        let outcome = tokio::select! {
            biased;
            outcome = future => Some(outcome),
            () = pass(&mut timer, until) => None,
        };
        self.0 = Some(timer);
        outcome
    }
}

async fn pass(timer: &mut Pin<Box<Sleep>>, until: Instant) {
    loop {
        timer.as_mut().await;
        if Instant::now() >= until {
            return;
        }
        timer.as_mut().reset(until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_wait_ends_when_it_should_whatever_the_one_before_it_was() {
        let mut patience = Patience::default();
        for (given, takes, expected) in
            [(10, 3, 3), (10, 20, 10), (2, 20, 2), (30, 29, 29), (1, 5, 1), (5, 0, 0), (5, 9, 5)]
        {
            let begun = Instant::now();
            let wait = patience.bound(begun + Duration::from_secs(given), sleep(Duration::from_secs(takes)));
            assert_eq!(wait.await.is_some(), takes < given, "{takes} of {given}");
            assert_eq!(begun.elapsed().as_secs(), expected, "{takes} of {given}");
        }
    }
}
