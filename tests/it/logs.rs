//! Log lines: what they look like, how much is said, and what never is.

use std::process::{Command, Stdio};

use scimshim::config::levels::TARGETS;
use serde_json::{Value, json};

use crate::collector::Collector;
use crate::proxy_binary::{Sidecar, config};
use crate::proxy_harness::{Answer, App, Client};

const NOWHERE: &str = "127.0.0.1:1";

fn nowhere() -> String {
    config(NOWHERE.parse().unwrap())
}

async fn admin(sidecar: &Sidecar, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
    Client::connect(sidecar.admin).await.ask(request).await
}

/// What is in force, from the answer to a request.
async fn level(sidecar: &Sidecar, method: &str, path: &str, body: &str) -> Value {
    let answer = admin(sidecar, method, path, "", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// A request that passes through to nobody, with this id in the log. What comes after it on its connection is answered
/// when it has been logged, or not.
async fn pass(sidecar: &Sidecar, id: &str) {
    let mut client = Client::connect(sidecar.data).await;
    for path in ["/other", "/scim/v2/Nothing"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\n\r\n");
        assert_eq!(client.ask(request).await.status, 404);
    }
}

/// What is said about the first of the two.
fn passed(id: &str) -> String {
    format!("\"msg\":\"passed through\",\"request_id\":\"{id}\"")
}

/// A configuration that passes nothing through, so that a line about that is one of `debug`.
fn alone() -> String {
    nowhere().replace("passthrough    = \"app\"", "passthrough    = \"none\"")
}

#[tokio::test]
async fn levels_change_while_it_runs() {
    let sidecar = Sidecar::start(&alone()).await;
    let silent = json!({"level": "info", "source": "config", "configured": "info", "seconds_left": null});
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await, silent);
    pass(&sidecar, "before").await;
    let set = level(&sidecar, "POST", "/log-level", "info,scimshim::passthrough=debug\n").await;
    assert_eq!(set["level"], "info,scimshim::passthrough=debug");
    assert_eq!((&set["source"], &set["configured"]), (&json!("admin"), &json!("info")));
    pass(&sidecar, "during").await;
    sidecar.says(&passed("during")).await;
    // What cannot be read changes nothing, and says what is wrong.
    for (path, body, said) in [
        ("/log-level", "inof", "`inof` is no level; did you mean `info`?\n"),
        (
            "/log-level",
            "scimshim::natvie=debug",
            "there is no target `scimshim::natvie`; did you mean `scimshim::native`?\n",
        ),
        (
            "/log-level?for=ever",
            "info",
            "the query is `for=10m`: from 1s to 24h, or nothing for until it is changed again\n",
        ),
        (
            "/log-level?for=48h",
            "info",
            "the query is `for=10m`: from 1s to 24h, or nothing for until it is changed again\n",
        ),
        (
            "/log-level?level=debug",
            "info",
            "the query is `for=10m`: from 1s to 24h, or nothing for until it is changed again\n",
        ),
        ("/log-level", &"x".repeat(2000), "levels have at most 1024 bytes\n"),
    ] {
        let answer = admin(&sidecar, "POST", path, "", body).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, said), "{path} {body}");
    }
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await, set);
    assert_eq!(level(&sidecar, "DELETE", "/log-level", "").await, silent);
    pass(&sidecar, "after").await;
    // Lines come in order, so that by this one those of before would be there.
    level(&sidecar, "POST", "/log-level", "debug").await;
    pass(&sidecar, "last").await;
    sidecar.says(&passed("last")).await;
    assert!(sidecar.line(&passed("before")).is_none() && sidecar.line(&passed("after")).is_none());
    // A page in a browser cannot.
    let page = admin(&sidecar, "POST", "/log-level", "Origin: http://evil.example\r\n", "trace").await;
    assert_eq!(page.status, 403);
    assert_eq!(admin(&sidecar, "PUT", "/log-level", "", "trace").await.status, 405);
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await["level"], "debug");
}

#[tokio::test]
async fn a_level_for_a_while_ends_by_itself() {
    let sidecar = Sidecar::start(&alone()).await;
    let set = level(&sidecar, "POST", "/log-level?for=1s", "debug").await;
    assert!(set["seconds_left"].as_u64().is_some_and(|left| left <= 1), "{set}");
    // One that is set later is not ended by it.
    level(&sidecar, "POST", "/log-level?for=2s", "trace").await;
    sidecar.says(r#""msg":"log levels changed","levels":"info","source":"config""#).await;
    assert!(sidecar.line(r#""levels":"debug","source":"config""#).is_none());
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await["source"], "config");
    let lines = sidecar.lines.lock().unwrap().clone();
    let changes = lines.iter().filter(|line| line.contains("log levels changed")).count();
    assert_eq!(changes, 3, "{lines:#?}");
}

#[tokio::test]
async fn a_reload_changes_levels_and_ends_what_was_set_while_running() {
    let text = alone();
    let with = |level: &str| format!("{text}\n[log]\nlevel = \"{level}\"\n");
    let sidecar = Sidecar::start(&text).await;
    let file = sidecar.directory.path().join("config.toml");
    pass(&sidecar, "before").await;
    std::fs::write(&file, with("debug")).unwrap();
    sidecar.signal("HUP");
    sidecar.has_applied(2).await;
    pass(&sidecar, "during").await;
    sidecar.says(&passed("during")).await;
    assert!(sidecar.line(&passed("before")).is_none());
    level(&sidecar, "POST", "/log-level", "error").await;
    std::fs::write(&file, with("scimshim::natvie=info")).unwrap();
    sidecar.signal("HUP");
    sidecar.says("error[E175]").await;
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await["level"], "error");
    std::fs::write(&file, with("info")).unwrap();
    sidecar.signal("HUP");
    sidecar.has_applied(3).await;
    let back = json!({"level": "info", "source": "config", "configured": "info", "seconds_left": null});
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await, back);
}

