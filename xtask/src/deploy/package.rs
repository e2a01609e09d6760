//! The binary and what a package puts beside it.
//!
//! In: the release binary, `deploy/systemd`, `deploy/debian`, the metadata in `Cargo.toml`. Out: what the shells, man,
//! systemd and lintian say. Nothing is installed on this machine, and no service is started.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Bench, output, refusal, write};

/// Above this somebody should know why.
const PROGRAM_MAX_BYTES: u64 = 24 << 20;
/// Of 100, as `systemd-analyze security` counts; less is better.
const EXPOSURE_MAX: &str = "20";

/// Static, and not too large.
pub(super) fn program(bench: &Bench<'_>) -> Result<String, String> {
    let program = bench.program()?;
    let size = fs::metadata(program).map_err(|err| format!("cannot read {}: {err}", program.display()))?.len();
    let linked = output(bench.workspace.command("ldd").arg(program)).unwrap_or_else(|why| why);
    if !linked.contains("statically linked") && !linked.contains("not a dynamic executable") {
        return Err(format!("{} is not static:\n{linked}", program.display()));
    }
    if size > PROGRAM_MAX_BYTES {
        return Err(format!("{size} bytes, {PROGRAM_MAX_BYTES} are allowed"));
    }
    let version = output(bench.workspace.command(program).arg("version"))?;
    Ok(format!("{}, static, {}", version.trim(), megabytes(size)))
}

/// The shells read their completions without complaint.
pub(super) fn completions(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")])?;
    let folder = staged(bench)?;
    for (shell, file) in [("bash", "scimshim.bash"), ("zsh", "_scimshim"), ("fish", "scimshim.fish")] {
        let file = folder.join(file);
        let said = output(bench.workspace.command(shell).arg("-n").arg(&file))?;
        if !said.is_empty() {
            return Err(said);
        }
        // A shell that reads nothing complains about nothing.
        let broken = bench.folder.join("broken-completions");
        write(&broken, "if (\n")?;
        refusal(bench.workspace.command(shell).arg("-n").arg(&broken))?;
    }
    // As a user would: the first word after the name of the program.
    let script = format!(
        "source '{}'; COMP_WORDS=(scimshim dra); COMP_CWORD=1; _scimshim scimshim dra scimshim; echo \"${{COMPREPLY[@]}}\"",
        folder.join("scimshim.bash").display()
    );
    let said = output(bench.workspace.command("bash").args(["-c", &script]))?;
    if said.trim() == "drain" { Ok("bash, zsh, fish".into()) } else { Err(format!("`dra` is completed to: {said}")) }
}

/// `man` formats every page without a warning.
pub(super) fn manual(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("man", "man-db"), ("groff", "groff-base")])?;
    let pages = pages(&staged(bench)?)?;
    for page in &pages {
        let mut man = bench.workspace.command("man");
        man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(page);
        let formatted =
            man.env("MANROFFSEQ", "").env("MANWIDTH", "100").output().map_err(|err| format!("man: {err}"))?;
        let said = String::from_utf8_lossy(&formatted.stderr);
        if !formatted.status.success() || !said.is_empty() || formatted.stdout.is_empty() {
            return Err(format!("{}: {said}", page.display()));
        }
    }
    if pages.len() < 8 { Err(format!("only {} pages", pages.len())) } else { Ok(format!("{} pages", pages.len())) }
}

/// The package is built, and lintian has nothing against it.
pub(super) fn debian(bench: &Bench<'_>) -> Result<String, String> {
    let package = built(bench)?;
    bench.tools.system(&[("lintian", "lintian")])?;
    let mut lintian = bench.workspace.command("lintian");
    lintian.args(["--fail-on", "error,warning", "--allow-root", "--suppress-tags-from-file"]);
    let said = output(lintian.arg(bench.source("deploy/debian/suppressed-tags")).arg(&package))?;
    let size = fs::metadata(&package).map_err(|err| err.to_string())?.len();
    let control =
        output(bench.workspace.command("dpkg-deb").arg("--field").arg(&package).arg("Package").arg("Version"))?;
    let hints = said.lines().count();
    Ok(format!(
        "{}: {}, hints of lintian: {hints}",
        control.split_whitespace().collect::<Vec<_>>().join(" "),
        megabytes(size)
    ))
}

