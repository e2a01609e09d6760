//! The page `docs/metrics.md`.

use std::fmt::Write as _;

use super::entries::{ALL, OTHERS};
use super::{Kind, Values};

/// The page, as Markdown.
pub fn render() -> String {
    let mut page = String::from(PREFACE);
    // Writing to a string cannot fail.
    for entry in ALL {
        let name = entry.full_name();
        let _ = write!(page, "\n### {name}\n\n{}\n\n* Type: {}", entry.help, kind(entry.kind));
        let unit = unit(&name);
        if !unit.is_empty() {
            let _ = write!(page, ", in {unit}");
        }
        page.push('\n');
        for label in entry.labels {
            let values = match label.values {
                Values::Said(sentence) => sentence.to_owned(),
                Values::Words(words) => words().iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            };
            let _ = writeln!(page, "* Label `{}`: {values}", label.name);
        }
        let _ = writeln!(page, "* When it moves: {}", entry.advice);
    }
    page.push_str(PROCESS);
    for (name, about) in OTHERS {
        let _ = writeln!(page, "| {name} | {about} |");
    }
    page.push_str(QUARANTINE);
    page
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Counter => "counter".to_owned(),
        Kind::Gauge => "gauge".to_owned(),
        Kind::Histogram(buckets) => {
            let buckets: Vec<String> = buckets.iter().map(ToString::to_string).collect();
            format!("histogram with the buckets {}", buckets.join(", "))
        }
    }
}

/// The unit that a name ends in.
fn unit(name: &str) -> &'static str {
    if name.ends_with("_timestamp_seconds") {
        "seconds since 1970"
    } else if name.ends_with("_seconds") {
        "seconds"
    } else {
        ""
    }
}

const PREFACE: &str = "# Metrics

`/metrics` of the admin listener (`server.admin_listen`) has them in the text format of Prometheus. Labels are words of
the program or names of the configuration, so that no request can make a series of its own; the one exception, the label
`tenant`, is bounded (`metrics.tenants`) and takes only values of requests whose credential was accepted.

Series whose labels are known beforehand are there from the start with the value 0, so that a rate over them is right
from the first event on. A request that is refused for its path is in `scimshim_route_rejections_total`, and with the route
`none` in `scimshim_requests_total` as well, because it is answered as SCIM; one that is refused for how it was sent is in
`scimshim_protocol_rejections_total` alone.

This page is rendered from `src/telemetry/catalogue`; `BLESS=1 cargo test --lib metrics_page` rewrites it.

## Metrics of the adapter
";

const PROCESS: &str = "
## Metrics of the process

From `/proc`, as every Prometheus client has them.

| name | what it is |
|---|---|
";

const QUARANTINE: &str = "
## Quarantine

Entra ID stops a provisioning job that fails too often: first it runs once a day, and after four weeks not at all. Its
[documentation](https://learn.microsoft.com/en-us/entra/identity/app-provisioning/application-provisioning-quarantine-status)
(seen 2026-11) gives three thresholds, evaluated over the objects that wait to be tried again:

* more than 40 % of provisioning events failed, from 5,000 failures on;
* more than 40,000 failures;
* more than 60,000 failures, where failed references (a manager, a member of a group) count as well, which they do not
  in the other two.

A failed object is tried again after 6, 12 and 24 hours and then every day, so that a window of 24 hours holds every
object that waits. The adapter keeps such a window for each tenant, in steps of 15 minutes:

* every write counts as an event; a read only if it failed, because a look-up precedes a write and would hide its failure;
* an answer of 400 or above is a failure, except a 404 to a read or a deletion: nothing is there, as it should be;
* a failed PATCH of a type with members is a failed reference;
* a request without an accepted credential is no event, because anybody could send it. Entra quarantines a job at once
  when its credential is refused: watch `scimshim_auth_failures_total` and the expiry of tokens for that.

An object that fails is counted each time it is tried, up to four times a day, so that the window errs on the early side.
`scimshim_tenant_quarantine_ratio` is the share of the nearest threshold: 1 means that the job would be quarantined. Small
tenants never come near it, for below 5,000 failures Entra does not ask; watch the failures themselves there. Other
identity providers have no published thresholds, and the same numbers are good to know with them.
";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn metrics_page_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, render()).unwrap();
        }
        let page = fs::read_to_string(&path).unwrap_or_default();
        assert!(page == render(), "docs/metrics.md is out of date; run the tests with BLESS=1");
    }
}
