//! Build tools that a fresh machine may lack.
//!
//! In: what is installed. Out: a `PATH` on which `cmake` answers, or one sentence saying what to install. Pingora
//! compresses with zlib-ng, whose build script knows only cmake, and with zstd, which wants a C compiler; both are
//! needed whatever features are chosen. Nothing is installed when the machine has them already. A C compiler is
//! never installed: that is the owner's decision.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workspace::{Workspace, answers, capture, step};

/// What the machine has, as far as [`attempts`] needs to know.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "these are independent observations, not a state")]
struct Facts {
    /// A C compiler answers.
    compiler: bool,
    /// `make` or `ninja` answers; cmake drives one of them.
    make: bool,
    /// `cmake` on the `PATH` answers.
    cmake: bool,
    /// An earlier run left a working cmake under the build folder.
    provided: bool,
    /// The user may install system packages by apt.
    apt_as_root: bool,
    /// `python3 -m pip` answers.
    pip: bool,
}

/// One way to come by cmake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// It is on the `PATH`: nothing to do.
    OnPath,
    /// It is in the build folder from an earlier run.
    Provided,
    /// Install the system package.
    Apt,
    /// Install the Python wheel into the build folder.
    Pip,
}

/// Makes `cmake` available, and returns the `PATH` to use if it is not the one we have.
///
/// `folder` takes what is installed for this checkout only.
pub(crate) fn provide(folder: &Path) -> Result<Option<OsString>, String> {
    let wrapper = folder.join("bin").join("cmake");
    let mut failures = Vec::new();
    for attempt in attempts(observe(&wrapper))? {
        let outcome = match attempt {
            Attempt::OnPath => return Ok(None),
            Attempt::Provided => Ok(()),
            Attempt::Apt => match install_by_apt() {
                Ok(()) => return Ok(None),
                Err(why) => Err(why),
            },
            Attempt::Pip => install_by_pip(folder, &wrapper),
        };
        match outcome {
            Ok(()) => return prefixed_path(&folder.join("bin")).map(Some),
            Err(why) => failures.push(why),
        }
    }
    Err(format!(
        "cmake is missing and could not be installed ({}); install it with the system's package manager",
        failures.join("; ")
    ))
}

/// The ways to try, in order. Pure, so that machines we do not have can be tested.
fn attempts(facts: Facts) -> Result<Vec<Attempt>, String> {
    if !facts.compiler {
        return Err("no C compiler answers (tried cc, gcc and clang); install one, for example the package gcc".into());
    }
    if !facts.make && !facts.apt_as_root {
        return Err("neither make nor ninja answers; install one, for example the package make".into());
    }
    if facts.cmake && facts.make {
        return Ok(vec![Attempt::OnPath]);
    }
    if facts.provided && facts.make {
        return Ok(vec![Attempt::Provided]);
    }
    let mut ways = Vec::new();
    if facts.apt_as_root {
        ways.push(Attempt::Apt);
    }
    if facts.pip && facts.make {
        ways.push(Attempt::Pip);
    }
    if ways.is_empty() {
        return Err("cmake is missing, and neither apt (as root) nor python3 with pip is there to install it; \
             install cmake with the system's package manager"
            .into());
    }
    Ok(ways)
}

fn observe(wrapper: &Path) -> Facts {
    let version = ["--version"];
    Facts {
        compiler: has_compiler(),
        make: ["make", "ninja"].iter().any(|tool| answers(tool, &version)),
        cmake: answers("cmake", &version),
        provided: answers(&wrapper.to_string_lossy(), &version),
        apt_as_root: is_root() && answers("apt-get", &version),
        pip: answers("python3", &["-m", "pip", "--version"]),
    }
}

/// `CC` counts too: build scripts honour it.
fn has_compiler() -> bool {
    let named = env::var("CC").ok();
    named.as_deref().into_iter().chain(["cc", "gcc", "clang"]).any(|compiler| answers(compiler, &["--version"]))
}

