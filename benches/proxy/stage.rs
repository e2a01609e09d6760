//! What is measured, and the servers it runs on.
//!
//! In: the built binary and the root `config.toml`. Out: three running servers (the sample application, the bare
//! proxy, the sidecar) and what there is to ask about. It measures nothing.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::load::once;
use crate::process::{Process, free_address};
use crate::requests::{POOL, Population, Subject, TOKEN, scim_create};
use crate::{Options, Outcome};

pub(crate) struct Stage {
    pub(crate) application: Process,
    pub(crate) bare: Process,
    pub(crate) sidecar: Process,
    binary: PathBuf,
    folder: PathBuf,
    /// As many for either proxy.
    threads: usize,
    population: Population,
}

impl Stage {
    pub(crate) async fn set(options: &Options) -> Outcome<Self> {
        let patience = Duration::from_secs(20);
        fs::create_dir_all(&options.out)?;

        let address = free_address()?;
        let mut command = Command::new(&options.binary);
        command.args(["acme", "--listen", &address.to_string(), "--token", TOKEN]);
        let application = Process::start("application", &mut command, address, patience).await?;

        let threads = threads_of(&fs::read_to_string(shipped_config())?)?;
        let address = free_address()?;
        let mut command = bare_command(address, application.address, threads)?;
        let bare = Process::start("bare proxy", &mut command, address, patience).await?;

        let address = free_address()?;
        let mut command = sidecar_command(&options.binary, &options.out, address, application.address)?;
        let sidecar = Process::start("sidecar", &mut command, address, patience).await?;

        let mut stage = Self {
            application,
            bare,
            sidecar,
            binary: options.binary.clone(),
            folder: options.out.clone(),
            threads,
            population: Population::default(),
        };
        stage.populate().await?;
        Ok(stage)
    }

    /// The process that a subject's cost is looked up in.
    pub(crate) fn process(&self, subject: Subject) -> &Process {
        match subject {
            Subject::Direct => &self.application,
            subject if subject.is_bare() => &self.bare,
            _ => &self.sidecar,
        }
    }

    /// The requests of a subject, by number.
    pub(crate) fn requests(&self, subject: Subject) -> Box<dyn Fn(usize) -> Vec<u8> + Send + Sync> {
        self.population.requests(subject)
    }

    /// The command of another process for a subject, to be run under a tool.
    pub(crate) fn command(&self, subject: Subject, listen: SocketAddr) -> Outcome<Command> {
        let upstream = self.application.address;
        match subject {
            subject if subject.is_bare() => bare_command(listen, upstream, self.threads),
            _ => sidecar_command(&self.binary, &self.folder, listen, upstream),
        }
    }

    /// The same people for both sides, made by way of the sidecar.
    async fn populate(&mut self) -> Outcome<()> {
        let made = Arc::clone(&self.population.made);
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        for _ in 0..POOL {
            let (name, request) = scim_create(&made);
            ids.push(id_in(&once(self.sidecar.address, &request).await?)?);
            names.push(name);
        }
        let (ids, names) = (Arc::new(ids), Arc::new(names));
        self.population = Population { native_ids: Arc::clone(&ids), scim_ids: ids, names, made };
        Ok(())
    }
}

/// The `id` of a created resource, which is the application's own.
fn id_in(body: &[u8]) -> Outcome<String> {
    let value: Value = serde_json::from_slice(body)?;
    let id = value.get("id").and_then(Value::as_str).ok_or("a created resource came back without an id")?;
    Ok(id.to_owned())
}

fn bare_command(listen: SocketAddr, upstream: SocketAddr, threads: usize) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", &listen.to_string(), &upstream.to_string(), &threads.to_string()]);
    Ok(command)
}

/// The sidecar with the shipped config, moved to the addresses of this run.
fn sidecar_command(binary: &Path, folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> Outcome<Command> {
    let shipped = shipped_config();
    let shipped = fs::read_to_string(&shipped).map_err(|err| format!("{}: {err}", shipped.display()))?;
    let (text, secrets) = moved_config(&shipped, listen, upstream)?;
    let file = folder.join(format!("config-{}.toml", listen.port()));
    fs::write(&file, text)?;
    let mut command = Command::new(binary);
    command.args(["run", "-c"]).arg(file);
    command.envs(secrets.into_iter().map(|name| (name, TOKEN)));
    Ok(command)
}

fn shipped_config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")
}

/// The worker threads that a config asks for.
fn threads_of(config: &str) -> Outcome<usize> {
    let value = config.lines().find_map(|line| line.strip_prefix("threads")?.trim_start().strip_prefix('='));
    let value = value.and_then(|value| value.split('#').next()).ok_or("the config has no `threads`")?;
    Ok(value.trim().parse()?)
}

/// Replaces the addresses in a config and lists the environment variables it takes its secrets from.
///
/// By line and not by a parser, so that the config stays the shipped one in everything else. The admin listener gets
/// a port of its own.
fn moved_config(shipped: &str, listen: SocketAddr, upstream: SocketAddr) -> Outcome<(String, Vec<String>)> {
    let (mut lines, mut secrets) = (Vec::new(), Vec::new());
    let mut listeners = 0;
    for line in shipped.lines() {
        let named = line.split('"').filter_map(|part| part.strip_prefix("env:"));
        secrets.extend(named.map(str::to_owned));
        let key = line.split('=').next().unwrap_or_default().trim();
        if key == "listen" {
            listeners += 1;
            lines.push(format!("listen = \"{listen}\""));
        } else if key == "admin_listen" {
            lines.push(format!("admin_listen = \"{}\"", free_address()?));
        } else if key == "url" {
            lines.push(format!("url = \"http://{upstream}\""));
        } else {
            lines.push(line.to_owned());
        }
    }
    if listeners == 0 {
        return Err("the config has no `listen`".into());
    }
    Ok((lines.join("\n"), secrets))
}
