//! Instructions and allocations per request: numbers that do not depend on what else the machine is doing.
//!
//! In: the stage, and valgrind if the machine has it. Out: user-space instructions, and calls to the allocator for new
//! or more memory, for one request of each proxied subject. Every server is run twice, with few and with many requests; start and stop cost the same in both, so the
//! difference is the requests' alone. Kernel time is not in it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::load::drive;
use crate::process::{Process, free_address};
use crate::stage::{Stage, Subject};
use crate::{Options, Outcome};

const FEW: usize = 200;
const MANY: usize = 1_000;
/// Threads take turns under valgrind, so more connections would only wait.
const CONNECTIONS: usize = 2;

/// What one request costs, or all of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

pub(crate) async fn run(stage: &Stage, options: &Options) -> Outcome<Vec<(Subject, Cost)>> {
    if !present() {
        eprintln!("bench: instructions are NOT COUNTED, valgrind is not installed");
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for subject in Subject::ALL {
        if subject == Subject::Direct {
            continue;
        }
        eprintln!("bench: counting instructions, {}", subject.name());
        let few = count(stage, subject, FEW, &options.out).await?;
        let many = count(stage, subject, MANY, &options.out).await?;
        found.push((subject, per_request(few, many)));
    }
    Ok(found)
}

#[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
fn per_request(few: Cost, many: Cost) -> Cost {
    let requests = (MANY - FEW) as f64;
    Cost {
        instructions: (many.instructions - few.instructions) / requests,
        allocations: (many.allocations - few.allocations) / requests,
    }
}

/// The cost of one run of the subject's server, from start to stop.
async fn count(stage: &Stage, subject: Subject, requests: usize, folder: &Path) -> Outcome<Cost> {
    let file = folder.join("callgrind.out");
    let address = free_address()?;
    let server = stage.command(subject, address)?;
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(server.get_program())
        .args(server.get_args())
        .envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let process = Process::start("server under valgrind", &mut command, address, Duration::from_secs(120)).await?;
    drive(address, CONNECTIONS, requests, stage.requests(subject)).await?;
    // Pingora ends at once on SIGINT; on SIGTERM the bare proxy would wait out its grace period.
    process.stop("INT").await?;
    let text = fs::read_to_string(file)?;
    Ok(Cost { instructions: total(&text)?, allocations: allocations(&text)? })
}

/// The `summary:` (or, in older versions, `totals:`) line of a callgrind file.
fn total(text: &str) -> Outcome<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("summary:").or_else(|| line.strip_prefix("totals:")));
    Ok(line.ok_or("a callgrind file without a sum")?.trim().parse()?)
}

/// Calls into the allocator from outside of it, by the names of its functions. How deep the compiler has inlined it
/// differs from build to build; where the calls come in does not matter to their number.
fn allocations(text: &str) -> Outcome<f64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let (mut from, mut into, mut count) = ("", "", 0.0);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            from = spelled_out(&mut names, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            into = spelled_out(&mut names, name);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && takes_memory(into)
            && !takes_memory(from)
            && !from.trim_start_matches('_').starts_with("mi_")
        {
            count += calls.split(' ').next().unwrap_or_default().parse::<f64>()?;
        }
    }
    Ok(count)
}

/// A name stands in full where it is first met, and as its number from then on: `(12) main`, `(12)`.
fn spelled_out<'t>(names: &mut HashMap<&'t str, &'t str>, name: &'t str) -> &'t str {
    match name.split_once(' ') {
        Some((number, full)) => names.entry(number).insert_entry(full).get(),
        None => names.get(name).copied().unwrap_or(name),
    }
}

/// Whether this is Rust's way into the allocator or a part of mimalloc.
fn takes_memory(function: &str) -> bool {
    let function = function.strip_prefix("__rustc::").unwrap_or(function).trim_start_matches('_');
    let ways = ["rust_alloc", "rust_realloc", "mi_malloc", "mi_zalloc", "mi_realloc", "mi_theap", "mi_page", "mi_heap"];
    ways.iter().any(|way| function.starts_with(way))
}

fn present() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
