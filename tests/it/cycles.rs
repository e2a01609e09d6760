//! Every provisioning cycle of the demonstration, with the shipped configuration and the sample application, in this
//! process and over real sockets.

use scimshim::demo::acme::{Acme, AcmeOptions};
use scimshim::demo::client::Client;
use scimshim::demo::cycle::{Idp, Profile, Report, Tally, Target, run};
use tokio::net::TcpListener;

use crate::stack::{APP_KEY, Sidecar, sidecar_at};

/// Runs the cycles of a provider in front of an application and shows every step of one that deviated.
pub(crate) async fn check(idp: Idp, profile: &str, sidecar: &Sidecar) {
    check_at(idp, profile, sidecar, sidecar.base_url()).await;
}

/// The same below another base URL than that of the first route.
pub(crate) async fn check_at(idp: Idp, profile: &str, sidecar: &Sidecar, base: String) {
    let target = Target { base, token: sidecar.token().to_owned() };
    let client = Client::new().unwrap();
    for script in idp.scripts(&Profile::named(profile).unwrap()).unwrap() {
        let mut deviations = Vec::new();
        let mut report = Report::plain(&mut deviations);
        let mut native_calls = 0;
        let tally = run(&script, &client, &target, sidecar.observer(), |outcome| {
            native_calls += outcome.exchange.as_ref().map_or(0, |exchange| exchange.native.len());
            if !outcome.deviations.is_empty() {
                report.step(outcome).unwrap();
            }
        })
        .await;
        assert_eq!(String::from_utf8(deviations).unwrap(), "", "{}", script.title);
        let steps = script.steps.len();
        assert_eq!(tally, Tally { behaved: steps, steps });
        assert!(native_calls >= steps / 2, "{native_calls} native calls were observed in {steps} steps");
    }
}

async fn acme(idp: Idp) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = Acme::start(listener, AcmeOptions::new(APP_KEY)).await.unwrap();
    let config = include_str!("../../config.toml");
    let sidecar = sidecar_at(config, Some(format!("http://{}", app.addr()))).await;
    check(idp, "acme", &sidecar).await;
    sidecar.stop();
}

#[tokio::test]
async fn entra() {
    acme(Idp::Entra).await;
}

#[tokio::test]
async fn okta() {
    acme(Idp::Okta).await;
}

#[tokio::test]
async fn pusher() {
    acme(Idp::Pusher).await;
}
