//! From a configuration file to what can be put in force.
//!
//! In: a path, the environment, the files of secrets. Out: a [`Live`] with its adapter and its upstream. When to load
//! is the business of [`reload`](crate::config::reload).

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::adapter::{Adapter, Shared};
use crate::config::reload::{LoadError, Loaded, Loader, fetch_text, now, read_text};
use crate::config::secret::{Secret, SecretKind, SecretRef};
use crate::config::{Backend, ResolvedSecrets, Server, Snapshot, Source, compile_at};
use crate::native::TlsMaterial;
use crate::proxy::edge::{Bounds, Live};
use crate::proxy::forward::TrustedProxies;
use crate::proxy::trust::UpstreamTls;
use crate::proxy::upstream::{Upstream, UpstreamTarget};
use crate::telemetry::trace::Tracer;

/// Loads one file again and again.
pub struct FileLoader {
    path: PathBuf,
    shared: Shared,
    /// `[server]` of the first load: what only a restart can change.
    first: Server,
    secret_files: Mutex<Vec<PathBuf>>,
    /// What the file extended when it was last read, whether or not it was fine.
    extended: Mutex<Vec<PathBuf>>,
}

impl FileLoader {
    /// A loader for `path`. `first` is what the process was started with: sockets and threads follow it for ever.
    pub fn new(path: PathBuf, first: Server, shared: Shared) -> Self {
        Self { path, shared, first, secret_files: Mutex::default(), extended: Mutex::default() }
    }
}

#[async_trait]
impl Loader for FileLoader {
    async fn load(&self) -> Result<Loaded, LoadError> {
        let mut extended = Vec::new();
        let compiled = compile_files(&self.path, read_text(&self.path).await?, &mut extended);
        *self.extended.lock().unwrap_or_else(PoisonError::into_inner) = extended;
        let snapshot = compiled?;
        *self.secret_files.lock().unwrap_or_else(PoisonError::into_inner) = secret_files(&snapshot, &self.path);
        let moved = restart_needed(&self.first, &snapshot.server);
        if !moved.is_empty() {
            return Err(LoadError::RestartNeeded(moved));
        }
        let warnings = snapshot.warnings.iter().map(ToString::to_string).collect();
        let secrets = resolve_secrets(&snapshot, directory(&self.path)).await?;
        let live = prepare(Arc::new(snapshot), &secrets, self.shared.clone()).await?;
        Ok(Loaded { live, warnings })
    }

    fn files(&self) -> Vec<PathBuf> {
        let secrets = self.secret_files.lock().unwrap_or_else(PoisonError::into_inner);
        let extended = self.extended.lock().unwrap_or_else(PoisonError::into_inner);
        [self.path.clone()].into_iter().chain(extended.iter().cloned()).chain(secrets.iter().cloned()).collect()
    }
}

/// Compiles the text of a file.
///
/// # Errors
///
/// [`LoadError::Invalid`] with everything that is wrong with it.
pub fn compile_file(path: &Path, text: String) -> Result<Snapshot, LoadError> {
    compile_files(path, text, &mut Vec::new())
}

/// As [`compile_file`]; `extended` gets the paths of the files that it extends, those that cannot be read included.
fn compile_files(path: &Path, text: String, extended: &mut Vec<PathBuf>) -> Result<Snapshot, LoadError> {
    let source = Source { name: path.display().to_string().into(), text };
    let asked = RefCell::new(Vec::new());
    let fetch = |path: &str| {
        asked.borrow_mut().push(PathBuf::from(path));
        fetch_text(path)
    };
    let compiled = compile_at(source, &fetch, now());
    extended.append(&mut asked.into_inner());
    compiled.map_err(|findings| LoadError::Invalid(findings.iter().map(ToString::to_string).collect()))
}

/// Makes a snapshot ready to serve.
///
/// # Errors
///
/// [`LoadError::Invalid`]: secrets that cannot be what they should be, or trust roots that cannot be read.
pub async fn prepare(snapshot: Arc<Snapshot>, secrets: &ResolvedSecrets, shared: Shared) -> Result<Live, LoadError> {
    let tracer = snapshot.trace.as_ref().map(|rule| Tracer::start(rule, secrets, &shared.metrics)).transpose();
    let tracer = tracer.map_err(|reason| LoadError::Invalid(vec![reason]))?;
    let adapter = Adapter::new(Arc::clone(&snapshot), secrets, shared)
        .map_err(|error| LoadError::Invalid(vec![error.to_string()]))?;
    let upstream = match snapshot.server.passthrough.and_then(|index| snapshot.backends.get(index)) {
        Some(backend) => Some(Upstream::start(upstream_target(&snapshot, backend, secrets)?).await),
        None => None,
    };
    let trusted = snapshot.server.trusted_proxies.iter().map(|range| (range.addr, range.prefix));
    Ok(Live {
        hash: snapshot.hash.clone(),
        log: snapshot.log.clone(),
        bounds: bounds(&snapshot),
        trusted: TrustedProxies::new(trusted),
        upstream,
        tracer,
        scim: Arc::new(adapter),
    })
}

fn bounds(snapshot: &Snapshot) -> Bounds {
    let (server, limits) = (&snapshot.server, &snapshot.limits);
    Bounds {
        header_max_bytes: limits.header_max_bytes,
        header_timeout: limits.header_timeout,
        body_max_bytes: limits.body_max_bytes,
        body_timeout: limits.body_timeout,
        keepalive_timeout: limits.keepalive_timeout,
        keep_accepting: server.keep_accepting,
        drain_timeout: server.drain_timeout,
    }
}

