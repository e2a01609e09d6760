//! Turns samples into a table for people and JSON for machines.
//!
//! In: a [`Summary`]. Out: text. Medians, with the best value beside the CPU time, because disturbance only ever
//! adds to it; ratios are taken within a round and then the median of those.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::callgrind::Cost;
use crate::rounds::{Sample, Summary};
use crate::stage::Subject;

pub(crate) fn table(summary: &Summary) -> String {
    let connections = summary.connections;
    let rows: String = Subject::ALL.into_iter().map(|subject| Row::of(summary, subject).to_line(subject)).collect();
    format!(
        "\n{:<26} {:>9} {:>8} {:>8} {:>10} {:>7} {:>7} {:>10} {:>7} {:>10} {:>7}\n{rows}\
         medians of {} rounds, {connections} connections; peak memory: bare proxy {:.1} MiB, sidecar {:.1} MiB\n",
        "",
        "req/s",
        "p50 us",
        "p99 us",
        "CPU ms/1k",
        "(best)",
        "x bare",
        "instr/req",
        "x bare",
        "allocs/req",
        "x bare",
        column(summary, Subject::Bare, |sample| sample.p50_us).len(),
        mib(summary.bare_peak_kib),
        mib(summary.sidecar_peak_kib)
    )
}

pub(crate) fn write_json(summary: &Summary, folder: &Path) -> Outcome<()> {
    let subjects: Vec<Value> =
        Subject::ALL.into_iter().map(|subject| Row::of(summary, subject).to_json(subject)).collect();
    let value = json!({
        "connections": summary.connections,
        "bare_peak_kib": summary.bare_peak_kib,
        "sidecar_peak_kib": summary.sidecar_peak_kib,
        "subjects": subjects,
    });
    let file = folder.join("summary.json");
    fs::write(&file, format!("{value:#}\n"))?;
    println!("written to {}", file.display());
    Ok(())
}

struct Row {
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_ms_per_1k: f64,
    cpu_ms_per_1k_best: f64,
    cpu_to_bare: f64,
    instructions: Option<f64>,
    instructions_to_bare: Option<f64>,
    allocations: Option<f64>,
    allocations_to_bare: Option<f64>,
}

impl Row {
    fn of(summary: &Summary, subject: Subject) -> Self {
        let median_of = |value: fn(&Sample) -> f64| median(column(summary, subject, value));
        let cpu = column(summary, subject, |sample| sample.cpu_ms_per_1k);
        let bare_cpu = column(summary, Subject::Bare, |sample| sample.cpu_ms_per_1k);
        let ratios = cpu.iter().zip(&bare_cpu).map(|(this, bare)| this / bare);
        let cost = |wanted: Subject| summary.costs.iter().find(|(of, _)| *of == wanted).map(|(_, cost)| *cost);
        let (own, bare) = (cost(subject), cost(Subject::Bare));
        let to_bare = |part: fn(Cost) -> f64| own.zip(bare).map(|(own, bare)| part(own) / part(bare));
        Self {
            requests_per_second: median_of(|sample| sample.requests_per_second),
            p50_us: median_of(|sample| sample.p50_us),
            p99_us: median_of(|sample| sample.p99_us),
            cpu_to_bare: median(ratios.collect()),
            cpu_ms_per_1k_best: cpu.iter().copied().fold(f64::INFINITY, f64::min),
            cpu_ms_per_1k: median(cpu),
            instructions: own.map(|cost| cost.instructions),
            instructions_to_bare: to_bare(|cost| cost.instructions),
            allocations: own.map(|cost| cost.allocations),
            allocations_to_bare: to_bare(|cost| cost.allocations),
        }
    }

    fn to_line(&self, subject: Subject) -> String {
        format!(
            "{:<26} {:>9.0} {:>8.0} {:>8.0} {:>10.1} {:>7.1} {:>7.2} {:>10} {:>7} {:>10} {:>7}\n",
            subject.name(),
            self.requests_per_second,
            self.p50_us,
            self.p99_us,
            self.cpu_ms_per_1k,
            self.cpu_ms_per_1k_best,
            self.cpu_to_bare,
            or_dash(self.instructions, 0),
            or_dash(self.instructions_to_bare, 2),
            or_dash(self.allocations, 0),
            or_dash(self.allocations_to_bare, 2),
        )
    }

    fn to_json(&self, subject: Subject) -> Value {
        json!({
            "subject": subject.name(),
            "requests_per_second": self.requests_per_second,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "cpu_ms_per_1k": self.cpu_ms_per_1k,
            "cpu_ms_per_1k_best": self.cpu_ms_per_1k_best,
            "cpu_to_bare": self.cpu_to_bare,
            "instructions_per_request": self.instructions,
            "instructions_to_bare": self.instructions_to_bare,
            "allocations_per_request": self.allocations,
            "allocations_to_bare": self.allocations_to_bare,
        })
    }
}

/// One number of a subject in the order of the rounds, whatever order they were measured in.
fn column(summary: &Summary, subject: Subject, value: fn(&Sample) -> f64) -> Vec<f64> {
    let mut samples: Vec<&Sample> = summary.samples.iter().filter(|sample| sample.subject == subject).collect();
    samples.sort_by_key(|sample| sample.round);
    samples.into_iter().map(value).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn or_dash(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[expect(clippy::cast_precision_loss, reason = "memory in KiB is far below 2^52")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
