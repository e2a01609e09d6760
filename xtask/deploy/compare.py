"""What scimshim costs beside nginx: size, start and memory, measured in one run on one machine.

In: the program, a folder to work in. Out: a table. Both stand before the sample application and pass a page of it
through, with two threads or two workers. Nothing is asserted about the numbers; it fails if one of them does not start.
Sizes are those of files in an image without anything else: the program, what it is linked with, the roots of trust.
"""

import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

from demo_run import KEY, TOKEN, ask, configuration, free_port, until

STARTS, REST = 10, 1.0
ROOTS = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
MIME = pathlib.Path("/etc/nginx/mime.types")
NGINX = """daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; include /etc/nginx/mime.types;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{application}; }} }}
}}
"""


def linked(program):
    """The libraries of a program and the loader, by `ldd`."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return sorted({pathlib.Path(found).resolve() for found in re.findall(r"(/\S+) \(0x", said)})


def family(pid):
    """A process and those below it."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family(int(child)))]


def memory(pid):
    """Resident memory of a family of processes, in KiB: as each of them counts it, and with what they share counted once."""
    resident = shared_once = 0
    for one in family(pid):
        status = pathlib.Path(f"/proc/{one}/status").read_text()
        resident += int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        rollup = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text()
        shared_once += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
    return resident, shared_once


def start(command, port, environment):
    """Milliseconds from the start to the first answer passed on, and the memory after a rest."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        while ask(port, "GET", "/")[0] != 200:
            if process.poll() is not None or time.monotonic() - began > 30:
                raise SystemExit(f"compare: {command[0]} does not start")
            time.sleep(0.0005)
        took = (time.monotonic() - began) * 1000
        time.sleep(REST)
        return took, *memory(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def measured(command, port, environment=None):
    runs = [start(command, port, environment) for _ in range(STARTS)]
    return [statistics.median(column) for column in zip(*runs)]


def main(program, folder):
    folder = pathlib.Path(folder).resolve()
    nginx = pathlib.Path(subprocess.run(["sh", "-c", "command -v nginx || echo /usr/sbin/nginx"], capture_output=True, text=True).stdout.strip())
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True).stderr.split("/")[-1].strip()
    application, scim, admin, other = (free_port() for _ in range(4))
    deploy = pathlib.Path(__file__).parents[2] / "deploy"
    (folder / "config.toml").write_text(configuration(deploy, scim, admin, application), encoding="utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=other, application=application), encoding="utf-8")
    app = subprocess.Popen([program, "acme", "--listen", f"127.0.0.1:{application}", "--token", KEY], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until("the application is there", lambda: ask(application, "GET", "/")[0] == 200)
        environment = {"SCIM_TOKEN": TOKEN, "ACME_KEY": KEY, "PATH": "/usr/bin:/bin"}
        ours = measured([program, "run", "--config", str(folder / "config.toml")], scim, environment)
        theirs = measured([str(nginx), "-p", str(folder), "-c", str(folder / "nginx.conf")], other)
    finally:
        app.terminate()
        app.wait(30)
    sizes = [[path.stat().st_size for path in paths] for paths in ([pathlib.Path(program), ROOTS], [nginx, *linked(nginx), ROOTS, MIME])]
    rows = [
        ("", "scimshim", f"nginx {version}"),
        ("program", *(f"{size[0] / 1e6:.1f} MB" for size in sizes)),
        ("image: with libraries, roots of trust, types", *(f"{sum(size) / 1e6:.1f} MB" for size in sizes)),
        ("start to the first answer passed on", *(f"{one[0]:.0f} ms" for one in (ours, theirs))),
        ("idle memory (RSS of all processes)", *(f"{one[1] / 1024:.1f} MiB" for one in (ours, theirs))),
        ("idle memory (shared pages once)", *(f"{one[2] / 1024:.1f} MiB" for one in (ours, theirs))),
    ]
    print(f"medians of {STARTS} starts each; files are in the page cache; nginx: {len(linked(nginx))} libraries")
    for name, one, two in rows:
        print(f"      {name:<46} {one:>12} {two:>14}")


if __name__ == "__main__":
    main(*sys.argv[1:])
