//! What planning and mapping cost, without sockets: from the bytes of a request and of the application's replies to
//! the bytes of the answer, with the `config.toml` at the root.
//!
//! In: an operation, and how often. Out: microseconds for one, or with `--instructions` what valgrind counts: the
//! difference of two runs, so that loading is in neither. It needs nothing but the core:
//!
//! ```text
//! cargo bench --no-default-features --bench mapping
//! cargo bench --no-default-features --bench mapping -- --instructions
//! cargo bench --no-default-features --bench mapping -- run get 1000     under a profiler
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "numbers are what this program is for")]

mod operations;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use operations::{NAMES, Operation};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Cargo adds `--bench` to whatever the caller says.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        [] => NAMES.iter().try_for_each(|name| time(name)),
        ["--instructions"] => NAMES.iter().try_for_each(|name| count(name)),
        ["show", name] => show(name),
        ["run", name, times] => times.parse().map_err(Into::into).and_then(|times| run(name, times)),
        _ => Err("usage: [--instructions | show OPERATION | run OPERATION TIMES]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, times: usize) -> Outcome<()> {
    let operation = Operation::new(name)?;
    for _ in 0..times {
        black_box(operation.answer());
    }
    Ok(())
}

/// The answer, to see that it is one.
fn show(name: &str) -> Outcome<()> {
    println!("{}", String::from_utf8(Operation::new(name)?.answer())?);
    Ok(())
}

fn time(name: &str) -> Outcome<()> {
    let operation = Operation::new(name)?;
    let times = if name.starts_with("list") { 200_u32 } else { 10_000 };
    let best = (0..5).map(|_| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(operation.answer());
        }
        start.elapsed() / times
    });
    println!("{name:>10} {:>10.2} us", best.min().unwrap_or_default().as_secs_f64() * 1e6);
    Ok(())
}

/// Instructions and calls to the allocator for one operation.
fn count(name: &str) -> Outcome<()> {
    const FEW: usize = 10;
    const MANY: usize = 110;
    let (few, many) = (counted(name, FEW)?, counted(name, MANY)?);
    let each = |few: u64, many: u64| many.saturating_sub(few) / (MANY - FEW) as u64;
    println!("{name:>10} {:>9} instructions {:>6} allocations", each(few.0, many.0), each(few.1, many.1));
    Ok(())
}

fn counted(name: &str, times: usize) -> Outcome<(u64, u64)> {
    let file = std::env::temp_dir().join(format!("mapping-{}.callgrind", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["run", name, &times.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let text = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    if !status.success() {
        return Err("valgrind failed".into());
    }
    let sum = text.lines().find_map(|line| line.strip_prefix("summary:").or_else(|| line.strip_prefix("totals:")));
    Ok((sum.ok_or("a callgrind file without a sum")?.trim().parse()?, allocations(&text)?))
}

/// Calls for new or more memory. A function stands with its name where it is first met, and as its number from then
/// on: `(12) main`, `(12)`.
fn allocations(text: &str) -> Outcome<u64> {
    let (mut numbers, mut into_allocator, mut found) = (Vec::new(), false, 0);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (number, full) = name.split_once(' ').map_or((name, ""), |(number, full)| (number, full));
            if ["__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc"].iter().any(|way| full.ends_with(way)) {
                numbers.push(number);
            }
            into_allocator = line.starts_with('c') && numbers.contains(&number);
        } else if let Some(calls) = line.strip_prefix("calls=").filter(|_| into_allocator) {
            found += calls.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(found)
}
