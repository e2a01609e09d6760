//! The measurement: every subject in every round, in turn.
//!
//! In: the stage. Out: samples in a [`Summary`]. Subjects alternate within a round, each beside the one it is compared
//! with, and every other round goes backwards, so that a drift of the machine falls on all of them alike.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::callgrind::Cost;
use crate::load::drive;
use crate::requests::Subject;
use crate::stage::Stage;
use crate::{Options, Outcome};

/// One subject in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) subject: Subject,
    pub(crate) round: usize,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// User and system time of the measured process alone, for one request.
    pub(crate) cpu_us: f64,
}

/// Everything a run found out.
pub(crate) struct Summary {
    pub(crate) samples: Vec<Sample>,
    pub(crate) connections: usize,
    pub(crate) bare_peak_kib: u64,
    pub(crate) sidecar_peak_kib: u64,
    /// What a request costs, where it could be counted.
    pub(crate) costs: Vec<(Subject, Cost)>,
    /// System calls of a request by name, where they could be counted.
    pub(crate) syscalls: Vec<(Subject, BTreeMap<String, f64>)>,
}

impl Summary {
    pub(crate) fn new(connections: usize) -> Self {
        let (samples, costs, syscalls) = (Vec::new(), Vec::new(), Vec::new());
        Self { samples, connections, bare_peak_kib: 0, sidecar_peak_kib: 0, costs, syscalls }
    }
}

pub(crate) async fn run(stage: &Stage, options: &Options, summary: &mut Summary) -> Outcome<()> {
    // Connection pools, branch predictors and allocators need a moment; these numbers are thrown away.
    for subject in Subject::ALL {
        measure(stage, subject, options, 0).await?;
    }
    for round in 0..options.rounds {
        if options.is_over() {
            eprintln!("bench: {round} rounds were all there was time for");
            break;
        }
        let mut order = Subject::ALL;
        if round % 2 == 1 {
            order.reverse();
        }
        for subject in order {
            summary.samples.push(measure(stage, subject, options, round).await?);
        }
        eprintln!("bench: round {} of {}", round + 1, options.rounds);
    }
    summary.bare_peak_kib = stage.bare.peak_kib()?;
    summary.sidecar_peak_kib = stage.sidecar.peak_kib()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "request counts and nanoseconds are far below 2^52")]
async fn measure(stage: &Stage, subject: Subject, options: &Options, round: usize) -> Outcome<Sample> {
    let process = stage.process(subject);
    let requests = subject.share_of(options.requests);
    let before = process.cpu_ns()?;
    let batch = drive(process.address, options.connections, requests, stage.requests(subject))
        .await
        .map_err(|err| format!("{}: {err}", subject.name()))?;
    // What a server still does after its last answer is part of the price, and is in the books once it sleeps.
    sleep(SETTLE).await;
    let cpu_ns = process.cpu_ns()? - before;
    let percentile = |percent: usize| {
        let at = batch.latencies.len().saturating_sub(1) * percent / 100;
        batch.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    Ok(Sample {
        subject,
        round,
        requests_per_second: requests as f64 / batch.elapsed.as_secs_f64(),
        p50_us: percentile(50),
        p99_us: percentile(99),
        cpu_us: cpu_ns as f64 / 1000.0 / requests as f64,
    })
}

/// Longer than log lines gather.
const SETTLE: Duration = Duration::from_millis(40);