fn upstream_target(
    snapshot: &Snapshot,
    backend: &Backend,
    secrets: &ResolvedSecrets,
) -> Result<UpstreamTarget, LoadError> {
    let invalid =
        |reason: &dyn std::fmt::Display| LoadError::Invalid(vec![format!("backend {}: {reason}", backend.name)]);
    let tls = if backend.url.tls {
        let TlsMaterial { roots, client } =
            TlsMaterial::read(&backend.tls, secrets).map_err(|error| invalid(&error))?;
        let tls = UpstreamTls::new(backend.tls.server_name.clone(), roots, client);
        Some(tls.map_err(|error| invalid(&error))?)
    } else {
        None
    };
    Ok(UpstreamTarget {
        name: backend.name.clone(),
        tls,
        host: backend.url.host.clone(),
        port: backend.url.port,
        connect_timeout: snapshot.limits.upstream_connect_timeout,
        read_timeout: snapshot.limits.upstream_read_timeout,
        idle_timeout: UPSTREAM_IDLE,
        generation: LOADS.fetch_add(1, Ordering::Relaxed),
    })
}

/// Keys of `[server]` that differ and cannot change while running.
fn restart_needed(first: &Server, now: &Server) -> Vec<&'static str> {
    let keys = [
        ("server.listen", first.listen == now.listen),
        ("server.admin_listen", first.admin_listen == now.admin_listen),
        ("server.threads", first.threads == now.threads),
        ("server.max_connections", first.max_connections == now.max_connections),
    ];
    keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}

fn secret_files(snapshot: &Snapshot, config: &Path) -> Vec<PathBuf> {
    let file = |secret: &SecretRef| match &secret.kind {
        SecretKind::File(path) => Some(directory(config).join(path)),
        _ => None,
    };
    snapshot.secrets.iter().filter_map(file).collect()
}

/// Resolves every secret. Files that are given by a relative path are looked for in `directory`.
///
/// # Errors
///
/// [`LoadError::Invalid`] with a line for each secret that cannot be resolved; none of them holds one.
pub async fn resolve_secrets(snapshot: &Snapshot, directory: &Path) -> Result<ResolvedSecrets, LoadError> {
    let (secrets, findings) = resolve_all(snapshot, directory).await;
    if findings.is_empty() { Ok(secrets) } else { Err(LoadError::Invalid(findings)) }
}

/// Resolves the secrets of the configuration at `path` that can be resolved, and says of the others why not.
pub async fn resolve_what_there_is(snapshot: &Snapshot, path: &Path) -> (ResolvedSecrets, Vec<String>) {
    resolve_all(snapshot, directory(path)).await
}

async fn resolve_all(snapshot: &Snapshot, directory: &Path) -> (ResolvedSecrets, Vec<String>) {
    let mut secrets = ResolvedSecrets::new();
    let mut findings = Vec::new();
    for (index, reference) in snapshot.secrets.iter().enumerate() {
        match resolve(&reference.kind, directory).await {
            Ok(secret) => drop(secrets.insert(index, secret)),
            Err(reason) => findings.push(format!("{}: {reason}", reference.origin)),
        }
    }
    (secrets, findings)
}

async fn resolve(kind: &SecretKind, directory: &Path) -> Result<Secret, String> {
    let (text, what) = match kind {
        SecretKind::Plain(secret) => return Ok(secret.clone()),
        // The form in which a verifier of tokens recognises a digest.
        SecretKind::Sha256(digest) => return Ok(Secret::new(format!("sha256:{}", hex(digest)))),
        SecretKind::Env(name) => {
            let what = format!("the environment variable {name}");
            (std::env::var(name).map_err(|_| format!("{what} is not set"))?, what)
        }
        SecretKind::File(path) => {
            let text = read_text(&directory.join(path)).await.map_err(|error| error.to_string())?;
            (text.trim_end().to_owned(), path.clone())
        }
    };
    if text.is_empty() { Err(format!("{what} is empty")) } else { Ok(Secret::new(text)) }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn directory(config: &Path) -> &Path {
    config.parent().unwrap_or(Path::new(""))
}

/// Connections do not outlive what they were made with: a file of certificates may change while the text stays.
static LOADS: AtomicU64 = AtomicU64::new(1);

/// Below the five seconds after which common application servers close an idle connection.
const UPSTREAM_IDLE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_are_found_where_they_are_said_to_be() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token"), "from a file\n").unwrap();
        std::fs::write(directory.path().join("empty"), "\n").unwrap();
        let check = async |text: &str| {
            let kind = SecretKind::parse(text).unwrap();
            resolve(&kind, directory.path()).await.map(|secret| secret.expose().to_owned())
        };
        assert_eq!(check("file:token").await.as_deref(), Ok("from a file"));
        assert_eq!(check("plain:x").await.as_deref(), Ok("x"));
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(check(&digest).await.as_deref(), Ok(&*digest));
        assert_eq!(check("file:empty").await.unwrap_err(), "empty is empty");
        assert!(check("file:missing").await.unwrap_err().contains("missing: "));
        assert!(check("env:SCIMSHIM_NO_SUCH_VARIABLE").await.unwrap_err().ends_with("is not set"));
        assert!(check("env:PATH").await.is_ok());
    }
}
