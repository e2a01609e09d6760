//! What is measured, and the servers it runs on.
//!
//! In: the built binary and the root `config.toml`. Out: three running servers (the sample application, the bare
//! proxy, the sidecar) and the requests of every [`Subject`]. It measures nothing.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::load::{once, request};
use crate::process::{Process, free_address};
use crate::{Options, Outcome};

/// The one secret of the run: the application's key and the sidecar's bearer token alike.
const TOKEN: &str = "bench-only-token";
const SCIM_BASE: &str = "/scim/v2/demo/bench";
/// Resources that are read and changed in turn; above the number of connections, so that no two meet on one.
const POOL: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The native call, to the application itself.
    Direct,
    /// The native call through the bare proxy.
    Bare,
    /// The native call through the sidecar.
    Pass,
    /// `GET /Users/{id}`.
    Read,
    /// `GET /Users?count=100`.
    List,
    /// `POST /Users`.
    Create,
    /// `PATCH /Users/{id}` of `active`, to the other value each time.
    Patch,
}

impl Subject {
    pub(crate) const ALL: [Self; 7] =
        [Self::Direct, Self::Bare, Self::Pass, Self::Read, Self::List, Self::Create, Self::Patch];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "application, native GET",
            Self::Bare => "bare proxy, native GET",
            Self::Pass => "sidecar, native GET",
            Self::Read => "sidecar, SCIM GET",
            Self::List => "sidecar, SCIM list of 100",
            Self::Create => "sidecar, SCIM POST",
            Self::Patch => "sidecar, SCIM PATCH",
        }
    }

    /// Writes are fewer, because the application keeps what is made; lists are, because each takes so long.
    pub(crate) fn share_of(self, requests: usize) -> usize {
        match self {
            Self::Create | Self::Patch => requests.div_ceil(5),
            Self::List => requests.div_ceil(20),
            _ => requests,
        }
    }
}

pub(crate) struct Stage {
    pub(crate) application: Process,
    pub(crate) bare: Process,
    pub(crate) sidecar: Process,
    binary: PathBuf,
    folder: PathBuf,
    native_ids: Arc<Vec<String>>,
    scim_ids: Arc<Vec<String>>,
    /// Numbers names, so that no `POST` of the whole run meets an earlier one.
    made: Arc<AtomicUsize>,
}

impl Stage {
    pub(crate) async fn set(options: &Options) -> Outcome<Self> {
        let patience = Duration::from_secs(20);
        fs::create_dir_all(&options.out)?;

        let address = free_address()?;
        let mut command = Command::new(&options.binary);
        command.args(["acme", "--listen", &address.to_string(), "--token", TOKEN]);
        let application = Process::start("application", &mut command, address, patience).await?;

        let address = free_address()?;
        let mut command = bare_command(address, application.address)?;
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
            native_ids: Arc::default(),
            scim_ids: Arc::default(),
            made: Arc::default(),
        };
        stage.populate().await?;
        Ok(stage)
    }

    /// The process that a subject's cost is looked up in.
    pub(crate) fn process(&self, subject: Subject) -> &Process {
        match subject {
            Subject::Direct => &self.application,
            Subject::Bare => &self.bare,
            _ => &self.sidecar,
        }
    }

    /// The requests of a subject, by number.
    pub(crate) fn requests(&self, subject: Subject) -> Box<dyn Fn(usize) -> Vec<u8> + Send + Sync> {
        let native_ids = Arc::clone(&self.native_ids);
        let scim_ids = Arc::clone(&self.scim_ids);
        let made = Arc::clone(&self.made);
        match subject {
            Subject::Direct | Subject::Bare | Subject::Pass => Box::new(move |number| {
                let id = &native_ids[number % POOL];
                request("GET", &format!("/api/employees/{id}"), &native_headers(), "")
            }),
            Subject::Read => Box::new(move |number| {
                let id = &scim_ids[number % POOL];
                request("GET", &format!("{SCIM_BASE}/Users/{id}"), &scim_headers(), "")
            }),
            Subject::List => Box::new(|_| request("GET", &format!("{SCIM_BASE}/Users?count=100"), &scim_headers(), "")),
            Subject::Create => Box::new(move |_| create_request(&made)),
            Subject::Patch => Box::new(move |number| {
                let id = &scim_ids[number % POOL];
                patch_request(id, (number / POOL) % 2 == 1)
            }),
        }
    }

    /// The command of another process for a subject, to be run under a tool.
    pub(crate) fn command(&self, subject: Subject, listen: SocketAddr) -> Outcome<Command> {
        let upstream = self.application.address;
        match subject {
            Subject::Bare => bare_command(listen, upstream),
            _ => sidecar_command(&self.binary, &self.folder, listen, upstream),
        }
    }

    async fn populate(&mut self) -> Outcome<()> {
        let (mut native, mut scim) = (Vec::new(), Vec::new());
        for number in 0..POOL {
            let body = format!(r#"{{"login":"native{number}","first_name":"Nat"}}"#);
            let made = request("POST", "/api/employees", &native_headers(), &body);
            native.push(id_in(&once(self.application.address, &made).await?)?);
            let made = create_request(&self.made);
            scim.push(id_in(&once(self.sidecar.address, &made).await?)?);
        }
        self.native_ids = Arc::new(native);
        self.scim_ids = Arc::new(scim);
        Ok(())
    }
}

fn native_headers() -> String {
    format!("X-Api-Key: {TOKEN}\r\nContent-Type: application/json\r\n")
}

fn scim_headers() -> String {
    format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/scim+json\r\n")
}

fn create_request(made: &AtomicUsize) -> Vec<u8> {
    let number = made.fetch_add(1, Ordering::Relaxed);
    let body = format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user{number}@example.com","externalId":"ext-{number}","name":{{"givenName":"Given","familyName":"Family"}},"emails":[{{"value":"user{number}@example.com","type":"work","primary":true}}],"active":true}}"#
    );
    request("POST", &format!("{SCIM_BASE}/Users"), &scim_headers(), &body)
}

fn patch_request(id: &str, active: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"replace","path":"active","value":{active}}}]}}"#
    );
    request("PATCH", &format!("{SCIM_BASE}/Users/{id}"), &scim_headers(), &body)
}

/// The `id` of a created resource, on either side; some APIs wrap what they answer once.
fn id_in(body: &[u8]) -> Outcome<String> {
    let value: Value = serde_json::from_slice(body)?;
    let inner = value.as_object().and_then(|members| members.values().find(|member| member.get("id").is_some()));
    match value.get("id").or_else(|| inner?.get("id")) {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        _ => Err("a created resource came back without an id".into()),
    }
}

fn bare_command(listen: SocketAddr, upstream: SocketAddr) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", &listen.to_string(), &upstream.to_string()]);
    Ok(command)
}

/// The sidecar with the shipped config, moved to the addresses of this run.
fn sidecar_command(binary: &Path, folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> Outcome<Command> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
    let shipped = fs::read_to_string(&shipped).map_err(|err| format!("{}: {err}", shipped.display()))?;
    let (text, secrets) = moved_config(&shipped, listen, upstream)?;
    let file = folder.join(format!("config-{}.toml", listen.port()));
    fs::write(&file, text)?;
    let mut command = Command::new(binary);
    command.args(["run", "-c"]).arg(file);
    command.envs(secrets.into_iter().map(|name| (name, TOKEN)));
    Ok(command)
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
