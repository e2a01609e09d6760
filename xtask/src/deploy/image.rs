//! The container image, without a container engine.
//!
//! In: the last stage of `deploy/Dockerfile`, the release binary, the demo overlay. Out: the image, built twice; the
//! demo in it, confined as in a cluster; the pod of the demo overlay, from start to end. The first stage of the
//! Dockerfile needs a registry and is not built; that it makes the binary as it is made here is compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::package::megabytes;
use super::{Bench, last_line, output, read, write};
use crate::deploy::kubernetes::Sets;

/// The name under which manifests know the image.
const IMAGE: &str = "localhost/scimshim:0.1.0";
/// The binary, the roots of trust, and a margin.
const IMAGE_MAX_BYTES: u64 = 25 << 20;
/// What the Dockerfile has to say to make the same binary.
const BUILD: &str =
    "RUN cargo rustc --locked --release --bin scimshim -- -C target-feature=+crt-static -C strip=symbols ";
/// As strict as a manifest can be.
const HARDENED: [&str; 8] = [
    "--network=none",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=64m",
    "--pids-limit=64",
    "--rm",
];

/// Builds it twice, and looks at what came out.
pub(super) fn image(bench: &Bench<'_>) -> Result<String, String> {
    let first = build(bench)?;
    let second = build(bench)?;
    if first != second {
        return Err(format!("built twice, two images: {first} and {second}"));
    }
    let layout = bench.fresh("oci")?;
    let to = format!("oci:{}:check", layout.display());
    output(engine(bench, "buildah")?.args(["push", "--quiet", IMAGE, &to]))?;
    let config = output(engine(bench, "skopeo")?.args(["inspect", "--config", &to]))?;
    for wanted in [
        r#""User": "65532:65532""#,
        r#""Entrypoint": ["#,
        r#""/usr/local/bin/scimshim""#,
        r#""StopSignal": "SIGTERM""#,
        r#""org.opencontainers.image.version": "0.1.0""#,
    ] {
        if !config.contains(wanted) {
            return Err(format!("the image does not say {wanted}:\n{config}"));
        }
    }
    let size = fs::metadata(bench.program()?).map_err(|err| err.to_string())?.len();
    let unpacked = folder_size(&bench.folder.join("rootfs"))?;
    let packed = folder_size(&layout)?;
    if unpacked > IMAGE_MAX_BYTES {
        return Err(format!("{unpacked} bytes, {IMAGE_MAX_BYTES} are allowed"));
    }
    Ok(format!(
        "{} ({} of it the program), {} to pull, twice {}",
        megabytes(unpacked),
        megabytes(size),
        megabytes(packed),
        first.chars().take(19).collect::<String>()
    ))
}

/// The demo cycles of both identity providers, and once more as a user nobody knows.
pub(super) fn container(bench: &Bench<'_>) -> Result<String, String> {
    build(bench)?;
    let run = |arguments: &[&str]| -> Result<String, String> {
        let mut podman = engine(bench, "podman")?;
        podman.arg("run").args(HARDENED).args(arguments);
        output(&mut podman)
    };
    let entra = run(&[IMAGE, "demo", "--exit"])?;
    run(&["--user=1000660000:0", IMAGE, "demo", "--exit", "--idp", "okta"])?;
    // Nothing but the program: no shell, nothing to write to.
    let mut shell = engine(bench, "podman")?;
    super::refusal(shell.arg("run").args(HARDENED).args(["--entrypoint=/bin/sh", IMAGE, "-c", "true"]))?;
    Ok(format!("{}; as an unknown user, too; 64 MiB", last_line(&entra)))
}

/// The pod of the demo overlay.
pub(super) fn pod(bench: &Bench<'_>) -> Result<String, String> {
    build(bench)?;
    let sets = Sets::render(bench)?;
    let mut pod = bench.tools.script("pod.py")?;
    pod.arg(sets.path("demo")).arg(IMAGE).arg(bench.folder.join("pod"));
    let said = output(confined(bench, &mut pod)?)?;
    Ok(said.lines().map(str::trim).collect::<Vec<_>>().join("; "))
}

