//! The binary as operators meet it: exit codes, signals, and routing as configured.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::proxy_harness::{App, Client, eventually};

/// A configuration for an application at `app`.
pub(crate) fn config(app: SocketAddr) -> String {
    format!(
        r#"
version = 1
extends = ["preset:rest@1"]

[server]
listen         = "127.0.0.1:0"
admin_listen   = "127.0.0.1:0"
passthrough    = "app"
keep_accepting = "0s"

[auth.idp]
kind   = "bearer"
tokens = ["file:token"]

[backend.app]
url = "http://{app}"

[[route]]
path    = "/scim/v2"
auth    = "idp"
backend = "app"

[resource.User]
path = "/users"

[resource.User.attrs]
userName = "email"
"#
    )
}

pub(crate) struct Sidecar {
    child: Child,
    /// What it said, on either stream.
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
}

fn write(directory: &Path, text: &str) -> PathBuf {
    let file = directory.join("config.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(directory.join("token"), "secret\n").unwrap();
    file
}

fn scimshim(verb: &str, file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
    command.args([verb, "-c"]).arg(file).env_remove("SCIMSHIM_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn output(verb: &str, text: &str) -> (Output, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), text);
    let output = scimshim(verb, &file).output().unwrap();
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    (output, String::from_utf8(said).unwrap())
}

impl Sidecar {
    pub(crate) async fn start(text: &str) -> Self {
        Self::start_with(text, &[]).await
    }

    /// With further environment variables.
    pub(crate) async fn start_with(text: &str, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = write(directory.path(), text);
        let mut child = scimshim("run", &file).envs(variables.iter().copied()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), lines.clone());
        collect(child.stderr.take().unwrap(), lines.clone());
        let any = "127.0.0.1:0".parse().unwrap();
        let mut sidecar = Self { child, lines, directory, data: any, admin: any };
        sidecar.says("\"msg\":\"listening\"").await;
        let line = sidecar.line("\"msg\":\"listening\"").unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        sidecar.data = line["data"].as_str().unwrap().parse().unwrap();
        sidecar.admin = line["admin"].as_str().unwrap().parse().unwrap();
        sidecar
    }

    pub(crate) fn line(&self, part: &str) -> Option<String> {
        self.lines.lock().unwrap().iter().find(|line| line.contains(part)).cloned()
    }

    pub(crate) async fn says(&self, part: &str) {
        eventually(part, || self.line(part).is_some()).await;
    }

    /// Waits until configurations were put in force so many times.
    pub(crate) async fn has_applied(&self, times: usize) {
        let applied = |line: &&String| line.contains("\"msg\":\"configuration in force\"");
        eventually("applied", || self.lines.lock().unwrap().iter().filter(applied).count() >= times).await;
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        eventually("the process ends", || self.child.try_wait().unwrap().is_some()).await;
        self.child.wait().unwrap().code()
    }
}

/// Keeps every line that is said.
fn collect(stream: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It has ended already, unless the test failed before it told it to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const GET: &str = "GET /scim/v2/Users/7 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n";

async fn answer_native(upstream: &mut Client) {
    let body = r#"{"id":"7","email":"ada@example.com"}"#;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    upstream.send(head + body).await;
}

#[tokio::test]
async fn sigterm_lets_the_request_in_flight_finish_and_exits_with_0() {
    let app = App::bind().await;
    let mut sidecar = Sidecar::start(&config(app.address())).await;
    let (mut client, mut idle) = (Client::connect(sidecar.data).await, Client::connect(sidecar.data).await);
    assert_eq!(idle.ask("GET /scim/v2/Nothing HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 404);
    client.send(GET).await;
    let mut upstream = app.accept().await;
    assert!(upstream.take_until("\r\n\r\n").await.starts_with("GET /users/7 "));
    sidecar.signal("TERM");
    assert!(idle.is_closed().await);
    answer_native(&mut upstream).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert!(answer.body.contains("ada@example.com"), "{}", answer.body);
    assert_eq!(sidecar.exit_code().await, Some(0));
    // What was asked is in the log; whom it was about is not.
    sidecar.says("\"operation\":\"get\"").await;
    assert!(sidecar.line("ada@").is_none() && sidecar.line("secret").is_none());
}

#[tokio::test]
async fn an_interrupt_told_twice_does_not_wait() {
    let app = App::bind().await;
    let mut sidecar = Sidecar::start(&config(app.address())).await;
    let mut client = Client::connect(sidecar.data).await;
    client.send(GET).await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    sidecar.signal("INT");
    sidecar.says("\"phase\":\"Draining\"").await;
    sidecar.signal("INT");
    assert_eq!(sidecar.exit_code().await, Some(0));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_taken_port_is_said_and_exits_with_1() {
    let app = App::bind().await;
    let taken = config(app.address()).replacen("127.0.0.1:0", &app.address().to_string(), 1);
    let (output, said) = output("run", &taken);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen on {} (server.listen): ", app.address())), "{said}");
}

#[tokio::test]
async fn a_missing_secret_is_said_and_exits_with_1() {
    let text = config("127.0.0.1:1".parse().unwrap()).replace("file:token", "env:SCIMSHIM_NO_SUCH_VARIABLE");
    let (output, said) = output("run", &text);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("config.toml:13: the environment variable SCIMSHIM_NO_SUCH_VARIABLE is not set"), "{said}");
}

#[test]
fn check_says_everything_that_is_wrong_and_where() {
    let good = config("127.0.0.1:1".parse().unwrap());
    let (good_output, said) = output("check", &good);
    assert_eq!(good_output.status.code(), Some(0), "{said}");
    assert!(said.contains("config.toml: ok"), "{said}");
    let (bad_output, said) =
        output("check", &good.replace("passthrough ", "passthru ").replace("kind   = \"bearer\"", "kind = \"beerer\""));
    assert_eq!(bad_output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("config.toml:8:") && said.contains("config.toml:12:") && said.contains("passthrough"),
        "{said}"
    );
    assert!(said.contains("cannot be used"), "{said}");
}

#[tokio::test]
async fn a_changed_file_is_served_after_a_signal_and_a_bad_one_is_not() {
    let app = App::bind().await;
    let mut sidecar = Sidecar::start(&config(app.address())).await;
    let file = sidecar.directory.path().join("config.toml");
    let mut client = Client::connect(sidecar.data).await;
    std::fs::write(&file, "version = 1\nnonsense = 1\n").unwrap();
    sidecar.signal("HUP");
    sidecar.says("\"outcome\":\"invalid\"").await;
    assert_eq!(client.ask("GET /scim/v2/Nothing HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 404);
    std::fs::write(&file, config(app.address()).replace("keep_accepting", "threads = 3\nkeep_accepting")).unwrap();
    sidecar.signal("HUP");
    sidecar.says("restart needed: server.threads cannot change while running").await;
    std::fs::write(&file, config(app.address()).replace("/scim/v2", "/scim/v3")).unwrap();
    sidecar.signal("HUP");
    sidecar.has_applied(2).await;
    let mut client = Client::connect(sidecar.data).await;
    let answer = client.ask("GET /scim/v3/Nothing HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/scim+json")));
    // The new token is one more change, of a file that the configuration names.
    std::fs::write(sidecar.directory.path().join("token"), "changed").unwrap();
    sidecar.has_applied(3).await;
    for (token, status) in [("secret", 401), ("changed", 200)] {
        let head = format!("Host: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        let answer = client.ask(format!("GET /scim/v3/ServiceProviderConfig HTTP/1.1\r\n{head}")).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let metrics = Client::connect(sidecar.admin).await.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.body;
    assert!(metrics.contains("scimshim_auth_failures_total{reason=\"unknown\"} 1"), "{metrics}");
    sidecar.signal("TERM");
    assert_eq!(sidecar.exit_code().await, Some(0));
}

#[tokio::test]
async fn disguised_paths_reach_neither_scim_nor_the_application() {
    let app = App::bind().await;
    let sidecar = Sidecar::start(&config(app.address())).await;
    for path in [
        "//scim/v2/Users",
        "/scim//v2/Users",
        "/sc%69m/v2/Users",
        "/x/../scim/v2/Users",
        "/scim/v2/Users/../../../x",
        "/scim/v2/%2e%2e/x",
        "/scim%2fv2/Users",
        "/scim\\v2\\Users",
        "/./scim/v2/Users",
        "/SCIM/v2/..%2fUsers",
    ] {
        let mut client = Client::connect(sidecar.data).await;
        let answer =
            client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n")).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{path}");
    }
    assert!(app.is_unasked().await);
    let mut client = Client::connect(sidecar.data).await;
    client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(app.accept().await.take_until("\r\n\r\n").await.starts_with("GET /other "));
}
