//! Instructions per request: a number that does not depend on what else the machine is doing.
//!
//! In: the stage, and valgrind if the machine has it. Out: user-space instructions for one request of each proxied
//! subject. Every server is run twice, with few and with many requests; start and stop cost the same in both, so the
//! difference is the requests' alone. Kernel time is not in it.

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

pub(crate) async fn run(stage: &Stage, options: &Options) -> Outcome<Vec<(Subject, f64)>> {
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

#[expect(clippy::cast_precision_loss, reason = "instruction counts of a short run are far below 2^52")]
fn per_request(few: u64, many: u64) -> f64 {
    many.saturating_sub(few) as f64 / (MANY - FEW) as f64
}

/// All instructions of one run of the subject's server, from start to stop.
async fn count(stage: &Stage, subject: Subject, requests: usize, folder: &Path) -> Outcome<u64> {
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
    total(&fs::read_to_string(file)?)
}

/// The `summary:` (or, in older versions, `totals:`) line of a callgrind file.
fn total(text: &str) -> Outcome<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("summary:").or_else(|| line.strip_prefix("totals:")));
    Ok(line.ok_or("a callgrind file without a sum")?.trim().parse()?)
}

fn present() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
