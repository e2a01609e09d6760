//! `test-apps`: the sidecar in front of applications that others wrote.
//!
//! In: the scripts and the config of each example under `deploy/examples`. Out: success if a whole provisioning
//! cycle behaved against every one of them. An application that cannot be installed or started is a failure, not a
//! skip. Whatever was started is stopped, also after a failure.

use std::path::{Path, PathBuf};

use crate::workspace::{Workspace, capture, step};

/// One application: the folder under `deploy/examples`, which is also the name of its profile in `scimshim cycle`.
const APPS: &[&str] = &["jupyterhub", "redmine"];

/// Builds the sidecar and puts it through a cycle in front of every application, or of those that are named.
pub(crate) fn test_apps(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let apps = chosen(args)?;
    let workspace = &workspace.with_build_tools()?;
    // As the tests build it: with another set of features for shared dependencies, Pingora would be compiled again.
    step("build", &mut workspace.cargo(["test", "--quiet", "--no-run", "--test", "it"]))?;
    for app in apps {
        let example = workspace.root.join("deploy/examples").join(app);
        let running = Running::start(workspace, app, &example)?;
        let mut cycle = workspace.command(workspace.binary("debug", "scimshim"));
        cycle
            .arg("cycle")
            .arg("--config")
            .arg(example.join("config.toml"))
            .args(["--profile", app])
            .args(["--upstream", running.url()?])
            .envs(running.facts.iter().map(|(name, value)| (name, value)));
        step(&format!("provision {app}"), &mut cycle)?;
    }
    Ok(())
}

/// The applications that are named; without a name, all.
fn chosen(names: &[String]) -> Result<Vec<&'static str>, String> {
    let known = |name: &String| {
        let found = APPS.iter().find(|app| *app == name).copied();
        found.ok_or_else(|| format!("`{name}` is none of {}", APPS.join(", ")))
    };
    if names.is_empty() { Ok(APPS.to_vec()) } else { names.iter().map(known).collect() }
}

/// An application that runs until this value goes away.
struct Running<'a> {
    workspace: &'a Workspace,
    stop: PathBuf,
    state: PathBuf,
    /// What the start script said about it, as environment variables for the config.
    facts: Vec<(String, String)>,
}

impl<'a> Running<'a> {
    fn start(workspace: &'a Workspace, app: &str, example: &Path) -> Result<Self, String> {
        println!("==> start {app} (the first time it is installed, which takes a minute)");
        // Made first, so that a start that fails half-way is cleaned up too.
        let mut running = Self {
            workspace,
            stop: example.join("stop.sh"),
            state: workspace.target.join("apps").join(app),
            facts: Vec::new(),
        };
        let said = capture(workspace.command(example.join("start.sh")).arg(&running.state))?;
        running.facts = facts(&said);
        Ok(running)
    }

    /// Where it is: the fact whose name ends so.
    fn url(&self) -> Result<&str, String> {
        let found = self.facts.iter().find(|(name, _)| name.ends_with("_URL"));
        found.map(|(_, url)| url.as_str()).ok_or_else(|| "the start script did not say where the application is".into())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let stopped = step("stop it", self.workspace.command(&self.stop).arg(&self.state));
        if let Err(why) = stopped {
            eprintln!("xtask: {why}; its process ids are in {}", self.state.display());
        }
    }
}

/// The `NAME=value` lines of a start script.
fn facts(said: &str) -> Vec<(String, String)> {
    said.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_are_chosen_by_name() {
        let chosen = |names: &[&str]| chosen(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(chosen(&[]), Ok(APPS.to_vec()));
        assert_eq!(chosen(&["redmine"]), Ok(vec!["redmine"]));
        assert_eq!(chosen(&["redmin"]), Err("`redmin` is none of jupyterhub, redmine".to_owned()));
    }

    #[test]
    fn facts_keep_everything_after_the_first_equals_sign() {
        let said = "READY\nHUB_URL=http://127.0.0.1:1/hub/api\nHUB_TOKEN=a=b=\n";
        let expected = [("HUB_URL", "http://127.0.0.1:1/hub/api"), ("HUB_TOKEN", "a=b=")];
        assert_eq!(facts(said), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