/// The unit as it is installed, with the program beside it.
pub(super) fn unit(bench: &Bench<'_>) -> Result<String, String> {
    bench.tools.system(&[("systemd-analyze", "systemd")])?;
    let root = bench.fresh("package-root")?;
    output(bench.workspace.command("dpkg-deb").arg("--extract").arg(built(bench)?).arg(&root))?;
    // The paths of the unit are those of the package; here it lies elsewhere.
    let installed = root.join("usr/lib/systemd/system/scimshim.service");
    let text = super::read(&installed).or_else(|_| super::read(&root.join("lib/systemd/system/scimshim.service")))?;
    let unit = root.join("scimshim.service");
    write(&unit, text.replace("/usr/bin/scimshim", &root.join("usr/bin/scimshim").display().to_string()))?;
    let said = output(bench.workspace.command("systemd-analyze").args(["verify", "--man=no"]).arg(&unit))?;
    if said.contains("scimshim.service") {
        return Err(said);
    }
    let mut security = bench.workspace.command("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager"]).arg(format!("--threshold={EXPOSURE_MAX}"));
    let said = output(security.arg(&unit))?;
    let level = said.split("Overall exposure level").nth(1).and_then(|rest| rest.split(": ").nth(1));
    let config = output(
        bench
            .workspace
            .command(root.join("usr/bin/scimshim"))
            .arg("check")
            .arg("-c")
            .arg(root.join("etc/scimshim/config.toml")),
    )?;
    if !config.trim_end().ends_with(": ok") {
        return Err(config);
    }
    Ok(format!("verified; exposure {} of 10", level.and_then(|rest| rest.split(' ').next()).unwrap_or("unknown")))
}

/// Builds the package from the release binary, once.
fn built(bench: &Bench<'_>) -> Result<PathBuf, String> {
    if let Some(package) = bench.package.get() {
        return Ok(package.clone());
    }
    bench.tools.system(&[("dpkg-deb", "dpkg"), ("xz", "xz-utils")])?;
    // Where the metadata looks for it.
    let program = bench.program()?;
    let place = bench.workspace.binary("release", "scimshim");
    if program != place {
        write(&place, [])?;
        fs::copy(program, &place).map_err(|err| format!("cannot copy {}: {err}", program.display()))?;
    }
    staged(bench)?;
    let folder = bench.fresh("debian")?;
    let mut deb = bench.tools.cargo_deb()?;
    // Compressed less than one that is shipped.
    deb.args(["--no-build", "--no-strip", "--quiet", "--fast", "--output"]).arg(&folder);
    output(&mut deb)?;
    let mut made = fs::read_dir(&folder).map_err(|err| format!("cannot read {}: {err}", folder.display()))?.flatten();
    let package = made.next().map(|entry| entry.path()).ok_or("cargo-deb made no package")?;
    Ok(bench.package.get_or_init(|| package).clone())
}

/// Completions and manual pages, from the binary; where the metadata in `Cargo.toml` looks for them.
fn staged(bench: &Bench<'_>) -> Result<PathBuf, String> {
    let folder = bench.workspace.target.join("release/package");
    let program = bench.program()?;
    for (shell, file) in [("bash", "scimshim.bash"), ("zsh", "_scimshim"), ("fish", "scimshim.fish")] {
        write(&folder.join(file), output(bench.workspace.command(program).args(["completions", shell]))?)?;
    }
    let man = folder.join("man");
    if man.exists() {
        fs::remove_dir_all(&man).map_err(|err| format!("cannot remove {}: {err}", man.display()))?;
    }
    output(bench.workspace.command(program).args(["man", "--dir"]).arg(&man))?;
    for page in pages(&folder)? {
        output(bench.workspace.command("gzip").args(["-9", "--no-name"]).arg(page))?;
    }
    Ok(folder)
}

fn pages(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = folder.join("man");
    let listed = fs::read_dir(&folder).map_err(|err| format!("cannot read {}: {err}", folder.display()))?;
    Ok(listed.flatten().map(|entry| entry.path()).collect())
}

/// A size for people.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_millions_of_bytes() {
        assert_eq!(megabytes(11_460_000), "11.4 MB");
        assert_eq!(megabytes(99_999), "0.0 MB");
    }
}
