//! Keys of a backend that only a socket shows: where a token goes, keys of repeatable calls, how fast calls begin, and
//! how many may wait.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Config, people};
use crate::proxy_harness::{Answer, Client};
use crate::stack::{APP_KEY, SCIM_TOKEN, Sidecar, sidecar_at};

/// An application that notes what it is sent, and when.
struct App {
    url: String,
    seen: Arc<Mutex<Vec<(Instant, String)>>>,
}

/// What the application does with a request: its number from 0, and its text.
type Manners = fn(usize, &str) -> Manner;

enum Manner {
    Answer(u16, Duration),
    HangUp,
}

impl App {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), manners));
            }
        });
        Self { url, seen }
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    fn times(&self) -> Vec<Instant> {
        self.seen.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<(Instant, String)>>>, manners: Manners) {
    let mut pending = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&pending).into_owned();
        let length = |head: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut named = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            named.next().map_or(0, |(_, value)| value.parse::<usize>().unwrap())
        };
        let whole = text.split_once("\r\n\r\n").filter(|(head, body)| body.len() >= length(head));
        let Some((head, _)) = whole else {
            match stream.read_buf(&mut pending).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let end = head.len() + 4 + length(head);
        let request = text[..end].to_owned();
        pending.drain(..end);
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push((Instant::now(), request.clone()));
            seen.len() - 1
        };
        let Manner::Answer(status, after) = manners(number, &request) else { return };
        tokio::time::sleep(after).await;
        let body = r#"{"id":"7","login":"ann","team":"1","mail":"ann@x.example"}"#;
        let reply = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn serve_at(app: &App, config: &Config) -> Sidecar {
    sidecar_at(&config.text(), Some(app.url.clone())).await
}

async fn sidecar(app: &App, keys: &str) -> Sidecar {
    let user = r#"path = "/users"
attrs = { userName = "login" }
[resource.User.ops]
list = "POST /search"
get  = "POST /users/{id}/show"
delete = "POST /users/{id}/drop""#;
    serve_at(app, &people().backend(keys).user(user)).await
}

async fn ask(sidecar: &Sidecar, method: &str, path: &str, body: &str) -> Answer {
    let mut client = Client::connect(sidecar.addr()).await;
    let head = format!("{method} /scim/v2{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SCIM_TOKEN}");
    client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await
}

