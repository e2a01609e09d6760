//! TLS to the application: native calls and what passes through trust the same certificates and show the same one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use scimshim::demo::sidecar::SidecarError;

use crate::fixture::people;
use crate::proxy_harness::{Answer, Client};
use crate::stack::{SCIM_TOKEN, Sidecar, try_sidecar};

/// A text of `tests/tls`.
macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../tls/", $name))
    };
}

const AUTHORITY: &str = pem!("authority.pem");
/// Vouches for nobody here.
const STRANGER: &str = pem!("stranger.pem");

/// A certificate and its private key.
type Identity = (&'static str, &'static str);

const LOCALHOST: Identity = (pem!("localhost.pem"), pem!("localhost.key"));
const INTERNAL: Identity = (pem!("internal.pem"), pem!("internal.key"));
const ADAPTER: Identity = (pem!("adapter.pem"), pem!("adapter.key"));
const IMPOSTOR: Identity = (pem!("impostor.pem"), pem!("impostor.key"));

/// An application that answers everything with one object; with `clients`, only those for whom they vouch.
fn app((certificate, key): Identity, clients: Option<&str>) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            // Who does not trust us, or is not trusted, ends with an error.
            std::thread::spawn(move || drop(serve(config, stream)));
        }
    });
    address
}

fn serve(config: Arc<ServerConfig>, stream: TcpStream) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut pending = Vec::new();
    while !pending.ends_with(b"\r\n\r\n") {
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            read => pending.extend_from_slice(&chunk[..read]),
        }
    }
    let body = r#"{"id":"7","login":"ann"}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A sidecar in front of the application, with this `tls`; the application is called by `host`.
async fn sidecar(host: &str, app: SocketAddr, tls: &str) -> Result<Sidecar, SidecarError> {
    let config = people().at(format!("https://{host}:{}", app.port())).backend("retry = { attempts = 1 }").backend(tls);
    try_sidecar(&config.text()).await
}

/// What a read of a user and a request that passes through are answered.
async fn both(sidecar: &Sidecar) -> (Answer, Answer) {
    let mut client = Client::connect(sidecar.addr()).await;
    let head = format!("GET /scim/v2/Users/7 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SCIM_TOKEN}\r\n\r\n");
    let scim = client.ask(head).await;
    let through = client.ask("GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    sidecar.stop();
    (scim, through)
}

async fn expect_success(sidecar: Result<Sidecar, SidecarError>) {
    let (scim, through) = both(&sidecar.unwrap()).await;
    assert_eq!((scim.status, through.status), (200, 200), "{scim:?} {through:?}");
    assert!(scim.body.contains(r#""userName":"ann""#), "{scim:?}");
    assert_eq!(through.body, r#"{"id":"7","login":"ann"}"#);
}

async fn expect_distrust(sidecar: Result<Sidecar, SidecarError>) {
    let (scim, through) = both(&sidecar.unwrap()).await;
    assert_eq!((scim.status, through.status), (502, 502), "{scim:?} {through:?}");
    assert!(scim.body.contains("no trusted connection to app: its certificate, its name or ours"), "{scim:?}");
}

fn given(key: &str, pem: &str) -> String {
    format!("{key} = '''plain:{pem}'''\n")
}

fn tls(keys: &[String]) -> String {
    format!("[backend.app.tls]\n{}", keys.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_if_the_configuration_says_so() {
    let app = app(LOCALHOST, None);
    expect_success(sidecar("localhost", app, &tls(&[given("ca", AUTHORITY)])).await).await;
    expect_distrust(sidecar("localhost", app, &tls(&[given("ca", STRANGER)])).await).await;
    expect_distrust(sidecar("localhost", app, "").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_about_the_host_or_the_name_that_is_given() {
    let app = app(INTERNAL, None);
    let ca = given("ca", AUTHORITY);
    expect_distrust(sidecar("localhost", app, &tls(std::slice::from_ref(&ca))).await).await;
    expect_distrust(sidecar("127.0.0.1", app, &tls(std::slice::from_ref(&ca))).await).await;
    let named = "server_name = \"app.internal\"\n".to_owned();
    expect_success(sidecar("localhost", app, &tls(&[ca, named])).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_asks_for_a_certificate_is_shown_ours() {
    let app = app(LOCALHOST, Some(AUTHORITY));
    let ca = given("ca", AUTHORITY);
    expect_distrust(sidecar("localhost", app, &tls(std::slice::from_ref(&ca))).await).await;
    let show = |(cert, key): Identity| tls(&[ca.clone(), given("client_cert", cert), given("client_key", key)]);
    expect_success(sidecar("localhost", app, &show(ADAPTER)).await).await;
    // Somebody for whom nobody vouches there.
    expect_distrust(sidecar("localhost", app, &show(IMPOSTOR)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_used_are_refused_at_load() {
    let app = app(LOCALHOST, None);
    let refused = async |keys: &[String]| sidecar("localhost", app, &tls(keys)).await.err().unwrap().to_string();
    let said = refused(&[given("ca", "nothing")]).await;
    assert!(said.contains("backend app") && said.contains("`ca` holds no certificate in PEM form"), "{said}");
    let said = refused(&[given("client_cert", ADAPTER.0), given("client_key", IMPOSTOR.1)]).await;
    assert!(said.contains("`client_cert` and `client_key` do not belong together"), "{said}");
    assert!(!said.contains("PRIVATE KEY"), "{said}");
}
