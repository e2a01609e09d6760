//! What the sidecar costs: SCIM requests that it answers, beside the native calls they become made through a bare
//! Pingora proxy, and beside the same calls passed through the sidecar.
//!
//! In: the built binary and the `config.toml` at the root. Out: a table, and `summary.json` for machines. All is
//! measured in one run, in interleaved rounds, because a machine's mood changes from minute to minute and only
//! ratios within a round can be compared. Everything is on loopback, bounded in count and in time; what was found out
//! until a failure, the end of the time or Ctrl-C is reported.
//!
//! Roles: `orchestrate` (the default) measures and starts the others; `bare` is the proxy to compare with.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this program is for")]

mod bare;
mod callgrind;
mod load;
mod process;
mod report;
mod requests;
mod rounds;
mod stage;
mod syscalls;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rounds::Summary;
use stage::Stage;

/// Any failure ends the run with a sentence; nothing is retried.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The allocator of the real binary, so that the bare proxy does not win or lose by another one.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Cargo adds `--bench` to whatever the caller says.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let outcome = match args.first().map(String::as_str) {
        Some("bare") => bare_from(&args[1..]),
        Some("orchestrate") => orchestrate(&args[1..]),
        _ => orchestrate(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("bench: {err}");
            ExitCode::FAILURE
        }
    }
}

/// How much is measured and where things are.
struct Options {
    binary: PathBuf,
    out: PathBuf,
    rounds: usize,
    /// Requests of a subject in a round; of a list, which takes so long, a fraction.
    requests: usize,
    connections: usize,
    /// Whether instructions, allocations and system calls are counted.
    count: bool,
    /// When nothing more is begun.
    until: Instant,
}

impl Options {
    /// Whether the time is over.
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

fn orchestrate(args: &[String]) -> Outcome<()> {
    let options = options(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stage = Stage::set(&options).await?;
        let mut summary = Summary::new(options.connections);
        let outcome = tokio::select! {
            outcome = measure(&stage, &options, &mut summary) => outcome,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        };
        // What is there is shown, whatever went wrong later.
        print!("{}", report::table(&summary));
        report::write_json(&summary, &options.out)?;
        outcome
    })
}

async fn measure(stage: &Stage, options: &Options, summary: &mut Summary) -> Outcome<()> {
    rounds::run(stage, options, summary).await?;
    if options.count {
        syscalls::run(stage, options, &mut summary.syscalls).await?;
        callgrind::run(stage, options, &mut summary.costs).await?;
    }
    Ok(())
}

fn options(args: &[String]) -> Outcome<Options> {
    let mut options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_scimshim")),
        out: PathBuf::from("target/bench"),
        rounds: 21,
        requests: 1_000,
        connections: 16,
        count: true,
        until: Instant::now() + TIME,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.as_slice().first()) {
            ("--quick", _) => {
                options.rounds = 3;
                options.requests = 500;
                options.count = false;
                continue;
            }
            ("--count-only", _) => {
                options.rounds = 0;
                continue;
            }
            ("--binary", Some(value)) => options.binary = value.into(),
            ("--out", Some(value)) => options.out = value.into(),
            ("--connections", Some(value)) => options.connections = value.parse()?,
            ("--rounds", Some(value)) => options.rounds = value.parse()?,
            _ => return Err(format!("`{arg}` is not understood, or wants a value").into()),
        }
        args.next();
    }
    if !(1..=256).contains(&options.connections) {
        return Err("--connections must be from 1 to 256".into());
    }
    Ok(options)
}

fn bare_from(args: &[String]) -> Outcome<()> {
    let [listen, upstream, threads] = args else {
        return Err("usage: bare LISTEN UPSTREAM THREADS".into());
    };
    let upstream: SocketAddr = upstream.parse()?;
    bare::serve(listen, upstream, threads.parse()?)
}

/// A whole run; what is under way then is finished.
const TIME: Duration = Duration::from_secs(240);
