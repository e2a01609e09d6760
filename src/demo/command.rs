//! The commands `demo`, `acme` and `cycle`: arguments in, servers and text on standard output out.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::acme::{Acme, AcmeOptions};
use super::client::{Client, ClientError};
use super::cycle::{self, Idp, Observer, Profile, Report, Tally, Target};
use super::sidecar::{Elsewhere, Setup, Sidecar, SidecarError};
use crate::config::reload::{LoadError, now, read_text};

/// The commands that show and try the sidecar.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show it all in one process: a sample application, the sidecar in front of it, provisioning cycles
    Demo(DemoArgs),
    /// Serve the sample application alone
    #[command(hide = true)]
    Acme(AcmeArgs),
    /// Run provisioning cycles against a sidecar
    #[command(hide = true)]
    Cycle(CycleArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the cycles; the exit status is 1 if a step deviated
    #[arg(long, conflicts_with = "no_cycle")]
    exit: bool,
    /// Serve only, and say where in one line
    #[arg(long)]
    no_cycle: bool,
    /// Where the sidecar listens [default: a free port on loopback]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The bearer token it accepts [default: a random one]
    #[arg(long)]
    token: Option<String>,
    /// Whose cycles
    #[arg(long, value_enum, default_value_t = Idp::Entra)]
    idp: Idp,
}

/// Arguments of `acme`.
#[derive(Debug, Args)]
pub struct AcmeArgs {
    /// Where it listens [default: a free port on loopback]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The key it wants as X-Api-Key [default: a random one]
    #[arg(long)]
    token: Option<String>,
}

/// Arguments of `cycle`.
#[derive(Debug, Args)]
pub struct CycleArgs {
    /// SCIM base URL of a sidecar that runs elsewhere
    #[arg(long, required_unless_present = "config", conflicts_with = "config")]
    url: Option<String>,
    /// Configuration to start a sidecar with; its secrets come from the environment
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where the application is, instead of where the configuration says
    #[arg(long, requires = "config")]
    upstream: Option<String>,
    /// The bearer token [default with --config: the one of the configuration]
    #[arg(long, env = "SCIM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// What stands behind the sidecar, because not every application can do everything
    #[arg(long, default_value = "acme", value_parser = Profile::NAMES)]
    profile: String,
    /// Whose cycles
    #[arg(long, value_enum, default_value_t = Idp::All)]
    idp: Idp,
}

/// Why a command could not do what it is for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The sidecar.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// The configuration file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A script in this source tree is malformed, which a test excludes.
    #[error("the cycles cannot be read: {0}")]
    Scripts(#[from] serde_json::Error),
    /// A listener, or standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Fine,
    /// A step of a cycle deviated.
    Deviated,
}

/// Carries out a command.
///
/// # Errors
/// [`CommandError`].
pub async fn run(command: Command) -> Result<Ending, CommandError> {
    match command {
        Command::Demo(args) => demo(args).await,
        Command::Acme(args) => acme(args).await,
        Command::Cycle(args) => cycle(args).await,
    }
}

async fn demo(args: DemoArgs) -> Result<Ending, CommandError> {
    let (token, key) = (args.token.unwrap_or_else(random_word), random_word());
    let listener = TcpListener::bind(ANY_PORT).await?;
    let app = Acme::start(listener, AcmeOptions::new(&key)).await?;
    let setup = Setup {
        file: "config.toml".into(),
        text: CONFIG.to_owned(),
        listen: args.listen.unwrap_or(ANY_PORT),
        upstream: Some(format!("http://{}", app.addr())),
        variables: vec![("SCIM_TOKEN", token.clone()), ("ACME_KEY", key)],
        expires: Some(now() + CREDENTIALS_LAST),
    };
    let sidecar = Sidecar::start(setup).await?;
    let base = sidecar.base_url();
    if args.no_cycle {
        say(&format!("READY base_url={base} token={token}\n"))?;
        return until_interrupted(&app, &sidecar).await;
    }
    let admin = sidecar.admin_addr();
    say(&format!(
        "application  http://{}/api\nsidecar      {base}\nmetrics      http://{admin}/metrics\n",
        app.addr()
    ))?;
    let target = Target { base: base.clone(), token: token.clone() };
    let tally = cycles(args.idp, "acme", &target, sidecar.observer()).await?;
    if args.exit {
        sidecar.stop();
        app.stop();
        return Ok(ending(tally));
    }
    say(&format!(
        "\nThe sidecar goes on serving until Ctrl-C. Try:\n\n  \
         curl -s -H 'Authorization: Bearer {token}' {base}/Users\n  \
         curl -s -H 'Authorization: Bearer {token}' {base}/Schemas\n"
    ))?;
    until_interrupted(&app, &sidecar).await
}

