//! What is seen of a scimshim that runs: alerts, the dashboard, and what it costs beside a server that everybody knows.
//!
//! In: `deploy/alerts`, `deploy/dashboards`, the runbooks, the program. Out: what promtool and a real Prometheus say about
//! them, and a table. Grafana is not to be had; that it draws what the dashboard asks for is not shown, that there is
//! something to draw is.

use super::{Bench, last_line, output};

/// The rules, their tests, and whether the tests would notice a fault.
pub(super) fn alerts(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("promtool", "prometheus")])?;
    let folder = bench.source("deploy/alerts");
    let rules = bench.files("deploy/alerts", ".yaml")?;
    output(bench.workspace.command("promtool").args(["check", "rules", "--lint=all", "--lint-fatal"]).args(rules))?;
    let tests = bench.files("deploy/alerts/tests", ".yaml")?;
    output(bench.workspace.command("promtool").args(["test", "rules"]).args(tests))?;
    let mut script = bench.tools.script("alerts.py")?;
    Ok(last_line(&output(script.arg(folder).arg(bench.source("docs/runbooks.md")))?))
}

/// Every query of the dashboard, and every rule, by a Prometheus that scraped a demo run. With `--bless` the picture of
/// the dashboard is drawn again, from a longer run.
pub(super) fn dashboard(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("prometheus", "prometheus")])?;
    let mut script = bench.tools.script("dashboard.py")?;
    script.arg(bench.source("deploy")).arg(bench.program()?).arg(bench.fresh("seen")?);
    if bench.bless {
        bench.tools.system(&[("chromium", "chromium"), ("pngquant", "pngquant")])?;
        script.arg("--picture").arg(bench.source("docs/img/dashboard.png"));
    }
    Ok(last_line(&output(&mut script)?))
}

/// Sizes, starts and memory beside nginx.
pub(super) fn compare(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("nginx", "nginx-light"), ("update-ca-certificates", "ca-certificates")])?;
    let mut script = bench.tools.script("compare.py")?;
    output(script.arg(bench.program()?).arg(bench.fresh("compare")?))
}
