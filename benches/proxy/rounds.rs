//! The measurement: every subject in every round, in turn.
//!
//! In: the stage. Out: a [`Summary`] of samples. Subjects alternate within a round, and every other round goes
//! backwards, so that a drift of the machine falls on all of them alike.

use crate::callgrind::Cost;
use crate::load::drive;
use crate::stage::{Stage, Subject};
use crate::{Options, Outcome};

/// One subject in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) subject: Subject,
    pub(crate) round: usize,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// User and system time of the measured process alone.
    pub(crate) cpu_ms_per_1k: f64,
}

/// Everything a run found out.
pub(crate) struct Summary {
    pub(crate) samples: Vec<Sample>,
    pub(crate) connections: usize,
    pub(crate) bare_peak_kib: u64,
    pub(crate) sidecar_peak_kib: u64,
    /// What a request costs, where it could be counted.
    pub(crate) costs: Vec<(Subject, Cost)>,
}

pub(crate) async fn run(stage: &Stage, options: &Options) -> Outcome<Summary> {
    let mut samples = Vec::new();
    // Connection pools, branch predictors and allocators need a moment; these numbers are thrown away.
    for subject in Subject::ALL {
        measure(stage, subject, options.requests / 10, options.connections, 0).await?;
    }
    for round in 0..options.rounds {
        let mut order = Subject::ALL;
        if round % 2 == 1 {
            order.reverse();
        }
        for subject in order {
            let requests = subject.share_of(options.requests);
            samples.push(measure(stage, subject, requests, options.connections, round).await?);
        }
        eprintln!("bench: round {} of {}", round + 1, options.rounds);
    }
    Ok(Summary {
        samples,
        connections: options.connections,
        bare_peak_kib: stage.bare.peak_kib()?,
        sidecar_peak_kib: stage.sidecar.peak_kib()?,
        costs: Vec::new(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
async fn measure(
    stage: &Stage,
    subject: Subject,
    requests: usize,
    connections: usize,
    round: usize,
) -> Outcome<Sample> {
    let process = stage.process(subject);
    let before = process.cpu_ms()?;
    let batch = drive(process.address, connections, requests, stage.requests(subject))
        .await
        .map_err(|err| format!("{}: {err}", subject.name()))?;
    let cpu_ms = process.cpu_ms()? - before;
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
        cpu_ms_per_1k: cpu_ms * 1000.0 / requests as f64,
    })
}
