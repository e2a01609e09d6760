//! `scimshim check --online` against an application that answers, and against one that answers otherwise.

use std::path::Path;
use std::sync::Arc;

use scimshim::config::{Source, compile, render};
use scimshim::online::{self, Report, Verdict};
use scimshim::server::load::resolve_secrets;

use crate::apps::monitor::{Monitor, PASSWORD};
use crate::apps::people::{KEY, People};
use crate::apps::serve::{App, Served};
use crate::examples_bench::config;

async fn tried(text: &str, app: impl App, variables: &[(&str, &str)]) -> (Report, Vec<String>) {
    let app = Served::start(app).await;
    let text = text
        .replace("http://127.0.0.1:3000", app.url())
        .replace("env:APP_KEY", &format!("plain:{KEY}"))
        .replace("env:APP_PASSWORD", &format!("plain:{PASSWORD}"))
        .replace("env:SCIM_TOKEN", "plain:0123456789abcdef0123456789abcdef");
    let source = Source { name: Arc::from("config.toml"), text };
    let snapshot = compile(source).unwrap_or_else(|found| panic!("{}", render(&found)));
    let secrets = resolve_secrets(&snapshot, Path::new(".")).await.unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let report = online::check(Arc::new(snapshot), &secrets, &variables).await.unwrap();
    (report, app.take_calls())
}

fn people() -> People {
    let mut people = People::in_teams();
    people.seed("old@x.example");
    people.seed("older@x.example");
    people.seed("oldest@x.example");
    people
}

/// What was found besides what is fine.
fn findings(report: &Report) -> Vec<String> {
    report.findings().filter(|finding| finding.verdict > Verdict::Fine).map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_configuration_that_fits_has_nothing_against_it_and_writes_nothing() {
    let (report, calls) = tried(&config("typical"), people(), &[]).await;
    // The fixture has nobody with a login of the identity provider, and no team.
    let expected = [
        "warning  `externalId` is in none of the 1 objects that were seen  (config.toml:40)\n         = fields that are \
         empty may be left out; otherwise the native path is wrong",
        "warning  the list is empty, so nothing about rows can be said  (preset:rest@1:4)",
    ];
    assert_eq!(findings(&report), expected, "{report}");
    assert!(report.is_usable());
    assert!(!calls.is_empty() && calls.iter().all(|call| call.starts_with("GET ")), "{calls:?}");
    assert_eq!(report.reads, calls.len());
}

/// One letter of the configuration is wrong; the application cannot know, and `check` alone cannot either.
#[tokio::test]
async fn what_does_not_fit_is_named_with_its_line_and_a_guess() {
    let mistakes = [
        (
            "\"first_name\"",
            "\"frist_name\"",
            "`name.givenName` is in none of the 1 objects",
            "did you mean `first_name`?",
        ),
        ("\"meta.total\"", "\"meta.totl\"", "has no total where `total` says", "did you mean `total`?"),
        ("\"?email={value}\"", "\"?mail={value}\"", "brought 3 objects back", "often ignored"),
        ("items = \"data\"", "items = \"rows\"", "502", ""),
        ("per_page", "perpage", "asked for 2 and gave 3", ""),
        ("\"X-Api-Key\"", "\"X-Key\"", "502", ""),
        ("\"/users\"", "\"/people\"", "GET /people", "404"),
    ];
    for (right, wrong, text, help) in mistakes {
        let config = config("typical");
        assert!(config.contains(right), "{right}");
        let (report, _) = tried(&config.replacen(right, wrong, 1), people(), &[]).await;
        let found = findings(&report).join("\n");
        assert!(found.contains(text) && found.contains(help), "{wrong}: {found}");
    }
}

#[tokio::test]
async fn an_application_that_is_not_there_is_said_once_a_type() {
    let text = config("typical").replace("http://127.0.0.1:3000", "http://127.0.0.1:1");
    let (report, calls) = tried(&text, people(), &[]).await;
    assert!(calls.is_empty());
    assert!(!report.is_usable());
    let found = findings(&report);
    assert_eq!(found.len(), 2, "{report}");
    assert!(found.iter().all(|finding| finding.contains("connect_error")), "{report}");
}

#[tokio::test]
async fn a_base_url_with_variables_is_tried_with_the_values_that_are_given() {
    let text = config("typical")
        .replace("path    = \"/scim/v2\"", "path    = \"/scim/v2/{tenant}\"\nvars    = { tenant = '[a-z]{1,8}' }");
    let (report, calls) = tried(&text, people(), &[]).await;
    assert!(calls.is_empty());
    assert!(findings(&report).join("").contains("--var tenant=VALUE"), "{report}");
    let (report, calls) = tried(&text, people(), &[("tenant", "acme")]).await;
    assert!(report.is_usable() && !calls.is_empty(), "{report}");
}

/// What a call looks up by itself, and what stands in for what a client leaves out, is there or is not.
#[tokio::test]
async fn names_in_reference_tables_are_looked_up() {
    let (report, _) = tried(&config("jsonrpc"), Monitor::new(), &[]).await;
    assert!(report.is_usable(), "{report}");
    let fine: Vec<String> = report.findings().map(ToString::to_string).collect();
    assert!(fine.contains(&"ok       table `role`: POST /rpc".to_owned()), "{report}");
    assert!(fine.contains(&"ok       table `team`: POST /rpc".to_owned()), "{report}");

    let wrong = config("jsonrpc").replace("['No access']", "['No acces']").replace("\"Viewer\"", "\"Spectator\"");
    let (report, _) = tried(&wrong, Monitor::new(), &[]).await;
    assert!(!report.is_usable(), "{report}");
    let found = findings(&report);
    let expected = [
        "error    the table `team` has no one entry 'No acces'  (config.toml:33)\n         = did you mean 'No access'?",
        "error    the table `role` has no one entry 'Spectator'  (config.toml:73)\n         = the table is read by \
         config.toml:28",
    ];
    assert!(expected.iter().all(|text| found.contains(&(*text).to_owned())), "{report}");

    let unread = config("jsonrpc").replace("role.get", "rule.get");
    let (report, _) = tried(&unread, Monitor::new(), &[]).await;
    let found = findings(&report).join("\n");
    assert!(
        found.contains("error    the table `role` cannot be read: ") && found.contains("(config.toml:28)"),
        "{report}"
    );
}
