//! `test-apps`: the sidecar in front of applications that others wrote.
//!
//! In: the scripts and the config of each example under `deploy/examples`. Out: success if a whole provisioning
//! cycle behaved against every one of them. An application that cannot be installed or started is a failure, not a
//! skip. Whatever was started is stopped, also after a failure.

use std::path::{Path, PathBuf};

use crate::workspace::{Workspace, capture, step};

/// One application: the folder under `deploy/examples`, which is also the name of its profile in `scimshim cycle`.
const APPS: &[&str] = &["jupyterhub"];

/// Builds the sidecar and puts it through a cycle in front of every application.
pub(crate) fn test_apps(workspace: &Workspace, _args: &[String]) -> Result<(), String> {
    let workspace = &workspace.with_build_tools()?;
    // As the tests build it: with another set of features for shared dependencies, Pingora would be compiled again.
    step("build", &mut workspace.cargo(["test", "--quiet", "--no-run", "--test", "it"]))?;
    for app in APPS {
        let example = workspace.root.join("deploy/examples").join(app);
        let running = Running::start(workspace, app, &example)?;
        let mut cycle = workspace.command(workspace.binary("debug", "scimshim"));
        cycle
            .arg("cycle")
            .arg("--config")
            .arg(example.join("config.toml"))
            .args(["--profile", app])
            .envs(running.facts.iter().map(|(name, value)| (name, value)));
        step(&format!("provision {app}"), &mut cycle)?;
    }
    Ok(())
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
    fn facts_keep_everything_after_the_first_equals_sign() {
        let said = "READY\nHUB_URL=http://127.0.0.1:1/hub/api\nHUB_TOKEN=a=b=\n";
        let expected = [("HUB_URL", "http://127.0.0.1:1/hub/api"), ("HUB_TOKEN", "a=b=")];
        assert_eq!(facts(said), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
