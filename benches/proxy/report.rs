//! Turns samples into a table for people and JSON for machines.
//!
//! In: a [`Summary`], complete or not. Out: text. Numbers are medians; ratios of CPU time are taken within a round, and
//! then the median of those.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::callgrind::Cost;
use crate::requests::Subject;
use crate::rounds::{Sample, Summary};

pub(crate) fn table(summary: &Summary) -> String {
    let connections = summary.connections;
    let rows: String = Subject::ALL.into_iter().map(|subject| Row::of(summary, subject).to_line(subject)).collect();
    format!(
        "\n{:<31} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6} {:>9} {:>6} {:>7} {:>6} {:>8}\n{rows}\
         CPU is user and kernel time of the process; `x bare` compares with the same native call through the bare\n\
         proxy, `x GET` with a GET through it; medians of {} rounds, {connections} connections.\n\
         Peak memory: bare proxy {:.1} MiB, sidecar {:.1} MiB.\n",
        "",
        "req/s",
        "p50 us",
        "p99 us",
        "CPU us",
        "x bare",
        "x GET",
        "instr",
        "x bare",
        "allocs",
        "x bare",
        "syscalls",
        column(summary, Subject::BareRead, |sample| sample.p50_us).len(),
        mib(summary.bare_peak_kib),
        mib(summary.sidecar_peak_kib)
    )
}

pub(crate) fn write_json(summary: &Summary, folder: &Path) -> Outcome<()> {
    let row = |subject: Subject| Row::of(summary, subject).to_json(subject, summary);
    let subjects: Vec<Value> = Subject::ALL.into_iter().map(row).collect();
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

/// One number of a cost.
type Part = fn(Cost) -> f64;

/// What is not known is not a number.
struct Row {
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    cpu_to_bare: f64,
    cpu_to_bare_get: f64,
    instructions: f64,
    instructions_to_bare: f64,
    allocations: f64,
    allocations_to_bare: f64,
    syscalls: f64,
}

impl Row {
    fn of(summary: &Summary, subject: Subject) -> Self {
        let median_of = |value: fn(&Sample) -> f64| median(column(summary, subject, value));
        let cpu_of = |subject: Subject| column(summary, subject, |sample| sample.cpu_us);
        let to = |other: Subject| {
            let ratios = cpu_of(subject).into_iter().zip(cpu_of(other)).map(|(this, other)| this / other);
            median(ratios.collect())
        };
        let cost = |wanted: Subject, part: Part| {
            summary.costs.iter().find(|(of, _)| *of == wanted).map_or(f64::NAN, |(_, cost)| part(*cost))
        };
        let (instructions, allocations): (Part, Part) = (|cost| cost.instructions, |cost| cost.allocations);
        let bare = subject.yardstick();
        let calls = summary.syscalls.iter().find(|(of, _)| *of == subject).map(|(_, calls)| calls.values().sum());
        Self {
            requests_per_second: median_of(|sample| sample.requests_per_second),
            p50_us: median_of(|sample| sample.p50_us),
            p99_us: median_of(|sample| sample.p99_us),
            cpu_us: median_of(|sample| sample.cpu_us),
            cpu_to_bare: to(bare),
            cpu_to_bare_get: to(Subject::BareRead),
            instructions: cost(subject, instructions),
            instructions_to_bare: cost(subject, instructions) / cost(bare, instructions),
            allocations: cost(subject, allocations),
            allocations_to_bare: cost(subject, allocations) / cost(bare, allocations),
            syscalls: calls.unwrap_or(f64::NAN),
        }
    }

    fn to_line(&self, subject: Subject) -> String {
        format!(
            "{:<31} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6} {:>9} {:>6} {:>7} {:>6} {:>8}\n",
            subject.name(),
            or_dash(self.requests_per_second, 0),
            or_dash(self.p50_us, 0),
            or_dash(self.p99_us, 0),
            or_dash(self.cpu_us, 1),
            or_dash(self.cpu_to_bare, 2),
            or_dash(self.cpu_to_bare_get, 2),
            or_dash(self.instructions, 0),
            or_dash(self.instructions_to_bare, 2),
            or_dash(self.allocations, 0),
            or_dash(self.allocations_to_bare, 2),
            or_dash(self.syscalls, 1),
        )
    }

    fn to_json(&self, subject: Subject, summary: &Summary) -> Value {
        let syscalls = summary.syscalls.iter().find(|(of, _)| *of == subject).map(|(_, calls)| calls);
        json!({
            "subject": subject.name(),
            "requests_per_second": self.requests_per_second,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "cpu_us_per_request": self.cpu_us,
            "cpu_to_bare": self.cpu_to_bare,
            "cpu_to_bare_get": self.cpu_to_bare_get,
            "instructions_per_request": self.instructions,
            "instructions_to_bare": self.instructions_to_bare,
            "allocations_per_request": self.allocations,
            "allocations_to_bare": self.allocations_to_bare,
            "syscalls_per_request": syscalls,
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

fn or_dash(value: f64, decimals: usize) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.decimals$}") }
}

#[expect(clippy::cast_precision_loss, reason = "memory in KiB is far below 2^52")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