#[tokio::test]
async fn the_command_line_comes_before_the_configuration() {
    let text = format!("{}\n[log]\nlevel = \"error\"\n", alone());
    let sidecar = Sidecar::start_with(&text, &[("SCIMSHIM_LOG", "info,scimshim::passthrough=debug")]).await;
    assert_eq!(level(&sidecar, "GET", "/log-level", "").await["source"], "flag");
    pass(&sidecar, "heard").await;
    sidecar.says(&passed("heard")).await;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
        let output = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = run(&["run", "--log-level", "loud"]);
    assert!(code == Some(2) && said.contains("`loud` is no level"), "{said}");
    let address = sidecar.admin.to_string();
    let level = |arguments: &[&str]| run(&[&["log-level", "--admin", &address], arguments].concat());
    assert_eq!(level(&[]), (Some(0), "info,scimshim::passthrough=debug\n".to_owned()));
    let (code, said) = level(&["warn,scimshim::native=debug", "--for", "10m"]);
    assert!(code == Some(0) && said.starts_with("warn,scimshim::native=debug (for 5"), "{said}");
    assert_eq!(level(&["--reset"]), (Some(0), "info,scimshim::passthrough=debug\n".to_owned()));
    let (code, said) = level(&["wran"]);
    assert!(code == Some(2) && said.contains("did you mean `warn`?"), "{said}");
}

#[tokio::test]
async fn lines_for_people_are_those_of_the_command_line_or_the_configuration() {
    for (table, variables) in
        [("[log]\nformat = \"text\"", &[][..]), ("[log]\nformat = \"json\"", &[("SCIMSHIM_LOG_FORMAT", "text")])]
    {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.toml"), format!("{}\n{table}\n", alone())).unwrap();
        std::fs::write(directory.path().join("token"), "secret").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
        command.arg("run").current_dir(directory.path()).env_remove("SCIMSHIM_LOG").stdout(Stdio::piped());
        let mut child = command.envs(variables.iter().copied()).spawn().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let listening = lines.find_map(|line| line.ok().filter(|line| line.contains("listening")));
        child.kill().unwrap();
        child.wait().unwrap();
        let listening = listening.unwrap();
        let (time, rest) = listening.split_once(' ').unwrap();
        assert!(
            time.ends_with('Z') && rest.starts_with(" INFO scimshim::server: listening data=127.0.0.1:"),
            "{listening}"
        );
    }
}

/// Part of everything that may not be repeated.
const MARK: &str = "nobody-may-read";

