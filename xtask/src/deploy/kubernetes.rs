//! The chart, the kustomizations, and what they render to.
//!
//! In: `deploy/chart`, `deploy/base`, `deploy/components`, `deploy/overlays`. Out: what the schemas, the policies, our
//! own rules and the program say about them. Nothing is applied: there is no cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Bench, last_line, output, read, refusal, write};

/// The oldest release that is supported, and the newest that the schemas know.
const RELEASES: [&str; 2] = ["1.29", "1.37"];

/// What is rendered from the chart: the file, the template, and the values that differ from the defaults.
const RENDERED: &[(&str, &str, &[&str])] = &[
    ("base/configmap.yaml", "configmap", &[]),
    ("base/deployment.yaml", "deployment", &[]),
    ("base/networkpolicy.yaml", "networkpolicy", &[]),
    ("base/poddisruptionbudget.yaml", "poddisruptionbudget", &[]),
    ("base/service.yaml", "service", &[]),
    ("base/serviceaccount.yaml", "serviceaccount", &[]),
    (
        "components/podmonitor/podmonitor.yaml",
        "podmonitor",
        &["podMonitor.enabled=true", r#"podMonitor.matchLabels={"scimshim/scrape":"true"}"#],
    ),
    ("components/alerts/prometheusrule.yaml", "prometheusrule", &["prometheusRule.enabled=true"]),
    ("components/dashboard/configmap.yaml", "dashboard", &["dashboard.enabled=true"]),
    ("components/sidecar/patch.yaml", "patch", &[r#"mode="patch""#]),
    ("components/sidecar-container/patch.yaml", "patch", &[r#"mode="patch""#, "sidecar.native=false"]),
];

/// Folders of which the chart, which can read nothing outside itself, holds a copy.
const COPIED: &[(&str, &str)] = &[("alerts", ".yaml"), ("dashboards", ".json")];

/// Values that the chart has to refuse, and what it says.
const REFUSED: &[(&str, &str)] = &[
    ("mode=other", "mode"),
    ("mode=sidecar", "app.containers"),
    ("replicas=many", "replicas"),
    ("replica=3", "replica"),
    ("image.tag=latest", "tag"),
    ("image.digest=sha256:1", "digest"),
    ("ports.scim=70000", "scim"),
    ("drain.grace=35", "drain.grace"),
    ("prometheusRule.runbooks=a b", "runbooks"),
    ("dashboard.folder=x", "folder"),
];

/// Faults that the tools have to notice; otherwise their silence says nothing.
const MISSPELT: (&str, &str) = ("terminationGracePeriodSeconds:", "terminationGracePeriodSecond:");
const LENIENT: (&str, &str) = ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false");

/// `helm lint`, `helm package`, and values that have to be refused.
pub(super) fn chart(bench: &Bench<'_>) -> Result<String, String> {
    let chart = bench.source("deploy/chart");
    for values in [&[][..], &demo_values(bench)] {
        output(bench.tools.kubernetes("helm")?.args(["lint", "--strict", "--quiet"]).arg(&chart).args(values))?;
    }
    for (values, said) in REFUSED {
        let why = refusal(bench.tools.kubernetes("helm")?.args(["template", "r"]).arg(&chart).args(["--set", values]))?;
        if !why.contains(said) {
            return Err(format!("--set {values} is refused, but not because of `{said}`:\n{why}"));
        }
    }
    let folder = bench.fresh("chart")?;
    output(bench.tools.kubernetes("helm")?.arg("package").arg(&chart).arg("--destination").arg(folder))?;
    let (version, app) =
        (field(bench, "deploy/chart/Chart.yaml", "appVersion: ")?, field(bench, "Cargo.toml", "version = ")?);
    if version != app {
        return Err(format!("appVersion of the chart is {version}, the program's version is {app}"));
    }
    Ok(format!("linted with 2 sets of values, refuses {}", REFUSED.len()))
}

/// The chart is the source; what kustomize uses is compared with what it renders.
pub(super) fn rendered(bench: &Bench<'_>) -> Result<String, String> {
    let mut differ = Vec::new();
    for (folder, ending) in COPIED {
        copied(bench, &mut differ, folder, ending)?;
    }
    for (file, template, values) in RENDERED {
        let show = format!("templates/{template}.yaml");
        let mut helm = bench.tools.kubernetes("helm")?;
        helm.args(["template", "scimshim"]).arg(bench.source("deploy/chart")).args(["--show-only", &show]);
        helm.args(values.iter().flat_map(|value| ["--set-json", value]));
        compare(bench, &mut differ, &bench.source("deploy").join(file), &plain(&output(&mut helm)?))?;
    }
    if !differ.is_empty() {
        return Err(format!("not as rendered, see `cargo xtask deploy-check --bless rendered`: {}", differ.join(", ")));
    }
    let sets = Sets::render(bench)?;
    let same =
        output(bench.tools.script("manifests.py")?.arg("--same").arg(sets.path("demo")).arg(sets.path("chart-demo")))?;
    Ok(format!("{} files; overlay and chart run the demo alike: {}", RENDERED.len(), last_line(&same)))
}

/// The files of a folder, and the chart's copies of them: each has the other.
fn copied(bench: &Bench<'_>, differ: &mut Vec<String>, folder: &str, ending: &str) -> Result<(), String> {
    let copies = bench.source("deploy/chart/files").join(folder);
    let sources = bench.files(&format!("deploy/{folder}"), ending)?;
    let name_of = |path: &Path| path.file_name().map(ToOwned::to_owned).unwrap_or_default();
    for source in &sources {
        compare(bench, differ, &copies.join(name_of(source)), &read(source)?)?;
    }
    let there = bench.files(&format!("deploy/chart/files/{folder}"), "").unwrap_or_default();
    let stray = there.iter().filter(|copy| !sources.iter().any(|source| name_of(source) == name_of(copy)));
    differ.extend(stray.map(|copy| format!("{}, which is no copy", copy.display())));
    Ok(())
}

fn compare(bench: &Bench<'_>, differ: &mut Vec<String>, file: &Path, wanted: &str) -> Result<(), String> {
    if fs::read_to_string(file).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if bench.bless {
        return write(file, wanted);
    }
    differ.push(file.strip_prefix(&bench.workspace.root).unwrap_or(file).display().to_string());
    Ok(())
}

/// A rendered template without what only Helm wants.
fn plain(text: &str) -> String {
    let of_helm = |line: &&str| {
        let line = line.trim_start();
        ["---", "# Source: ", "helm.sh/chart: ", "app.kubernetes.io/managed-by: "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    text.lines().filter(|line| !of_helm(line)).fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// Every set of manifests, for the oldest and the newest release.
pub(super) fn schemas(bench: &Bench<'_>) -> Result<String, String> {
    let sets = Sets::render(bench)?;
    let mut objects = 0;
    for release in RELEASES {
        let said = output(validate(bench, release)?.args(sets.paths()))?;
        objects = said.matches(" passed for resource ").count();
        // It knows no custom resources; they are the business of `crds`.
        let unknown =
            said.lines().find(|line| line.contains("WARN") && !OF_OPERATOR.iter().any(|kind| line.contains(kind)));
        if let Some(unknown) = unknown {
            return Err(unknown.to_owned());
        }
    }
    refusal(validate(bench, RELEASES[0])?.arg(sets.broken("misspelt", MISSPELT)?))?;
    Ok(format!("{objects} objects of {} sets, for Kubernetes {}", SETS.len(), RELEASES.join(" and ")))
}

/// Kinds that the schemas of Kubernetes leave out.
const OF_OPERATOR: [&str; 2] = ["kind PodMonitor", "kind PrometheusRule"];

fn validate(bench: &Bench<'_>, release: &str) -> Result<Command, String> {
    let mut validate = bench.tools.python("kubernetes-validate")?;
    validate.args(["--strict", "--kubernetes-version", release]);
    Ok(validate)
}

/// Our own rules, and faults that they have to notice.
pub(super) fn manifests(bench: &Bench<'_>) -> Result<String, String> {
    let sets = Sets::render(bench)?;
    let found = output(bench.tools.script("manifests.py")?.args(sets.paths()))?;
    let noticed = output(bench.tools.script("manifests.py")?.arg("--self-test").arg(sets.path("chart-demo")))?;
    Ok(format!("{}; {}", last_line(&found), last_line(&noticed)))
}

/// The objects of the Prometheus operator.
pub(super) fn crds(bench: &Bench<'_>) -> Result<String, String> {
    let sets = Sets::render(bench)?;
    let modules = bench.tools.node_modules()?;
    let of_operator =
        output(bench.tools.script("manifests.py")?.arg("--objects").arg("monitoring.coreos.com").args(sets.paths()))?;
    let list = bench.folder.join("crds.jsonl");
    write(&list, of_operator)?;
    // Modules are looked for beside the script.
    let script = modules.join("crds.mjs");
    write(&script, read(&bench.source("xtask/deploy/crds.mjs"))?)?;
    Ok(last_line(&output(bench.workspace.command("node").arg(script).arg(list))?))
}

/// What a scanner of misconfigurations thinks.
pub(super) fn policy(bench: &Bench<'_>) -> Result<String, String> {
    let sets = Sets::render(bench)?;
    let scan = |path: &Path| -> Result<Command, String> {
        let mut trivy = bench.tools.trivy()?;
        trivy.args(["config", "--skip-check-update", "--quiet", "--exit-code", "1"]);
        trivy.args(["--severity", "MEDIUM,HIGH,CRITICAL", "--ignorefile"]).arg(bench.source("deploy/.trivyignore"));
        trivy.arg("--cache-dir").arg(bench.folder.join("trivy")).arg(path);
        Ok(trivy)
    };
    output(&mut scan(&sets.folder)?)?;
    output(&mut scan(&bench.source("deploy/Dockerfile"))?)?;
    refusal(&mut scan(&sets.broken("lenient", LENIENT)?)?)?;
    output(bench.tools.python("hadolint")?.arg(bench.source("deploy/Dockerfile")))?;
    Ok(format!("{} sets and the Dockerfile: nothing of medium severity or above", SETS.len()))
}

/// `scimshim check` for each configuration in a `ConfigMap`, and the one of the Debian package.
pub(super) fn configs(bench: &Bench<'_>) -> Result<String, String> {
    let (sets, folder) = (Sets::render(bench)?, bench.fresh("configs")?);
    output(bench.tools.script("manifests.py")?.arg("--configs").arg(&folder).args(sets.paths()))?;
    let listed = fs::read_dir(&folder).map_err(|err| format!("cannot read {}: {err}", folder.display()))?;
    let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path().join("config.toml")).collect();
    files.push(bench.source("deploy/debian/config.toml"));
    for file in &files {
        let said = output(bench.workspace.command(bench.program()?).arg("check").arg("-c").arg(file))?;
        if !said.trim_end().ends_with(": ok") {
            return Err(said);
        }
    }
    Ok(format!("{} without a warning", files.len()))
}

/// What is applied together, and how it is rendered.
const SETS: &[(&str, Source)] = &[
    ("base", Source::Kustomize("base")),
    ("standalone", Source::Kustomize("overlays/standalone")),
    ("demo", Source::Kustomize("overlays/demo")),
    ("container", Source::Kustomize("container")),
    ("chart", Source::Chart(SEEN)),
    ("chart-demo", Source::Demo(SEEN)),
    ("chart-container", Source::Demo(&["--set", "sidecar.native=false"])),
];

const SEEN: &[&str] = &["--set", "podMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true"];

enum Source {
    /// A folder below `deploy`, or `container`: the demo with the other sidecar.
    Kustomize(&'static str),
    Chart(&'static [&'static str]),
    /// The chart with the values of the demo.
    Demo(&'static [&'static str]),
}

/// The sets, rendered into a folder.
pub(super) struct Sets {
    folder: PathBuf,
}

impl Sets {
    pub(super) fn render(bench: &Bench<'_>) -> Result<Self, String> {
        let sets = Self { folder: bench.fresh("sets")? };
        for (name, source) in SETS {
            let mut command = match source {
                Source::Kustomize("container") => {
                    let mut kubectl = bench.tools.kubernetes("kubectl")?;
                    kubectl.arg("kustomize").arg(with_container(bench)?);
                    kubectl
                }
                Source::Kustomize(folder) => {
                    let mut kubectl = bench.tools.kubernetes("kubectl")?;
                    kubectl.arg("kustomize").arg(bench.source("deploy").join(folder));
                    kubectl
                }
                Source::Chart(values) | Source::Demo(values) => {
                    let mut helm = bench.tools.kubernetes("helm")?;
                    helm.args(["template", "scimshim"]).arg(bench.source("deploy/chart")).args(*values);
                    if matches!(source, Source::Demo(_)) {
                        helm.args(demo_values(bench));
                    }
                    helm
                }
            };
            write(&sets.path(name), output(&mut command)?)?;
        }
        Ok(sets)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.yaml"))
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        SETS.iter().map(|(name, _)| self.path(name))
    }

    /// The demo with a fault in it, away from the sets.
    fn broken(&self, name: &str, (right, wrong): (&str, &str)) -> Result<PathBuf, String> {
        let path = self.folder.with_file_name(format!("broken-{name}")).join("demo.yaml");
        let text = read(&self.path("demo"))?;
        if !text.contains(right) {
            return Err(format!("the demo has no `{right}` to break"));
        }
        write(&path, text.replace(right, wrong))?;
        Ok(path)
    }
}

/// A copy of the kustomizations in which the demo uses the component for clusters without native sidecars.
fn with_container(bench: &Bench<'_>) -> Result<PathBuf, String> {
    let folder = bench.fresh("container")?;
    for part in ["components", "overlays"] {
        output(bench.workspace.command("cp").arg("-r").arg(bench.source("deploy").join(part)).arg(&folder))?;
    }
    let overlay = folder.join("overlays/demo");
    for (file, right, wrong) in [
        ("kustomization.yaml", "components/sidecar", "components/sidecar-container"),
        ("app.yaml", "scimshim/sidecar: native", "scimshim/sidecar: container"),
    ] {
        let text = read(&overlay.join(file))?;
        write(&overlay.join(file), text.replace(right, wrong))?;
    }
    Ok(overlay)
}

fn demo_values(bench: &Bench<'_>) -> [String; 4] {
    let path = |path: &str| bench.source(path).display().to_string();
    let config = format!("config={}", path("deploy/overlays/demo/config.toml"));
    ["--values".into(), path("deploy/chart/ci/demo-values.yaml"), "--set-file".into(), config]
}

/// The value of the first line that begins so.
fn field(bench: &Bench<'_>, file: &str, start: &str) -> Result<String, String> {
    let text = read(&bench.source(file))?;
    let value = text.lines().find_map(|line| line.strip_prefix(start)).map(|value| value.trim_matches('"').to_owned());
    value.ok_or_else(|| format!("{file} has no `{start}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_helm_wants_is_left_out() {
        let text = "---\n# Source: x/templates/y.yaml\nlabels:\n  a: b\n  helm.sh/chart: x-1\n  app.kubernetes.io/managed-by: Helm\n# why\n    \n";
        assert_eq!(plain(text), "labels:\n  a: b\n# why\n\n");
    }
}
