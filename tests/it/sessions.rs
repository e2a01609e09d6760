//! Credentials that are fetched: one login for everybody, one repetition, and what is said when that does not help.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Config, people};
use crate::proxy_harness::{Answer, Client};
use crate::stack::{SCIM_TOKEN, Sidecar, sidecar_at};

const PASSWORD: &str = "application-key-for-tests";

/// An application whose only truth is the set of tokens that it accepts.
#[derive(Default)]
struct State {
    accepted: HashSet<String>,
    /// Request lines, and the token that came along.
    calls: Vec<(String, String)>,
    logins: Vec<String>,
    /// What a login is answered with instead of a token.
    login_status: Option<u16>,
    /// No token it gives out is accepted.
    fickle: bool,
}

struct App {
    url: String,
    state: Arc<Mutex<State>>,
}

impl App {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut pending = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&pending).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(read) => pending.extend_from_slice(&chunk[..read]),
            }
            continue;
        };
        let field = |name: &str| {
            let named = |line: &&str| line.split_once(": ").is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
            head.lines().find(named).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
        };
        let length: usize = field("content-length").map_or(0, |text| text.parse().unwrap());
        if body.len() < length {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.unwrap();
            pending.extend_from_slice(&chunk[..read]);
            continue;
        }
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        let body = body[..length].to_owned();
        let token = field("x-token").or(field("authorization")).unwrap_or("").to_owned();
        let (status, fields, answer) = act(&state, line, token, &body, field("authorization").unwrap_or(""));
        let end = text.find("\r\n\r\n").unwrap() + 4 + length;
        pending.drain(..end);
        // Slow enough for others to ask meanwhile.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let reply = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n{fields}\r\n{answer}", answer.len());
        stream.write_all(reply.as_bytes()).await.unwrap();
    }
}