#[tokio::test]
async fn neither_lines_nor_spans_say_who_a_request_is_about() {
    let (collector, app) = (Collector::start().await, App::bind().await);
    let text = config(app.address()).replace("/scim/v2", "/scim/{tenant}/v2") + &collector.table("");
    let text = text.replace("\"/users\"", "\"/{tenant}/users\"\nfilter = { 'userName eq' = \"?email={value}\" }");
    let mut sidecar = Sidecar::start_with(&text, &[("SCIMSHIM_LOG", "trace")]).await;
    let token = "Host: a\r\nAuthorization: Bearer secret\r\nContent-Type: application/scim+json\r\n";
    let user =
        format!(r#"{{"userName":"ann-{MARK}@example.com","displayName":"Ann {MARK}","{MARK}":1,"password":"{MARK}"}}"#);
    let echo = format!(r#"{{"id":"{MARK}","email":"{MARK}@example.com","error":"{MARK} is taken"}}"#);
    let filter = format!("filter=userName%20eq%20%22{MARK}%22");
    let rename = format!(r#"{{"operations":[{{"op":"Replace","path":"userName","value":"{MARK}"}}]}}"#);
    let base = "/scim/acme/v2".to_owned();
    let mut statuses = Vec::new();
    for (method, target, body) in [
        ("POST", format!("{base}/Users"), user.as_str()),
        ("GET", format!("{base}/Users/{MARK}"), ""),
        ("GET", format!("{base}/Users?{filter}"), ""),
        ("PATCH", format!("{base}/Users/{MARK}"), &rename),
        ("DELETE", format!("{base}/Users/{MARK}"), ""),
        ("GET", format!("/people/{MARK}?{filter}"), ""),
    ] {
        for status in ["200 OK", "404 No", "409 Taken", "422 No", "500 Oh"] {
            let mut client = Client::connect(sidecar.data).await;
            let given = format!(
                "tracestate: {MARK}\r\nbaggage: who={MARK}\r\nX-Forwarded-For: {MARK}\r\nUser-Agent: {MARK}\r\n"
            );
            let request =
                format!("{method} {target} HTTP/1.1\r\n{token}{given}Content-Length: {}\r\n\r\n{body}", body.len());
            client.send(request).await;
            // As many calls as it takes: each is answered alike, with everything that may not be repeated.
            let answer = tokio::select! {
                answer = client.answer() => answer,
                () = serve(&app, status, &echo) => unreachable!("it goes on for ever"),
            };
            statuses.push(answer.status);
        }
    }
    // Refused, one way or another.
    for request in [
        format!("GET {base}/Users/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {MARK}\r\n\r\n"),
        format!("GET {base}/../{MARK} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /{MARK} HTTP/1.1\r\nX {MARK}: 1\r\n\r\n"),
        format!(
            "POST {base}/Users HTTP/1.1\r\n{token}Content-Length: 40\r\n\r\n{{\"userName\":\"{MARK}\", \"userName\":\"aa"
        ),
    ] {
        let mut client = Client::connect(sidecar.data).await;
        tokio::io::AsyncWriteExt::shutdown(&mut client.send(request).await.socket).await.unwrap();
        client.is_closed().await;
    }
    collector.spans(statuses.len() * 4).await;
    sidecar.signal("TERM");
    assert_eq!(sidecar.exit_code().await, Some(0));
    let lines = sidecar.lines.lock().unwrap().clone();
    let said: Vec<&String> = lines.iter().filter(|line| line.contains(MARK)).collect();
    assert!(said.is_empty(), "{said:#?}");
    // It was all there to be said: each request was answered in several ways, and said to be.
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    let expected = [statuses.len() - 5, statuses.len() - 5, 5];
    let said = ["\"scim request answered\"", "\"native call\"", "\"passed through\""].map(count);
    assert!(said.iter().zip(expected).all(|(said, expected)| *said >= expected), "{said:?} {statuses:?}");
    assert!([200, 201, 204, 404, 409, 502].iter().all(|status| statuses.contains(status)), "{statuses:?}");
    for delivery in collector.deliveries() {
        assert!(!delivery.body.windows(MARK.len()).any(|part| part == MARK.as_bytes()), "{:#?}", delivery.request);
    }
    for line in lines.iter().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap();
        let names: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert!(["ts", "level", "target", "msg"].iter().all(|name| line[name].is_string()), "{names:?}");
    }
}

/// The targets of everything that is logged in a file: those that are said, and the module for the rest.
fn targets(path: &std::path::Path, text: &str) -> Vec<String> {
    let path_of_module = path.with_extension("");
    let parts = path_of_module.iter().filter_map(|part| part.to_str());
    let module: Vec<&str> = parts.filter(|part| !matches!(*part, "mod" | "src")).collect();
    let module = format!("scimshim::{}", module.join("::"));
    let constants = |name: &str| {
        let declared = text.split_once(&format!("const {name}: &str = \"")).and_then(|(_, rest)| rest.split_once('"'));
        declared.unwrap_or_else(|| panic!("{name} in {}", path.display())).0.to_owned()
    };
    let calls = text.split("tracing::").skip(1).filter_map(|call| {
        let (level, call) = call.split_once("!(")?;
        matches!(level, "error" | "warn" | "info" | "debug" | "trace").then(|| call.trim_start())
    });
    let target = |call: &str| match call.strip_prefix("target: ") {
        None => module.clone(),
        Some(said) => match said.strip_prefix('"') {
            Some(said) => said.split('"').next().unwrap().to_owned(),
            None => constants(said.split(',').next().unwrap()),
        },
    };
    calls.map(target).collect()
}

#[test]
fn every_line_has_a_target_that_is_documented() {
    let page = include_str!("../../docs/logs-and-traces.md");
    for (target, about) in TARGETS {
        assert!(page.contains(&format!("| `{target}` | {about} |")), "{target}");
    }
    let known = |target: &str| {
        let below = |name: &str| target == name || target.starts_with(&format!("{name}::"));
        TARGETS.iter().skip(1).any(|(name, _)| below(name))
    };
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut found) = (Vec::new(), 0);
    crate::tidy::collect(&root.join("src"), &mut files);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for target in targets(path.strip_prefix(root).unwrap(), &text) {
            assert!(known(&target), "{target} in {}", path.display());
            found += 1;
        }
    }
    assert!(found > 30, "{found}");
}

/// An application that answers everything alike.
async fn serve(app: &App, status: &str, body: &str) {
    loop {
        let mut connection = app.accept().await;
        connection.take_until("\r\n\r\n").await;
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        connection.send(head + body).await;
    }
}
