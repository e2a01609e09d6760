"""The demo overlay, run as a kubelet would: one network, the containers, volumes and hooks as the manifests say.

In: the rendered manifests, the image, a folder to work in. Out: one line for each step, and exit status 1 at the first
that fails. Podman stands in for the kubelet, because it knows neither sidecars nor the hooks; what it cannot show is the
timing of a real cluster. Everything that was started is removed.
"""

import base64
import concurrent.futures
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import yaml

BASE, USERS = "/scim/v2/crm/prod", "/scim/v2/crm/prod/Users"
PATIENCE = 30


def podman(*arguments, check=True):
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise SystemExit(f"podman {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


def step(what):
    print(f"      {what}", flush=True)


def require(holds, otherwise):
    if not holds:
        raise SystemExit(f"pod: {otherwise}")


def until(what, holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        require(time.monotonic() < deadline, f"never: {what}")
        time.sleep(0.1)


class Volume:
    """A ConfigMap or a Secret as the kubelet lays it out: the files are links, and one link is swapped."""

    def __init__(self, folder, texts):
        self.folder, self.count = folder, 0
        folder.mkdir(parents=True)
        self.write(texts)
        for name in texts:
            (folder / name).symlink_to(f"..data/{name}")

    def write(self, texts):
        self.count += 1
        version = self.folder / f"..{self.count}"
        version.mkdir()
        for name, text in texts.items():
            (version / name).write_text(text, encoding="utf-8")
            (version / name).chmod(0o444)
        (self.folder / "..data_tmp").symlink_to(version.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        previous = self.folder / f"..{self.count - 1}"
        if previous.exists():
            shutil.rmtree(previous)


class Pod:
    def __init__(self, manifests, image, folder):
        documents = [document for document in yaml.safe_load_all(manifests.read_text()) if document]
        self.documents = {(document["kind"], document["metadata"]["name"]): document for document in documents}
        self.spec = next(document for document in documents if document["kind"] == "Deployment")["spec"]["template"]["spec"]
        self.image, self.name = image, f"scimshim-check-{os.getpid()}"
        self.config = dict(self.documents["ConfigMap", "scimshim"]["data"])
        shutil.rmtree(folder, ignore_errors=True)
        self.volumes = {}
        for volume in self.spec["volumes"]:
            texts = self.config if "configMap" in volume else self.secret(volume["secret"]["secretName"])
            self.volumes[volume["name"]] = Volume(folder / volume["name"], texts)
        # In the pod's network: the one thread that opens sockets. What is started elsewhere stays outside.
        self.inside = concurrent.futures.ThreadPoolExecutor(1)

    def secret(self, name):
        document = self.documents["Secret", name]
        decoded = {key: base64.b64decode(value).decode() for key, value in document.get("data", {}).items()}
        return decoded | document.get("stringData", {})

    def container(self, name):
        return next(found for found in self.spec["initContainers"] + self.spec["containers"] if found["name"] == name)

    def create(self):
        podman("pod", "create", "--name", self.name, "--network", "none", "--share", "net")

    def run(self, container):
        context, variables = container["securityContext"], {}
        for variable in container.get("env", []):
            reference = variable["valueFrom"]["secretKeyRef"]
            variables[variable["name"]] = self.secret(reference["name"])[reference["key"]]
        require(context["readOnlyRootFilesystem"] and context["capabilities"]["drop"] == ["ALL"], "no hardening to show")
        arguments = ["--detach", "--pod", self.name, "--name", f"{self.name}-{container['name']}", *HARDENED]
        arguments += ["--user", f"{context['runAsUser']}:{context['runAsGroup']}"]
        arguments += ["--memory", container["resources"]["limits"]["memory"].replace("Mi", "m")]
        for key, value in variables.items():
            arguments += ["--env", f"{key}={value}"]
        for mount in container.get("volumeMounts", []):
            arguments += ["--volume", f"{self.volumes[mount['name']].folder}:{mount['mountPath']}:ro"]
        words = [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word) for word in container["args"]]
        podman("run", *arguments, self.image, *words)
        if not hasattr(self, "network"):
            self.network = os.open(f"/proc/{self.pid(container['name'])}/ns/net", os.O_RDONLY)
            joined = self.inside.submit(lambda: ctypes.CDLL(None, use_errno=True).setns(self.network, 0)).result()
            require(joined == 0, "the network of the pod cannot be entered")

    def pid(self, container):
        return int(podman("inspect", "--format", "{{.State.Pid}}", f"{self.name}-{container}").stdout)

    def exit_code(self, container):
        return int(podman("inspect", "--format", "{{.State.ExitCode}}", f"{self.name}-{container}").stdout)

    def ask(self, port, method, path, headers=None):
        def exchange():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            try:
                connection.request(method, path, headers=headers or {})
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except OSError as error:
                return None, str(error)
            finally:
                connection.close()

        return self.inside.submit(exchange).result()

    def metric(self, name):
        _, text = self.ask(9090, "GET", "/metrics")
        return next((line for line in text.splitlines() if line.startswith(name)), "")

    def remove(self):
        podman("pod", "rm", "--force", "--time", "0", self.name, check=False)


HARDENED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt", "no-new-privileges"]


def start(pod):
    pod.create()
    sidecar = pod.container("scimshim")
    pod.run(sidecar)
    startup = sidecar["startupProbe"]["httpGet"]["path"]
    until("the startup probe", lambda: pod.ask(9090, "GET", startup)[0] == 200)
    for container in pod.spec["containers"]:
        pod.run(container)
    require(pod.ask(9090, "GET", "/readyz")[0] == 200, "it is not ready")
    # What HEALTHCHECK runs: where the admin listener is, the configuration says.
    podman("exec", f"{pod.name}-scimshim", "/usr/local/bin/scimshim", "healthcheck")
    status = pathlib.Path(f"/proc/{pod.pid('scimshim')}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    wanted = {"Uid": "65532", "Gid": "65532", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    found = {key: facts[key].split("\t")[0] for key in wanted}
    require(found == wanted, f"the process is not confined: {found}")
    step(f"started as the manifests say: {found}")


def provision(pod):
    token = pod.secret("scimshim")["scim-token"]
    arguments = ["--rm", "--pod", pod.name, *HARDENED, pod.image, "cycle"]
    # Unconfined by a manifest: this is the identity provider.
    done = podman("run", *arguments, "--url", f"http://127.0.0.1:8080{BASE}", "--token", token, check=False)
    require(done.returncode == 0, f"the cycles deviated:\n{done.stdout}{done.stderr}")
    step(done.stdout.strip().splitlines()[-1])
    require(pod.ask(8080, "GET", USERS)[0] == 401, "somebody without a token is let in")
    return token


def reload(pod):
    volume, before = pod.volumes["scimshim-config"], pod.metric("scimshim_config_info")
    require(before, "no scimshim_config_info")
    seen = {before}
    for count in (1, 2):
        volume.write(pod.config | {"config.toml": pod.config["config.toml"] + f"# {count}\n"})
        until(f"update {count} of the ConfigMap is in force", lambda: pod.metric("scimshim_config_info") not in seen)
        seen.add(pod.metric("scimshim_config_info"))
    volume.write(pod.config | {"config.toml": "version = 1\nnonsense = 1\n"})
    until("the faulty one is refused", lambda: pod.metric("scimshim_config_last_reload_successful ").endswith(" 0"))
    require(pod.metric("scimshim_config_info") in seen, "the faulty configuration is in force")
    require(pod.ask(8080, "GET", USERS)[0] == 401, "a faulty configuration stops the traffic")
    step("two updates of the ConfigMap came into force, a faulty one did not")


def end(pod, token):
    """In the order of the kubelet: all preStop hooks together, then the application, then the sidecar."""
    memory = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pod.pid('scimshim')}/status").read_text())
    body = json.dumps({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "late@acme.example"})
    head = (
        f"POST {USERS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client = pod.inside.submit(lambda: socket.create_connection(("127.0.0.1", 8080), timeout=PATIENCE)).result()
    client.sendall(head.encode() + body[:10].encode())
    command = pod.container("scimshim")["lifecycle"]["preStop"]["exec"]["command"]
    time.sleep(0.3)
    hook = subprocess.Popen(["podman", "exec", f"{pod.name}-scimshim", *command], stdin=subprocess.DEVNULL)
    until("readiness goes", lambda: pod.ask(9090, "GET", "/readyz")[0] == 503)
    require(pod.ask(9090, "GET", "/livez")[0] == 200, "liveness went, too")
    late = pod.ask(8080, "GET", f"{BASE}/ServiceProviderConfig", {"Authorization": f"Bearer {token}"})
    require(late[0] == 200, f"a new connection is not served any more: {late}")
    require(hook.poll() is None, "the hook does not wait for the request under way")
    client.sendall(body[10:].encode())
    answer = client.makefile("rb").read().decode()
    client.close()
    require(answer.startswith("HTTP/1.1 201 ") and "\r\nconnection: close\r\n" in answer.lower(), f"in flight: {answer}")
    require(hook.wait(PATIENCE) == 0, "the preStop hook failed")
    for container in [*(found["name"] for found in pod.spec["containers"]), "scimshim"]:
        podman("stop", "--time", str(PATIENCE), f"{pod.name}-{container}")
        require(pod.exit_code(container) == 0, f"{container} ended with {pod.exit_code(container)}")
    step(f"stopped in order, the request under way was answered 201; memory at the most {int(memory[1]) // 1024} MiB")


def main(manifests, image, folder):
    pod = Pod(pathlib.Path(manifests), image, pathlib.Path(folder))
    try:
        start(pod)
        token = provision(pod)
        reload(pod)
        end(pod, token)
    finally:
        pod.remove()


if __name__ == "__main__":
    main(*sys.argv[1:])