/// Whether system packages may be installed.
pub(crate) fn is_root() -> bool {
    capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// The interpreter of a virtual environment in `folder` that holds exactly what `requirements` says.
pub(crate) fn python_environment(workspace: &Workspace, requirements: &Path, folder: &Path) -> Result<PathBuf, String> {
    let wanted = fs::read(requirements).map_err(|err| format!("cannot read {}: {err}", requirements.display()))?;
    let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
    // Written last, so that an installation that broke off is made again.
    let current = fs::read(&stamp).is_ok_and(|installed| installed == wanted);
    if current && answers(&python.to_string_lossy(), &["--version"]) {
        return Ok(python);
    }
    step("make a virtual environment", workspace.command("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = workspace.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]);
    step("install its packages", pip.arg(requirements))?;
    fs::write(&stamp, wanted).map_err(|err| format!("cannot write {}: {err}", stamp.display()))?;
    Ok(python)
}

fn install_by_apt() -> Result<(), String> {
    eprintln!("xtask: cmake is missing, installing the packages cmake and make with apt-get");
    quietly(Command::new("apt-get").args(["update", "-qq"]))?;
    quietly(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", "cmake", "make"])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// The wheel brings its own cmake; its entry script finds the package through `PYTHONPATH`, hence the wrapper.
fn install_by_pip(folder: &Path, wrapper: &Path) -> Result<(), String> {
    let package = folder.join("cmake");
    eprintln!("xtask: cmake is missing, installing the Python wheel into {}", package.display());
    quietly(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--upgrade", "--target"])
            .arg(&package)
            .arg("cmake"),
    )?;
    write_wrapper(&package, wrapper).map_err(|err| format!("cannot write {}: {err}", wrapper.display()))?;
    if !answers(&wrapper.to_string_lossy(), &["--version"]) {
        return Err("the cmake of the Python wheel does not run".into());
    }
    Ok(())
}

fn write_wrapper(package: &Path, wrapper: &Path) -> std::io::Result<()> {
    if let Some(bin) = wrapper.parent() {
        fs::create_dir_all(bin)?;
    }
    fs::write(wrapper, wrapper_script(package))?;
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755))
}

fn wrapper_script(package: &Path) -> String {
    let quoted = package.to_string_lossy().replace('\'', r"'\''");
    format!("#!/bin/sh\nPYTHONPATH='{quoted}' exec python3 '{quoted}/bin/cmake' \"$@\"\n")
}

/// Runs an installer; its output is shown only when it fails.
fn quietly(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|err| format!("{program}: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    eprintln!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
    Err(format!("{program}: {}", output.status))
}

fn prefixed_path(bin: &Path) -> Result<OsString, String> {
    let old = env::var_os("PATH").unwrap_or_default();
    join(bin, &old).map_err(|err| format!("{} cannot be put on the PATH: {err}", bin.display()))
}

fn join(first: &Path, rest: &OsStr) -> Result<OsString, env::JoinPathsError> {
    let rest: Vec<PathBuf> = env::split_paths(rest).collect();
    env::join_paths(std::iter::once(first.to_path_buf()).chain(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with a C compiler and make, and nothing else.
    const BARE: Facts =
        Facts { compiler: true, make: true, cmake: false, provided: false, apt_as_root: false, pip: false };

    #[test]
    fn an_installed_cmake_is_used_before_anything_else() {
        let facts = Facts { cmake: true, provided: true, apt_as_root: true, pip: true, ..BARE };
        assert_eq!(attempts(facts), Ok(vec![Attempt::OnPath]));
    }

    #[test]
    fn an_earlier_install_is_used_again() {
        let facts = Facts { provided: true, apt_as_root: true, pip: true, ..BARE };
        assert_eq!(attempts(facts), Ok(vec![Attempt::Provided]));
    }

    #[test]
    fn apt_comes_before_pip_and_pip_is_the_fallback() {
        let facts = Facts { apt_as_root: true, pip: true, ..BARE };
        assert_eq!(attempts(facts), Ok(vec![Attempt::Apt, Attempt::Pip]));
        assert_eq!(attempts(Facts { pip: true, ..BARE }), Ok(vec![Attempt::Pip]));
    }

    #[test]
    fn make_is_installed_with_cmake_or_asked_for() {
        let without = Facts { make: false, cmake: true, pip: true, ..BARE };
        let why = attempts(without).expect_err("pip brings no make");
        assert!(why.contains("make"), "{why}");
        let root = Facts { apt_as_root: true, ..without };
        assert_eq!(attempts(root), Ok(vec![Attempt::Apt]));
    }

    #[test]
    fn what_cannot_be_provided_is_one_sentence() {
        let why = attempts(BARE).expect_err("nothing can install it");
        assert!(why.starts_with("cmake is missing"), "{why}");
        let why = attempts(Facts { compiler: false, cmake: true, ..BARE }).expect_err("no compiler");
        assert!(why.starts_with("no C compiler"), "{why}");
        assert_eq!(why.lines().count(), 1);
    }

    #[test]
    fn the_wrapper_survives_odd_folder_names() {
        let script = wrapper_script(Path::new("/a b/it's"));
        assert_eq!(script, "#!/bin/sh\nPYTHONPATH='/a b/it'\\''s' exec python3 '/a b/it'\\''s/bin/cmake' \"$@\"\n");
    }

    #[test]
    fn the_tool_folder_comes_first() {
        let path = join(Path::new("/t/bin"), OsStr::new("/usr/bin:/bin")).expect("plain names");
        assert_eq!(path, "/t/bin:/usr/bin:/bin");
    }
}
