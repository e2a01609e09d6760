//! Instructions and allocations per request: numbers that do not depend on what else the machine is doing.
//!
//! In: the stage, and valgrind if the machine has it. Out: user-space instructions, and calls to the allocator for new
//! or more memory, for one request of each proxied subject. Each of the two proxies is started once under valgrind and
//! told to write down its counts before and after a subject's requests. Kernel time is not in it.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::load::drive;
use crate::process::{Process, free_address};
use crate::requests::Subject;
use crate::stage::Stage;
use crate::{Options, Outcome};

const WARM_UP: usize = 60;
const REQUESTS: usize = 400;
/// Threads take turns under valgrind, so more connections would only wait.
const CONNECTIONS: usize = 2;

/// What one request costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

pub(crate) async fn run(stage: &Stage, options: &Options, found: &mut Vec<(Subject, Cost)>) -> Outcome<()> {
    if !present() {
        eprintln!("bench: instructions are NOT COUNTED, valgrind is not installed");
        return Ok(());
    }
    for bare in [true, false] {
        let of_process = |subject: &Subject| *subject != Subject::Direct && subject.is_bare() == bare;
        let subjects: Vec<Subject> = Subject::ALL.into_iter().filter(of_process).collect();
        let Some(first) = subjects.first() else { continue };
        let mut counted = Counted::start(stage, *first, &options.out).await?;
        for subject in subjects {
            if options.is_over() {
                eprintln!("bench: time is over, {} is NOT COUNTED", subject.name());
                continue;
            }
            eprintln!("bench: counting instructions, {}", subject.name());
            found.push((subject, counted.count(stage, subject).await?));
        }
        // Pingora ends at once on SIGINT; on SIGTERM the bare proxy would wait out its grace period.
        counted.process.stop("INT").await?;
    }
    Ok(())
}

/// A proxy under valgrind.
struct Counted {
    process: Process,
    address: SocketAddr,
    file: PathBuf,
    /// How often it has written down its counts.
    dumps: usize,
}

impl Counted {
    async fn start(stage: &Stage, subject: Subject, folder: &Path) -> Outcome<Self> {
        // Not beside the configuration: the sidecar watches that folder, and would look after every count.
        let folder = folder.join("counts");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("callgrind.{}", if subject.is_bare() { "bare" } else { "sidecar" }));
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
        Ok(Self { process, address, file, dumps: 0 })
    }

    async fn count(&mut self, stage: &Stage, subject: Subject) -> Outcome<Cost> {
        drive(self.address, CONNECTIONS, subject.share_of(WARM_UP), stage.requests(subject)).await?;
        self.dump()?;
        let requests = subject.share_of(REQUESTS);
        drive(self.address, CONNECTIONS, requests, stage.requests(subject)).await?;
        let text = self.dump()?;
        #[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
        let requests = requests as f64;
        Ok(Cost { instructions: total(&text)? / requests, allocations: allocations(&text)? / requests })
    }

    /// What was counted since the last time.
    fn dump(&mut self) -> Outcome<String> {
        let id = self.process.id().to_string();
        let control =
            Command::new("callgrind_control").args(["-d", &id]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !control.success() {
            return Err("callgrind_control cannot reach the process".into());
        }
        self.dumps += 1;
        let file = self.file.with_extension(format!("{}.{}", self.extension(), self.dumps));
        let text = fs::read_to_string(&file).map_err(|err| format!("{}: {err}", file.display()))?;
        Ok(text)
    }

    fn extension(&self) -> &str {
        self.file.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
    }
}

/// The `summary:` (or, in a part of a run, `totals:`) line of a callgrind file.
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