async fn acme(args: AcmeArgs) -> Result<Ending, CommandError> {
    let key = args.token.unwrap_or_else(random_word);
    let listener = TcpListener::bind(args.listen.unwrap_or(ANY_PORT)).await?;
    // Under load, memories of calls would be most of the memory.
    let options = AcmeOptions { record: false, ..AcmeOptions::new(&key) };
    let app = Acme::start(listener, options).await?;
    say(&format!("READY url=http://{} key={key}\n", app.addr()))?;
    told_to_stop().await?;
    app.stop();
    Ok(Ending::Fine)
}

async fn cycle(args: CycleArgs) -> Result<Ending, CommandError> {
    let token = args.token;
    let Some(file) = args.config else {
        let base = args.url.unwrap_or_default().trim_end_matches('/').to_owned();
        let target = Target { base, token: token.unwrap_or_default() };
        return Ok(ending(cycles(args.idp, &args.profile, &target, &Elsewhere).await?));
    };
    let text = read_text(&file).await?;
    // Nobody else is let in, so that the provider's token may be any.
    let variables = vec![("SCIM_TOKEN", token.unwrap_or_else(random_word))];
    let setup = Setup { file, text, listen: ANY_PORT, upstream: args.upstream, variables, expires: None };
    let sidecar = Sidecar::start(setup).await?;
    let target = Target { base: sidecar.base_url(), token: sidecar.token().to_owned() };
    let tally = cycles(args.idp, &args.profile, &target, sidecar.observer()).await?;
    sidecar.stop();
    Ok(ending(tally))
}

/// Runs the cycles of a provider and prints them.
async fn cycles(idp: Idp, profile: &str, target: &Target, observer: &impl Observer) -> Result<Tally, CommandError> {
    let client = Client::new()?;
    let mut report = Report::stdout();
    let mut tally = Tally::default();
    for script in idp.scripts(&Profile::named(profile)?)? {
        report.title(&script.title)?;
        let mut written = Ok(());
        let of_script = cycle::run(&script, &client, target, observer, |outcome| {
            if written.is_ok() {
                written = report.step(outcome);
            }
        });
        tally.add(of_script.await);
        written?;
    }
    report.summary(tally)?;
    Ok(tally)
}

async fn until_interrupted(app: &Acme, sidecar: &Sidecar) -> Result<Ending, CommandError> {
    told_to_stop().await?;
    sidecar.stop();
    app.stop();
    Ok(Ending::Fine)
}

/// The first process of a container gets no signal that it does not ask for.
async fn told_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

fn ending(tally: Tally) -> Ending {
    if tally.is_clean() { Ending::Fine } else { Ending::Deviated }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Two random words of the standard library: enough for a token that lives as long as a demonstration.
fn random_word() -> String {
    (0..2).fold(String::new(), |mut word, _| {
        // Writing to a `String` cannot fail.
        let _ = write!(word, "{:016x}", RandomState::new().hash_one(()));
        word
    })
}

/// What the sidecar of the demonstration runs with: the annotated configuration itself.
const CONFIG: &str = include_str!("../../config.toml");
/// Seconds until the credentials of the demonstration expire, so that there is something to see.
const CREDENTIALS_LAST: i64 = 90 * 24 * 3600;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Command, random_word};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    fn check(line: &str, accepted: bool) {
        let parsed = Cli::try_parse_from(std::iter::once("scimshim").chain(line.split(' ')));
        assert_eq!(parsed.is_ok(), accepted, "{line}: {parsed:?}");
    }

    #[test]
    fn arguments_that_contradict_one_another_are_refused() {
        check("demo --exit", true);
        check("demo --idp okta --listen 127.0.0.1:0", true);
        check("demo --exit --no-cycle", false);
        check("demo --idp nobody", false);
        check("acme --listen 127.0.0.1:1 --token t", true);
        check("cycle --url http://x --token t --profile jupyterhub", true);
        check("cycle --config f --upstream http://x", true);
        check("cycle", false);
        check("cycle --url u --config f", false);
        check("cycle --url u --profile other", false);
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(random_word(), random_word());
        assert_eq!(random_word().len(), 32);
    }
}
