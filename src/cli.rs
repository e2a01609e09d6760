//! The command line: words to actions, and actions to exit codes.
//!
//! In: arguments. Out: 0 if all went well, 1 if not, 2 for arguments that make no sense. What goes wrong before logging
//! starts is said on standard error.

mod config;
mod help;
mod install;
mod log_level;
mod online;
mod probe;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::adapter::{ResourceLocks, Shared};
use crate::cases;
use crate::config::Snapshot;
use crate::config::levels::Levels;
use crate::config::reload::{FILE_MAX_BYTES, LoadError, Reloader};
use crate::demo::command as demo;
use crate::explain;
use crate::server::load::{FileLoader, compile_file};
use crate::server::{Listeners, RunOptions, Running, start};
use crate::telemetry::Metrics;
use crate::telemetry::log::{self, LogOptions};

/// A reverse-proxy sidecar that makes an application SCIM-capable by configuration alone.
#[derive(Debug, Parser)]
#[command(name = "scimshim", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM; SIGHUP or a changed file reloads the configuration.
    Run(RunArgs),
    /// Check a configuration and print everything that is wrong with it.
    Check(config::CheckArgs),
    /// Look at a configuration: show, schema, reference, migrate.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Explain a code of `check`, such as E014, or a command.
    Help {
        /// A code or a command.
        topic: Option<String>,
    },
    /// Print what a SCIM request would become, without doing it.
    Explain(explain::cli::ExplainArgs),
    /// Run the cases that live beside a configuration.
    Test(cases::cli::TestArgs),
    /// Ask a running sidecar how it is, for probes that run a command.
    Healthcheck(probe::HealthcheckArgs),
    /// Take a running sidecar out of traffic and wait until nothing is under way.
    Drain(probe::DrainArgs),
    /// Show or change what a running sidecar logs.
    LogLevel(log_level::LogLevelArgs),
    /// Print the completions of a shell.
    Completions(install::CompletionsArgs),
    /// Print the manual page, or write those of all commands.
    Man(install::ManArgs),
    /// Print the version.
    Version,
    #[command(flatten)]
    Demo(demo::Command),
}

#[derive(Args, Debug)]
struct ConfigArgs {
    /// The configuration file.
    #[arg(short, long, env = "SCIMSHIM_CONFIG", default_value = "config.toml")]
    config: PathBuf,
}

#[derive(Args, Debug)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// What is logged, such as `info,scimshim::native=debug` [default: what the configuration says]
    #[arg(long, env = "SCIMSHIM_LOG", value_parser = log_level::levels)]
    log_level: Option<Levels>,
    /// How log lines look [default: what the configuration says]
    #[arg(long, env = "SCIMSHIM_LOG_FORMAT", value_enum)]
    log_format: Option<log_level::Format>,
}

/// Why the process ends with 1.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Cli {
    /// Does what the arguments say.
    pub fn execute(self) -> ExitCode {
        let result = match self.command {
            Command::Run(args) => run(args),
            Command::Check(args) => config::check(&args),
            Command::Config(command) => config::execute(command),
            Command::Help { topic } => help::help(topic.as_deref()),
            Command::Explain(args) => return explain::cli::run(&args),
            Command::Test(args) => return cases::cli::run(&args),
            Command::Demo(command) => return try_out(command),
            Command::Healthcheck(args) => probe::healthcheck(&args),
            Command::Drain(args) => probe::drain(&args),
            Command::LogLevel(args) => log_level::log_level(&args),
            Command::Completions(args) => install::completions(&args),
            Command::Man(args) => install::man(&args),
            Command::Version => say(concat!("scimshim ", env!("CARGO_PKG_VERSION"), "\n")),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&*error),
        }
    }
}

/// The commands that show the sidecar. A cycle that deviated is a failure that has said so itself.
fn try_out(command: demo::Command) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(demo::run(command)) {
        Ok(demo::Ending::Fine) => ExitCode::SUCCESS,
        Ok(demo::Ending::Deviated) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    // Nobody can be told that standard error is gone.
    let _ = writeln!(std::io::stderr(), "scimshim: {error}");
    ExitCode::FAILURE
}

fn run(args: RunArgs) -> Result<(), Failure> {
    let RunArgs { config: ConfigArgs { config: path }, log_level: levels, log_format } = args;
    log::start(LogOptions { levels, format: log_format.map(Into::into) });
    // Threads and sockets come first and are never reloaded, so that they are read by themselves.
    let snapshot = compile_file(&path, read(&path)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(snapshot.server.threads.max(1))
        .thread_name("scimshim")
        .enable_all()
        .build()?;
    let ended = runtime.block_on(serve(path, &snapshot));
    log::flush();
    ended
}

async fn serve(path: PathBuf, snapshot: &Snapshot) -> Result<(), Failure> {
    // Before anything that may take time, so that no signal is missed.
    let mut signals = Signals::new()?;
    let listeners = Listeners::bind(snapshot.server.listen, snapshot.server.admin_listen).await?;
    let metrics = Metrics::new()?;
    let shared = Shared { metrics: metrics.clone(), locks: Arc::new(ResourceLocks::default()), sink: None };
    let loader = FileLoader::new(path, snapshot.server.clone(), shared);
    let reloader = Reloader::first(Box::new(loader), metrics.clone()).await?;
    let options = RunOptions { max_connections: snapshot.server.max_connections };
    let running = start(reloader.current(), listeners, options, metrics)?;
    let reload = reloader.trigger();
    let reloading = tokio::spawn(reloader.run());
    signals.obey(running, &reload).await;
    reloading.abort();
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Until the server has ended. SIGTERM and SIGINT stop it, told again they hurry it; SIGHUP reloads.
    async fn obey(&mut self, running: Running, reload: &tokio::sync::Notify) {
        let stop = running.stopper();
        let ended = running.wait();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                cut = &mut ended => {
                    tracing::info!(target: "scimshim::server", connections_cut = cut, "stopped");
                    return;
                }
                _ = self.terminate.recv() => stop.begin(),
                _ = self.interrupt.recv() => stop.begin(),
                _ = self.hang_up.recv() => reload.notify_one(),
            }
        }
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > FILE_MAX_BYTES {
        return Err(unreadable(format!("it is larger than {FILE_MAX_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

const EXIT_CODES: &str = "Exit codes: 0 all went well, warnings included; 1 it did not, or the configuration cannot be \
                          used; 2 arguments that make no sense.";

fn say(text: &str) -> Result<(), Failure> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
