//! What the sidecar costs: the same calls made to the application directly, through a bare Pingora proxy, through
//! the sidecar as a pass-through, and as SCIM requests that the sidecar answers itself.
//!
//! In: the built binary and the `config.toml` at the root. Out: a table, and `summary.json` for machines. All is
//! measured in one run, in interleaved rounds, because a machine's mood changes from minute to minute and only
//! ratios within a round can be compared. Everything is on loopback, bounded in count and in time.
//!
//! Roles: `orchestrate` (the default) measures and starts the others; `bare` is the proxy to compare with.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this program is for")]

mod bare;
mod callgrind;
mod load;
mod process;
mod report;
mod rounds;
mod stage;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Requests a round for the cheap subjects; SCIM writes get a fifth, because the application keeps what is made.
    requests: usize,
    connections: usize,
    callgrind: bool,
}

fn orchestrate(args: &[String]) -> Outcome<()> {
    let options = options(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stage = stage::Stage::set(&options).await?;
        let mut summary = rounds::run(&stage, &options).await?;
        // The rounds are reported even if the counting, which comes last, fails.
        let counted = if options.callgrind { callgrind::run(&stage, &options).await } else { Ok(Vec::new()) };
        if let Ok(costs) = &counted {
            summary.costs.clone_from(costs);
        }
        print!("{}", report::table(&summary));
        report::write_json(&summary, &options.out)?;
        counted.map(drop)
    })
}

fn options(args: &[String]) -> Outcome<Options> {
    let mut options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_scimshim")),
        out: PathBuf::from("target/bench"),
        rounds: 5,
        requests: 10_000,
        connections: 16,
        callgrind: true,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.as_slice().first()) {
            ("--quick", _) => {
                options.rounds = 2;
                options.requests = 1_000;
                options.callgrind = false;
                continue;
            }
            ("--binary", Some(value)) => options.binary = value.into(),
            ("--out", Some(value)) => options.out = value.into(),
            ("--connections", Some(value)) => options.connections = value.parse()?,
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
    let [listen, upstream] = args else {
        return Err("usage: bare LISTEN UPSTREAM".into());
    };
    let upstream: SocketAddr = upstream.parse()?;
    bare::serve(listen, upstream)
}