fn act(state: &Mutex<State>, line: String, token: String, body: &str, basic: &str) -> (u16, String, String) {
    let mut state = state.lock().unwrap();
    if line.starts_with("POST /api/login") || line.starts_with("POST /token") {
        state.logins.push(format!("{line} {body} {basic}").trim().to_owned());
        if let Some(status) = state.login_status {
            return (status, "retry-after: 4\r\n".to_owned(), format!("{{\"error\":\"{PASSWORD}\"}}"));
        }
        let token = format!("secret-session-{}", state.logins.len());
        if !state.fickle {
            state.accepted.insert(token.clone());
        }
        let answer = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
        return (200, format!("x-session: {token}\r\n"), answer);
    }
    let bare = token.trim_start_matches("Bearer ").to_owned();
    let known = state.accepted.contains(&bare);
    state.calls.push((line, token));
    if known {
        (200, String::new(), r#"{"data":{"id":7,"login":"ann"}}"#.to_owned())
    } else {
        (200, String::new(), format!(r#"{{"fault":"stale","was":"{bare}"}}"#))
    }
}

const SESSION: &str = r#"auth = { kind = "session", login = { call = "POST /login", body = { user = "svc", nested = { password = { secret = "env:ACME_KEY" } } }, save = { token = "@header:X-Session" } }, send = { header = "X-Token" }, expired = "body.fault == 'stale'" }"#;

/// A sidecar in front of the application, with this credential.
async fn start(app: &App, auth: &str, rules: &str) -> Sidecar {
    let user = r#"path = "/users/{tenant}"
id = { native = "id", kind = "int" }
attrs = { userName = "login" }"#;
    let route = r#"path = "/scim/v2/{tenant}"
vars = { tenant = "[a-z]+" }"#;
    serve_at(app, &acme(auth).backend(rules).route(route).user(user)).await
}

/// An application that wraps what it answers.
fn acme(auth: &str) -> Config {
    let shape = r#"envelope = { items = "data", item = "data" }
retry = { attempts = 1 }"#;
    people().backend_name("acme").backend(shape).backend(auth)
}

async fn serve_at(app: &App, config: &Config) -> Sidecar {
    sidecar_at(&config.text(), Some(format!("{}/api", app.url))).await
}

async fn read(sidecar: &Sidecar, tenant: &str, authorization: &str) -> Answer {
    let mut client = Client::connect(sidecar.addr()).await;
    let head = format!("GET /scim/v2/{tenant}/Users/7 HTTP/1.1\r\nHost: a\r\n{authorization}\r\n\r\n");
    client.send(head).await;
    client.answer().await
}

async fn get(sidecar: &Sidecar) -> Answer {
    read(sidecar, "a", &format!("Authorization: Bearer {SCIM_TOKEN}")).await
}

async fn metrics(sidecar: &Sidecar) -> String {
    let mut client = Client::connect(sidecar.admin_addr()).await;
    client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.answer().await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_with_a_stale_token_are_one_login_and_one_repetition_each() {
    let app = App::start().await;
    let sidecar = start(&app, SESSION, "").await;
    assert_eq!(get(&sidecar).await.status, 200);
    let body = format!(r#"{{"nested":{{"password":"{PASSWORD}"}},"user":"svc"}}"#);
    assert_eq!(app.with(|state| state.logins.clone()), [format!("POST /api/login {body}")]);
    app.with(|state| {
        state.accepted.clear();
        state.calls.clear();
    });
    let answers = join_all((0..50).map(|_| get(&sidecar))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers.iter().map(|a| a.status).max());
    let (logins, calls) = app.with(|state| (state.logins.len(), state.calls.clone()));
    assert_eq!(logins, 2);
    let with = |token: &str| calls.iter().filter(|(_, sent)| sent == token).count();
    // Who came after the login was not refused, so that nobody was sent more than twice.
    let (stale, fresh) = (with("secret-session-1"), with("secret-session-2"));
    assert_eq!((fresh, stale + fresh), (50, calls.len()));
    assert!((1..=50).contains(&stale), "{stale}");
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_again_it_is_502_with_an_alarm_and_nobody_reads_the_token() {
    let app = App::start().await;
    app.with(|state| state.fickle = true);
    let rule =
        "[[backend.acme.error]]\nwhen = \"body.fault == 'stale'\"\nscim = { status = 400, detail = \"{body.was}\" }";
    let sidecar = start(&app, SESSION, rule).await;
    let answer = get(&sidecar).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (502, None), "{answer:?}");
    assert!(answer.body.contains("acme refused the adapter's own credential"), "{}", answer.body);
    assert_eq!(app.with(|state| (state.logins.len(), state.calls.len())), (2, 2));
    let shown = metrics(&sidecar).await;
    assert!(shown.contains("scimshim_native_credential_refusals_total{backend=\"acme\"} 1"), "{shown}");
    assert!(shown.contains("scimshim_native_logins_total{backend=\"acme\",outcome=\"ok\"} 2"), "{shown}");
    for secret in ["secret-session", PASSWORD] {
        assert!(!answer.body.contains(secret) && !answer.head.contains(secret) && !shown.contains(secret));
    }
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_an_application_sends_back_is_not_passed_on() {
    let app = App::start().await;
    app.with(|state| state.fickle = true);
    let auth = SESSION.replace(r#", expired = "body.fault == 'stale'""#, "");
    let rule = "ok = \"status == 200 && body.fault == null\"\n[[backend.acme.error]]\nwhen = \"true\"\n\
                scim = { status = 400, detail = \"not {body.was}!\" }";
    let sidecar = start(&app, &auth, rule).await;
    let answer = get(&sidecar).await;
    assert!(answer.status == 400 && answer.body.contains("not ***!"), "{answer:?}");
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_is_tried_once_for_everybody() {
    for (login_status, expected, wait) in [(403, 502, None), (503, 503, Some("4"))] {
        let app = App::start().await;
        app.with(|state| state.login_status = Some(login_status));
        let sidecar = start(&app, SESSION, "").await;
        let answers = join_all((0..20).map(|_| get(&sidecar))).await;
        for answer in &answers {
            assert_eq!((answer.status, answer.header("retry-after")), (expected, wait), "{answer:?}");
            assert!(!answer.body.contains(PASSWORD), "{}", answer.body);
        }
        assert_eq!(app.with(|state| (state.logins.len(), state.calls.len())), (1, 0));
        sidecar.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_share_a_session_unless_the_login_tells_them_apart() {
    for (call, logins) in [("POST /login", 1), ("POST /login?tenant={tenant}", 2)] {
        let app = App::start().await;
        let sidecar = start(&app, &SESSION.replace("POST /login", call), "").await;
        for tenant in ["a", "b", "a"] {
            let answer = read(&sidecar, tenant, &format!("Authorization: Bearer {SCIM_TOKEN}")).await;
            assert_eq!(answer.status, 200);
        }
        assert_eq!(app.with(|state| state.logins.len()), logins, "{call}");
        sidecar.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_credentials_are_exchanged_for_a_token() {
    let app = App::start().await;
    let auth = format!(
        r#"auth = {{ kind = "oauth2", token_url = "{}/token", client_id = "svc", client_secret = "env:ACME_KEY", scope = "users", expired = "body.fault == 'stale'" }}"#,
        app.url
    );
    let sidecar = start(&app, &auth, "").await;
    assert_eq!(get(&sidecar).await.status, 200);
    app.with(|state| state.accepted.clear());
    assert_eq!(get(&sidecar).await.status, 200);
    let (logins, calls) = app.with(|state| (state.logins.clone(), state.calls.clone()));
    assert_eq!(logins.len(), 2);
    assert!(logins[0].starts_with("POST /token grant_type=client_credentials&scope=users Basic "), "{logins:?}");
    let tokens: Vec<&str> = calls.iter().map(|(_, token)| token.as_str()).collect();
    assert_eq!(tokens, ["Bearer secret-session-1", "Bearer secret-session-1", "Bearer secret-session-2"]);
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_passed_on_is_the_callers_and_so_is_its_refusal() {
    let app = App::start().await;
    app.with(|state| state.accepted.insert("callers-own".to_owned()));
    let config = r#"auth = { kind = "forward", expired = "body.fault == 'stale'" }"#;
    let sidecar = start_open(&app, config).await;
    assert_eq!(read(&sidecar, "a", "Authorization: Bearer callers-own").await.status, 200);
    let refused = read(&sidecar, "a", "Authorization: Bearer other").await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")), "{refused:?}");
    assert_eq!(read(&sidecar, "a", "X-None: 1").await.status, 401);
    assert!(metrics(&sidecar).await.contains("credential_refusals_total{backend=\"acme\"} 0\n"));
    sidecar.stop();
}

/// The same with a route that asks for no credential.
async fn start_open(app: &App, auth: &str) -> Sidecar {
    let user = r#"path = "/users"
id = { native = "id", kind = "int" }
attrs = { userName = "login" }"#;
    serve_at(app, &acme(auth).open().route("path = \"/scim/v2/a\"").user(user)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_away_is_503_and_then_left_alone() {
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let app = App { url: format!("http://{nowhere}"), state: Arc::default() };
    let auth = "auth = { kind = \"none\" }\nbreaker = { failures = 2, pause = \"60s\" }";
    let sidecar = start(&app, auth, "").await;
    for wait in ["10", "10", "60"] {
        let answer = get(&sidecar).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some(wait)), "{answer:?}");
    }
    let shown = metrics(&sidecar).await;
    assert!(shown.contains("scimshim_native_breaker_state{backend=\"acme\"} 2"), "{shown}");
    assert!(shown.contains("outcome=\"circuit_open\"} 1"), "{shown}");
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_ask_for_a_repetition() {
    let app = App::start().await;
    let auth = "auth = { kind = \"token\", token = \"env:ACME_KEY\", send = { header = \"X-Token\" }, expired = \"status == 401\" }";
    let rule = "ok = \"status == 200 && body.fault == null\"\n[[backend.acme.error]]\nwhen = \"body.fault == 'stale'\"\n\
                retry = { after = \"30ms\", max = 2 }\nscim = { status = 503 }";
    let sidecar = start(&app, auth, rule).await;
    let answer = get(&sidecar).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert_eq!(app.with(|state| state.calls.len()), 3);
    let state = Arc::clone(&app.state);
    let (answer, ()) = tokio::join!(get(&sidecar), async {
        while state.lock().unwrap().calls.len() < 4 {
            tokio::task::yield_now().await;
        }
        state.lock().unwrap().accepted.insert(PASSWORD.to_owned());
    });
    assert_eq!(answer.status, 200);
    sidecar.stop();
}