/// Builds the last stage of the Dockerfile, and returns the digest of the image.
fn build(bench: &Bench<'_>) -> Result<String, String> {
    let dockerfile = read(&bench.source("deploy/Dockerfile"))?;
    if !dockerfile.contains(BUILD) {
        return Err(format!("the Dockerfile makes the binary in another way than `{BUILD}`"));
    }
    let (_, last) =
        dockerfile.rsplit_once("\nFROM scratch\n").ok_or("the last stage of the Dockerfile is not from scratch")?;
    // What the first stage leaves.
    let rootfs = bench.fresh("rootfs")?.join("rootfs");
    bench.tools.system(&[("update-ca-certificates", "ca-certificates")])?;
    for (from, to) in [
        (bench.program()?, "usr/local/bin/scimshim"),
        (Path::new("/etc/ssl/certs/ca-certificates.crt"), "etc/ssl/certs/ca-certificates.crt"),
    ] {
        write(&rootfs.join(to), [])?;
        fs::copy(from, rootfs.join(to)).map_err(|err| format!("cannot copy {}: {err}", from.display()))?;
    }
    // HEALTHCHECK is for Docker's own format, in which no two builds are equal.
    let file = bench.folder.join("Dockerfile");
    write(&file, format!("FROM scratch\n{}", last.replace("COPY --from=build ", "COPY ")))?;
    let mut buildah = engine(bench, "buildah")?;
    buildah.args(["bud", "--isolation=chroot", "--timestamp=0", "--quiet", "--format=oci", "--tag", IMAGE, "--file"]);
    output(buildah.arg(&file).arg(bench.folder.join("rootfs")))?;
    Ok(output(engine(bench, "buildah")?.args(["inspect", "--type=image", "--format={{.FromImageDigest}}", IMAGE]))?
        .trim()
        .to_owned())
}

/// A tool of the container world, with settings and a store of its own.
fn engine(bench: &Bench<'_>, program: &str) -> Result<Command, String> {
    let mut command = bench.workspace.command(program);
    confined(bench, &mut command)?;
    Ok(command)
}

/// Lets a program and its children work with the store of the checks.
fn confined<'a>(bench: &Bench<'_>, command: &'a mut Command) -> Result<&'a mut Command, String> {
    bench.tools.system(&[
        ("buildah", "buildah"),
        ("podman", "podman"),
        ("runc", "runc"),
        ("skopeo", "skopeo"),
        ("nsenter", "util-linux"),
        ("catatonit", "catatonit"),
        // Wanted even by those who use no network.
        ("/usr/lib/podman/netavark", "netavark"),
        ("newuidmap", "uidmap"),
    ])?;
    let folder = bench.folder.join("containers");
    let (containers, storage) = (folder.join("containers.conf"), folder.join("storage.conf"));
    // Without the right to raise limits the defaults of podman cannot be set; runc knows every kind of cgroups.
    write(
        &containers,
        "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n[engine]\nruntime = \"runc\"\n",
    )?;
    let store = folder.join("store").display().to_string();
    write(
        &storage,
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{store}/graph\"\nrunroot = \"{store}/run\"\n"),
    )?;
    Ok(command.env("CONTAINERS_CONF", containers).env("CONTAINERS_STORAGE_CONF", storage))
}

fn folder_size(folder: &Path) -> Result<u64, String> {
    let cannot = |err: std::io::Error| format!("cannot read {}: {err}", folder.display());
    let mut size = 0;
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path: PathBuf = entry.map_err(cannot)?.path();
        let meta = fs::symlink_metadata(&path).map_err(cannot)?;
        size += if meta.is_dir() { folder_size(&path)? } else { meta.len() };
    }
    Ok(size)
}