const AT_ONCE: Manners = |_, _| Manner::Answer(200, Duration::ZERO);
const ANN: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_where_the_configuration_says() {
    let cases = [
        ("{ cookie = \"sid\" }", "cookie: sid=application-key-for-tests\r\n"),
        ("{ query = \"key\" }", "POST /api/users/7/show?key=application-key-for-tests HTTP/1.1"),
        ("{ body = \"access.key\" }", r#"{"access":{"key":"application-key-for-tests"}}"#),
        ("{ header = \"X-Key\", prefix = \"Key \" }", "x-key: Key application-key-for-tests\r\n"),
    ];
    for (send, expected) in cases {
        let app = App::start(AT_ONCE).await;
        let keys = format!("auth = {{ kind = \"token\", token = \"env:ACME_KEY\", send = {send} }}");
        let sidecar = if send.contains("body") { with_bodies(&app, &keys).await } else { sidecar(&app, &keys).await };
        let answer = ask(&sidecar, "GET", "/Users/7", "").await;
        assert_eq!(answer.status, 200, "{send}: {answer:?}");
        let request = app.requests().pop().unwrap();
        let lower = |text: &str| text.replace("Cookie:", "cookie:").replace("X-Key:", "x-key:");
        assert!(lower(&request).contains(expected), "{send}: {request}");
        assert_eq!(request.matches(APP_KEY).count(), 1, "{request}");
        assert!(!answer.body.contains(APP_KEY) && !answer.head.contains(APP_KEY));
        sidecar.stop();
    }
}

/// Calls that all have a body.
async fn with_bodies(app: &App, keys: &str) -> Sidecar {
    let user = r#"attrs = { userName = { native = "login", access = "read" } }
ops   = { get = { call = "POST /users/{id}/show", body = {} } }"#;
    serve_at(app, &people().without_preset().backend(keys).user(user)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_repeated_with_its_key() {
    let hang_up_first: Manners = |number, _| match number {
        0 => Manner::HangUp,
        _ => Manner::Answer(201, Duration::ZERO),
    };
    let app = App::start(hang_up_first).await;
    let keys = "idempotency = \"Idempotency-Key\"\nretry = { attempts = 2, delay = \"1ms\" }";
    let with_key = sidecar(&app, keys).await;
    assert_eq!(ask(&with_key, "POST", "/Users", ANN).await.status, 201);
    assert_eq!(ask(&with_key, "POST", "/Users", ANN).await.status, 201);
    let requests = app.requests();
    let key = |request: &String| {
        let named = request.lines().find(|line| line.to_lowercase().starts_with("idempotency-key: "));
        named.expect(request).to_owned()
    };
    let creates: Vec<String> = requests.iter().filter(|text| text.starts_with("POST /api/users ")).map(key).collect();
    assert_eq!(creates.len(), 3, "{requests:?}");
    assert_eq!(creates[0], creates[1], "the same for a repetition");
    assert_ne!(creates[1], creates[2], "another for another request");
    with_key.stop();

    let app = App::start(hang_up_first).await;
    let without = sidecar(&app, "retry = { attempts = 2, delay = \"1ms\" }").await;
    let answer = ask(&without, "POST", "/Users", ANN).await;
    assert_eq!((answer.status, app.requests().len()), (503, 1), "{answer:?}");
    assert!(answer.body.contains("nothing here can look for it, so it was not sent again"), "{answer:?}");
    without.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_begin_no_faster_than_the_rate() {
    let app = App::start(AT_ONCE).await;
    let sidecar = sidecar(&app, "rate = 20").await;
    let answers = join_all((0..5).map(|_| ask(&sidecar, "GET", "/Users/7", ""))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let mut times = app.times();
    times.sort();
    let whole = times[4] - times[0];
    // Five calls are four times a twentieth of a second apart; arriving may take a little longer or shorter.
    assert!(whole >= Duration::from_millis(150), "{whole:?}");
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_may_wait_are_refused_at_once() {
    let app = App::start(|_, _| Manner::Answer(200, Duration::from_millis(400))).await;
    let sidecar = sidecar(&app, "concurrency = 1\nqueue = 1").await;
    let answers = join_all((0..5).map(|_| ask(&sidecar, "GET", "/Users/7", ""))).await;
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(200), with(503)), (2, 3), "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status == 503).unwrap();
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(refused.body.contains("more calls to app are waiting than can be made in time"), "{refused:?}");
    assert_eq!(app.requests().len(), 2);
    sidecar.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_on_the_way_is_counted() {
    let app = App::start(AT_ONCE).await;
    let user = r#"path = "/users"
[resource.User.attrs]
userName = "login"
'emails[type eq "work"].value' = "mail""#;
    let teams = r#"[resource.Group]
path  = "/teams"
attrs = { displayName = "login" }
[resource.Group.members]
of        = "User"
native    = "people"
add       = "POST /teams/{id}/people/{member.id}"
remove    = "DELETE /teams/{id}/people/{member.id}"
inverse   = { native = "team" }
exclusive = "move""#;
    let sidecar = serve_at(&app, &people().user(user).and(teams)).await;
    let metrics = async || {
        let mut client = Client::connect(sidecar.admin_addr()).await;
        client.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.body
    };
    let before = metrics().await;
    assert!(before.contains("scimshim_moved_members_total 0"), "{before}");
    assert!(
        before.contains("scimshim_dropped_attributes_total{reason=\"collapsed\",resource_type=\"User\"} 0"),
        "{before}"
    );
    let emails = r#""emails":[{"type":"work","value":"ann@x.example"},{"type":"home","value":"a@y.example"}]}"#;
    let created = ask(&sidecar, "POST", "/Users", &ANN.replace('}', &format!(",{emails}"))).await;
    assert_eq!(created.status, 201, "{created:?}");
    let joins = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"7"}]}]}"#;
    let joined = ask(&sidecar, "PATCH", "/Groups/9", joins).await;
    assert_eq!(joined.status, 204, "{joined:?}");
    let after = metrics().await;
    assert!(after.contains("scimshim_moved_members_total 1"), "{after}");
    assert!(
        after.contains("scimshim_dropped_attributes_total{reason=\"collapsed\",resource_type=\"User\"} 1"),
        "{after}"
    );
    sidecar.stop();
}
