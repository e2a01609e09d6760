//! Who may come in: where tokens may be kept, several at once, and what is said to everybody else.

use base64::Engine as _;
use scimshim::demo::client::Answer;
use sha2::{Digest, Sha256};

use crate::conformance_bench::{Bench, assert_error, config_with};
use crate::proxy_harness as wire;
use crate::stack::SCIM_TOKEN;

const FROM_FILE: &str = "token-from-a-file";
const BY_DIGEST: &str = "token-known-by-its-digest";

/// A service with a token of every kind, and the text of the third one.
async fn three_tokens() -> (Bench, tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, format!("{FROM_FILE}\n")).unwrap();
    let digest: String = Sha256::digest(BY_DIGEST).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{digest}");
    let tokens =
        format!("idp = {{ kind = 'bearer', tokens = ['env:SCIM_TOKEN', 'file:{}', '{digest}'] }}", file.display());
    (Bench::with(&config_with("auth", &tokens)).await, directory, digest)
}

async fn ask(bench: &Bench, token: &str) -> Answer {
    bench.client.scim("GET", &format!("{}/Users", bench.base), token, None).await.unwrap()
}

#[tokio::test]
async fn old_and_new_tokens_are_valid_together_wherever_they_are_kept() {
    let (bench, _directory, digest) = three_tokens().await;
    for token in [SCIM_TOKEN, FROM_FILE, BY_DIGEST] {
        assert_eq!(ask(&bench, token).await.status, 200, "{token}");
    }
    bench.app.take_calls();
    // The digest is what the operator may show; it opens nothing.
    for token in [&*digest, digest.trim_start_matches("sha256:"), "token-from-a-fil", "token-from-a-file-and-more"] {
        assert_refused(&ask(&bench, token).await, token);
    }
    assert_eq!(bench.app.calls(), []);
    let metrics = bench.metrics().await;
    assert!(metrics.contains("scimshim_auth_failures_total{reason=\"unknown\"} 4"), "{metrics}");
}

fn assert_refused(answer: &Answer, token: &str) {
    assert_error(answer, 401, None);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="scim", error="invalid_token""#), "{token}");
    assert!(!String::from_utf8_lossy(&answer.body).contains(token));
}

#[tokio::test]
async fn a_credential_of_another_kind_is_refused_and_an_absent_one_asked_for() {
    let bench = Bench::new().await;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("idp:{SCIM_TOKEN}"));
    for (field, challenge) in [
        (String::new(), r#"Bearer realm="scim""#),
        (format!("Authorization: Basic {basic}\r\n"), r#"Bearer realm="scim", error="invalid_token""#),
        (format!("Authorization: {SCIM_TOKEN}\r\n"), r#"Bearer realm="scim", error="invalid_token""#),
        // Which of two would count is anybody's guess.
        (
            format!("Authorization: Bearer {SCIM_TOKEN}\r\nAuthorization: Bearer {SCIM_TOKEN}\r\n"),
            r#"Bearer realm="scim", error="invalid_token""#,
        ),
    ] {
        let mut client = wire::Client::connect(bench.sidecar.addr()).await;
        let answer = client.ask(format!("GET /scim/v2/a/b/Users HTTP/1.1\r\nHost: a\r\n{field}\r\n")).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge)), "{field}");
        assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{field}");
        assert!(answer.body.contains("\"status\":\"401\"") && !answer.body.contains(SCIM_TOKEN), "{}", answer.body);
    }
    // A token in the query is in every log on the way (RFC 6750 2.3); it is no credential here.
    let url = format!("{}/Users?access_token={SCIM_TOKEN}", bench.base);
    let answer = bench.client.send("GET", &url, http::HeaderMap::new(), bytes::Bytes::new()).await.unwrap();
    assert_error(&answer, 401, None);
    assert_eq!(bench.app.calls(), []);
}
