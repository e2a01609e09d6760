"""What the Kubernetes schemas do not know: whether the objects of one set fit each other, and the program.

In: files of rendered manifests, each a set that is applied together. Out: one line for each finding, and exit status 1
if there is any. With --self-test every rule is broken on purpose in the first file, which has to hold a sidecar, and has
to be noticed. --same compares what two sets run; --configs writes the configurations of the sets into folders; --objects
prints those of an API group as JSON.
"""

import base64
import copy
import json
import pathlib
import re
import sys
import tomllib

import yaml

# The sets that leave their Secret to the operator.
SECRET_OF_OPERATOR = "scimshim"
SCIM, METRICS = "scim", "scim-metrics"
CONFIG_DIR, SECRET_DIR = "/etc/scimshim", "/run/secrets/scimshim"
PROBES = {"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


class Set:
    def __init__(self, documents):
        self.documents = [document for document in documents if document]

    def kind(self, kind):
        return [document for document in self.documents if document["kind"] == kind]

    def named(self, kind, name):
        return next((found for found in self.kind(kind) if found["metadata"]["name"] == name), None)

    def pods(self):
        return [Pod(document) for document in self.kind("Deployment")]

    def selected(self, selector):
        return [pod for pod in self.pods() if selector and selector.items() <= pod.labels.items()]


class Pod:
    def __init__(self, document):
        self.name = document["metadata"]["name"]
        self.document = document
        template = document["spec"]["template"]
        self.meta = template["metadata"]
        self.labels = self.meta.get("labels", {})
        self.spec = template["spec"]
        self.ordinary = self.spec.get("containers", [])
        self.initial = self.spec.get("initContainers", [])
        self.containers = self.initial + self.ordinary

    def sidecar(self):
        return next((container for container in self.containers if container["name"] == "scimshim"), None)

    def ports(self, containers):
        return [port for container in containers for port in container.get("ports", [])]

    def serves(self, port):
        """Whether a Service or a NetworkPolicy finds the port. Before Kubernetes 1.33 a Service does not know the names
        of ports of init containers, and some network plugins do not either."""
        if isinstance(port, str):
            return any(found["name"] == port for found in self.ports(self.ordinary))
        return any(found["containerPort"] == port for found in self.ports(self.containers))


def port_of(container, name):
    return next((port["containerPort"] for port in container.get("ports", []) if port["name"] == name), None)


def ports(objects):
    for pod in objects.pods():
        names = [port.get("name", "") for port in pod.ports(pod.containers)]
        for name in names:
            if len(name) > 15 or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or not re.search("[a-z]", name):
                yield f"{pod.name}: the port name {name!r} is none: 15 small letters, digits and dashes at the most"
            if names.count(name) > 1:
                yield f"{pod.name}: two ports are called {name!r}"
        for container in pod.containers:
            for probe in [*PROBES, "lifecycle"]:
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                own = [value for found in container.get("ports", []) for value in (found["name"], found["containerPort"])]
                if port is not None and port not in own:
                    yield f"{pod.name}/{container['name']}: {probe} asks a port that is not there: {port}"


def probes(objects):
    for pod in objects.pods():
        sidecar = pod.sidecar()
        for probe, path in PROBES.items():
            found = sidecar.get(probe, {}).get("httpGet", {}) if sidecar else {"path": path, "port": METRICS}
            if (found.get("path"), found.get("port")) != (path, METRICS):
                yield f"{pod.name}: the {probe} has to ask {path} at {METRICS}"
        if sidecar and sidecar in pod.initial and sidecar.get("restartPolicy") != "Always":
            yield f"{pod.name}: an init container without restartPolicy Always never ends"


def services(objects):
    for service in objects.kind("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        pods = objects.selected(spec.get("selector"))
        if not pods:
            yield f"Service {name} selects no pod"
        for port in spec["ports"]:
            if not re.fullmatch(r"http(-[a-z0-9]+)*", port.get("name", "")) or port.get("appProtocol") != "http":
                yield f"Service {name}: its port is named http or http-..., with appProtocol http"
            for pod in pods:
                if not pod.serves(port["targetPort"]):
                    yield f"Service {name}: {pod.name} has no port {port['targetPort']} that it would find"
                elif pod.sidecar() and port["targetPort"] not in (SCIM, port_of(pod.sidecar(), SCIM)):
                    yield f"Service {name} leads round scimshim, to port {port['targetPort']}"


def policies(objects):
    for policy in objects.kind("NetworkPolicy"):
        name, spec = policy["metadata"]["name"], policy["spec"]
        pods = objects.selected(spec["podSelector"].get("matchLabels"))
        if not pods or "Ingress" not in spec["policyTypes"]:
            yield f"NetworkPolicy {name} restricts the traffic to no pod"
        open_ports = [port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [{"port": None}])]
        for pod in pods:
            ours = [port["containerPort"] for port in (pod.sidecar() or {}).get("ports", [])]
            for port in open_ports:
                if port not in ours:
                    yield f"NetworkPolicy {name} opens {port}, which is no port of scimshim by number"
            for port in set(ours) - set(open_ports):
                yield f"NetworkPolicy {name} closes {port}"
    for pod in objects.pods():
        covered = [policy["spec"]["podSelector"].get("matchLabels") for policy in objects.kind("NetworkPolicy")]
        if not any(labels and labels.items() <= pod.labels.items() for labels in covered):
            yield f"{pod.name}: no NetworkPolicy covers it"


def budgets(objects):
    for budget in objects.kind("PodDisruptionBudget"):
        name, spec = budget["metadata"]["name"], budget["spec"]
        if not objects.selected(spec["selector"].get("matchLabels")):
            yield f"PodDisruptionBudget {name} selects no pod"
        if spec.get("maxUnavailable") != 1 or "minAvailable" in spec:
            yield f"PodDisruptionBudget {name}: maxUnavailable 1 never holds up a node, minAvailable may"
    for pod in objects.pods():
        budgets_ = [budget["spec"]["selector"]["matchLabels"] for budget in objects.kind("PodDisruptionBudget")]
        if not any(labels.items() <= pod.labels.items() for labels in budgets_):
            yield f"{pod.name}: no PodDisruptionBudget covers it"


def monitors(objects):
    for monitor in objects.kind("PodMonitor"):
        name = monitor["metadata"]["name"]
        pods = objects.selected(monitor["spec"]["selector"].get("matchLabels"))
        if not pods:
            yield f"PodMonitor {name} selects no pod"
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            for pod in pods:
                if endpoint["port"] not in [port["name"] for port in pod.ports(pod.containers)]:
                    yield f"PodMonitor {name}: {pod.name} has no port called {endpoint['port']}"
        for rule in objects.kind("PrometheusRule"):
            for jobs in {found for group in rule["spec"]["groups"] for found in re.findall(r'job=~"(.+?)"', str(group))}:
                if not re.fullmatch(jobs, f"{monitor['metadata'].get('namespace', 'default')}/{name}"):
                    yield f"PodMonitor {name} makes a job that the rules, which want {jobs}, do not know"


def volumes(objects):
    for pod in objects.pods():
        there = [volume["name"] for volume in pod.spec.get("volumes", [])]
        used = [mount for container in pod.containers for mount in container.get("volumeMounts", [])]
        for mount in used:
            if mount["name"] not in there:
                yield f"{pod.name}: a mount of a volume that is not there: {mount['name']}"
            if "subPath" in mount or "subPathExpr" in mount:
                yield f"{pod.name}: {mount['mountPath']} is mounted by subPath, which never changes"
            if not mount.get("readOnly"):
                yield f"{pod.name}: {mount['mountPath']} is not mounted readOnly"
        for name in set(there) - {mount["name"] for mount in used}:
            yield f"{pod.name}: nobody mounts the volume {name}"
        for volume in pod.spec.get("volumes", []):
            name = volume.get("configMap", {}).get("name")
            if name and not objects.named("ConfigMap", name):
                yield f"{pod.name}: there is no ConfigMap {name}"
            name = volume.get("secret", {}).get("secretName")
            if name not in (None, SECRET_OF_OPERATOR) and not objects.named("Secret", name):
                yield f"{pod.name}: there is no Secret {name}"
        if [key for key in pod.meta.get("annotations", {}) if "checksum" in key]:
            yield f"{pod.name}: a checksum of the configuration restarts what would reload"


def hardening(objects):
    for pod in objects.pods():
        wanted = {"automountServiceAccountToken": False, "enableServiceLinks": False}
        for key, value in wanted.items():
            if pod.spec.get(key) is not value:
                yield f"{pod.name}: {key} has to be {value}"
        for key in {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys():
            yield f"{pod.name}: {key}"
        for container in pod.containers:
            where, context = f"{pod.name}/{container['name']}", container.get("securityContext", {})
            wanted = {
                "runAsNonRoot": True,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            for key, value in wanted.items():
                if context.get(key) != value:
                    yield f"{where}: securityContext.{key} has to be {value}"
            if not context.get("runAsUser"):
                yield f"{where}: runAsUser is root or not said"
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
                yield f"{where}: requests of cpu and memory, and a limit of memory"
            image = container["image"]
            if not re.search(r"(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$", image) or image.endswith(":latest"):
                yield f"{where}: the image {image} is not pinned"


def stopping(objects):
    for pod in objects.pods():
        sidecar = pod.sidecar()
        if not sidecar:
            continue
        command = sidecar.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
        options = dict(zip(command[2::2], command[3::2]))
        if command[1:2] != ["drain"] or options.get("--admin") != f"127.0.0.1:{port_of(sidecar, METRICS)}":
            yield f"{pod.name}: the preStop hook of scimshim has to be `scimshim drain --admin` at its own port"
            continue
        wait, after = seconds(options["--wait"]), 30
        for config in configs(objects, pod):
            after = seconds(config.get("server", {}).get("drain_timeout", "30s"))
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        if grace <= wait + after:
            yield f"{pod.name}: {grace} s of grace are less than {wait} s of waiting and {after} s of draining"
        for container in pod.ordinary:
            hook = container.get("lifecycle", {}).get("preStop", {})
            lasts = hook.get("sleep", {}).get("seconds", 0)
            if container is not sidecar and lasts < wait:
                yield f"{pod.name}/{container['name']} ends while scimshim still needs it: preStop has to last {wait} s"


def configs(objects, pod):
    for volume in pod.spec.get("volumes", []):
        found = objects.named("ConfigMap", volume.get("configMap", {}).get("name"))
        if found and volume["name"] == "scimshim-config":
            yield tomllib.loads(found["data"]["config.toml"])


def configuration(objects):
    for pod in objects.pods():
        sidecar = pod.sidecar()
        mounts = {mount["name"]: mount["mountPath"] for mount in sidecar.get("volumeMounts", [])} if sidecar else {}
        if sidecar and sidecar.get("args") != ["run", "--config", f"{mounts.get('scimshim-config')}/config.toml"]:
            yield f"{pod.name}: scimshim does not run the configuration that is mounted"
        for config in configs(objects, pod) if sidecar else []:
            for key, port in (("listen", SCIM), ("admin_listen", METRICS)):
                listening = config.get("server", {}).get(key, "127.0.0.1:0")
                if listening not in [f"{ip}:{port_of(sidecar, port)}" for ip in ("0.0.0.0", "[::]")]:
                    yield f"{pod.name}: {key} is {listening}, which nobody outside the pod reaches as the port {port}"
            secret = objects.named("Secret", SECRET_OF_OPERATOR)
            keys = {*secret.get("data", {}), *secret.get("stringData", {})} if secret else None
            for path in re.findall(r"file:([^'\"]+)", str(config)):
                folder, _, key = path.rpartition("/")
                if folder != mounts.get("scimshim-secrets") or (keys is not None and key not in keys):
                    yield f"{pod.name}: the configuration wants {path}, which is not mounted"


def replicas(objects):
    for pod in objects.pods():
        selector = pod.document["spec"]["selector"]["matchLabels"]
        if not selector.items() <= pod.labels.items():
            yield f"{pod.name}: its selector does not select its own pods"
        if not pod.sidecar():
            yield f"{pod.name}: there is no container called scimshim"


RULES = [ports, probes, services, policies, budgets, monitors, volumes, hardening, stopping, configuration, replicas]


def findings(objects):
    return [finding for rule in RULES for finding in rule(objects)]


def read(path):
    with open(path, encoding="utf-8") as file:
        return Set(yaml.safe_load_all(file))


# A fault, and a part of what has to be said about it. `s` is scimshim's container, `a` the application's, `p` the pod's
# spec, `d` every object by kind.
FAULTS = [
    ("s['ports'][1]['name'] = 'scimshim-metrics-port'", "15 small letters"),
    ("s['ports'][1]['name'] = 'scim'", "two ports are called"),
    ("s['startupProbe']['httpGet']['port'] = 'metrics'", "asks a port that is not there: metrics"),
    ("s['livenessProbe']['httpGet']['path'] = '/readyz'", "livenessProbe has to ask /livez"),
    ("del s['readinessProbe']", "readinessProbe has to ask"),
    ("del s['restartPolicy']", "never ends"),
    ("d['Service']['spec']['selector'] = {'a': 'b'}", "selects no pod"),
    ("d['Service']['spec']['ports'][0]['targetPort'] = 'scim'", "that it would find"),
    ("a['ports'] = [{'name': 'app', 'containerPort': 3000}]; d['Service']['spec']['ports'][0]['targetPort'] = 3000", "leads round"),
    ("d['Service']['spec']['ports'][0]['name'] = 'web'", "named http"),
    ("d['NetworkPolicy']['spec']['ingress'][0]['ports'][0]['port'] = 3000", "opens 3000"),
    ("d['NetworkPolicy']['spec']['ingress'][0]['ports'][0]['port'] = 'scim'", "by number"),
    ("d['NetworkPolicy']['spec']['ingress'][0]['ports'].pop()", "closes"),
    ("d['NetworkPolicy']['spec']['podSelector']['matchLabels'] = {'a': 'b'}", "no NetworkPolicy covers"),
    ("d['PodDisruptionBudget']['spec'] = {'minAvailable': 1, 'selector': d['PodDisruptionBudget']['spec']['selector']}", "minAvailable may"),
    ("d['PodDisruptionBudget']['spec']['selector']['matchLabels'] = {'a': 'b'}", "no PodDisruptionBudget covers"),
    ("d['PodMonitor']['spec']['podMetricsEndpoints'][0]['port'] = 'metrics'", "no port called metrics"),
    ("d['PodMonitor']['spec']['selector']['matchLabels'] = {'a': 'b'}", "PodMonitor scimshim selects no pod"),
    ("d['PodMonitor']['metadata']['name'] = 'adapter'", "that the rules, which want .*scimshim.*, do not know"),
    ("s['volumeMounts'][0]['name'] = 'other'", "not there: other"),
    ("s['volumeMounts'][0]['subPath'] = 'config.toml'", "by subPath"),
    ("s['volumeMounts'][0]['readOnly'] = False", "readOnly"),
    ("p['volumes'].append({'name': 'more', 'emptyDir': {}})", "nobody mounts"),
    ("p['volumes'][0]['configMap']['name'] = 'other'", "no ConfigMap other"),
    ("p['volumes'][1]['secret']['secretName'] = 'other'", "no Secret other"),
    ("t['annotations']['checksum/config'] = '1'", "restarts what would reload"),
    ("p['automountServiceAccountToken'] = True", "automountServiceAccountToken"),
    ("p['hostNetwork'] = True", "hostNetwork"),
    ("del s['securityContext']['seccompProfile']", "seccompProfile"),
    ("del a['securityContext']['capabilities']", "acme: securityContext.capabilities"),
    ("s['securityContext']['readOnlyRootFilesystem'] = False", "readOnlyRootFilesystem"),
    ("a['securityContext']['allowPrivilegeEscalation'] = True", "allowPrivilegeEscalation"),
    ("s['securityContext']['runAsUser'] = 0", "runAsUser"),
    ("del a['resources']", "a limit of memory"),
    ("s['image'] = 'localhost/scimshim'", "not pinned"),
    ("s['image'] = 'localhost/scimshim:latest'", "not pinned"),
    ("p['terminationGracePeriodSeconds'] = 35", "of grace are less"),
    ("s['lifecycle']['preStop']['exec']['command'][3] = '127.0.0.1:9091'", "at its own port"),
    ("del a['lifecycle']", "ends while scimshim still needs it"),
    ("s['args'][2] = '/config.toml'", "does not run the configuration"),
    ("c['config.toml'] = c['config.toml'].replace('0.0.0.0:9090', '127.0.0.1:9090')", "admin_listen is 127.0.0.1:9090"),
    ("c['config.toml'] = c['config.toml'].replace('0.0.0.0:8080', '0.0.0.0:8081')", "listen is 0.0.0.0:8081"),
    ("c['config.toml'] = c['config.toml'].replace('15s', '45s')", "45 s of draining"),
    ("c['config.toml'] = c['config.toml'].replace('/app-key', '/no-key')", "no-key, which is not mounted"),
    ("s['name'] = 'other'", "no container called scimshim"),
    ("t['labels'] = {}", "does not select its own pods"),
]


def self_test(path):
    good, blind = read(path), 0
    for fault, said in FAULTS:
        objects = Set(copy.deepcopy(good.documents))
        pod = objects.pods()[0]
        names = {
            "s": pod.sidecar(),
            "a": next(container for container in pod.containers if container["name"] == "acme"),
            "p": pod.spec,
            "t": pod.meta,
            "c": objects.kind("ConfigMap")[0]["data"],
            "d": {document["kind"]: document for document in objects.documents},
        }
        exec(fault, names)
        found = findings(objects)
        if not any(said in finding for finding in found):
            blind += 1
            print(f"not noticed: {fault}: {found}")
    return blind


def same(one, other):
    """What runs in two sets that are to be the same, whatever they are called."""

    def facts(path):
        objects = read(path)
        (pod,) = objects.pods()
        found = {container["name"]: container for container in pod.containers}
        found["volumes"], found["grace"] = pod.spec["volumes"], pod.spec["terminationGracePeriodSeconds"]
        found["configuration"] = objects.named("ConfigMap", "scimshim")["data"]
        secret = objects.named("Secret", SECRET_OF_OPERATOR)
        decoded = {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}
        found["secrets"] = decoded | secret.get("stringData", {})
        return found

    left, right = facts(one), facts(other)
    different = [name for name in left.keys() | right.keys() if left.get(name) != right.get(name)]
    print(f"different: {', '.join(different)}" if different else f"{len(left)} parts are equal")
    return len(different)


def write_configs(folder, paths):
    for path in paths:
        for number, found in enumerate(read(path).kind("ConfigMap")):
            if "config.toml" not in found["data"]:
                continue
            target = pathlib.Path(folder, f"{pathlib.Path(path).stem}-{number}")
            target.mkdir()
            for name, text in found["data"].items():
                (target / name).write_text(text, encoding="utf-8")
    return 0


def print_objects(group, paths):
    found = [document for path in paths for document in read(path).documents if document["apiVersion"].startswith(f"{group}/")]
    print("\n".join(json.dumps(document) for document in found))
    return 0 if found else 1


def main(arguments):
    match arguments:
        case ["--self-test", path]:
            blind = self_test(path)
            print(f"faults noticed: {len(FAULTS) - blind} of {len(FAULTS)}")
            return blind
        case ["--same", one, other]:
            return same(one, other)
        case ["--configs", folder, *paths]:
            return write_configs(folder, paths)
        case ["--objects", group, *paths]:
            return print_objects(group, paths)
    found = [f"{path}: {finding}" for path in arguments for finding in findings(read(path))]
    print("\n".join(found) if found else f"sets: {len(arguments)}, rules: {len(RULES)}, findings: none")
    return len(found)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
