"""A demo that has seen everything: the sample application, scimshim in front of it, a Prometheus that scrapes it, and
traffic of every kind, trouble included.

In: the program, a folder to work in, for how long, how often it is scraped. Out: a Prometheus to ask, with the rules of
deploy/alerts loaded. Between scimshim and the application stands a proxy that makes the trouble. Everything listens on
loopback, and is ended with the run.
"""

import contextlib
import datetime
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time
from urllib.parse import urlencode

TOKEN, KEY = "token-of-the-demo", "key-of-the-demo"
TENANTS = ["crm/prod", "crm/test", "hr/prod"]
PATIENCE = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"demo: never: {what}")
        time.sleep(0.1)


def ask(port, method, path, body=None, headers=None):
    """Status and text of an answer; status 0 if there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Trouble(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the application, or makes the trouble that is set."""

    protocol_version = "HTTP/1.1"
    application, what, slow = 0, None, 0.0

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        if self.path == "/token":
            return self.reply(200, json.dumps({"access_token": KEY, "token_type": "Bearer", "expires_in": 3600}))
        # And it is the collector of traces, which answers nothing but that all went well.
        if self.path == "/v1/traces":
            return self.reply(200, "", "application/x-protobuf")
        time.sleep(Trouble.slow * random.random())
        if Trouble.what == "down" or (Trouble.what == "shaky" and random.random() < 0.3):
            return self.reply(503, "{}")
        if Trouble.what == "refusing" and random.random() < 0.5:
            return self.reply(401, "{}")
        headers = {name: value for name, value in self.headers.items() if name not in ("Authorization", "Host")}
        # The second backend shows a token, which the sample application does not know.
        headers.setdefault("X-Api-Key", KEY)
        connection = http.client.HTTPConnection("127.0.0.1", Trouble.application, timeout=PATIENCE)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        self.reply(answer.status, answer.read(), answer.getheader("Content-Type"))
        connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def reply(self, status, text, kind="application/json"):
        body = text if isinstance(text, bytes) else text.encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

    def log_message(self, *_):
        pass


class Demo:
    def __init__(self, deploy, program, folder, seconds, interval):
        self.deploy, self.program, self.folder = pathlib.Path(deploy), program, pathlib.Path(folder)
        self.seconds, self.interval, self.processes = seconds, interval, []
        self.scim, self.admin, self.prometheus = free_port(), free_port(), free_port()

    def start(self, name, *arguments, **variables):
        log = open(self.folder / f"{name}.log", "wb")
        environment = os.environ | variables
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.processes.append(process)
        return process

    def __enter__(self):
        try:
            return self.set_up()
        except BaseException:
            # Nobody else would end what has begun.
            self.__exit__()
            raise

    def set_up(self):
        application, proxy = free_port(), http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trouble)
        proxy.daemon_threads, Trouble.application = True, application
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.config = configuration(self.deploy, self.scim, self.admin, proxy.server_address[1])
        self.file = self.folder / "config.toml"
        self.file.write_text(self.config, encoding="utf-8")
        self.start("application", self.program, "acme", "--listen", f"127.0.0.1:{application}", "--token", KEY)
        self.start("scimshim", self.program, "run", "--config", str(self.file), SCIM_TOKEN=TOKEN, ACME_KEY=KEY)
        rules = [str(path.resolve()) for path in sorted((self.deploy / "alerts").glob("*.yaml"))]
        scrape = {"job_name": "scimshim", "static_configs": [{"targets": [f"127.0.0.1:{self.admin}"]}]}
        every = f"{self.interval}s"
        settings = {"global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}}
        # JSON is YAML.
        (self.folder / "prometheus.yml").write_text(json.dumps(settings | {"rule_files": rules, "scrape_configs": [scrape]}))
        self.start(
            "prometheus",
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.prometheus}",
            "--log.level=warn",
        )
        until("scimshim is ready", lambda: ask(self.admin, "GET", "/readyz")[0] == 200)
        until("Prometheus is ready", lambda: ask(self.prometheus, "GET", "/-/ready")[0] == 200)
        until("it has been scraped", lambda: self.query("up") and self.query("up")[0]["value"][1] == "1")
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()

    def api(self, path, **parameters):
        pairs = [(name, value) for name, given in parameters.items() for value in (given if isinstance(given, list) else [given])]
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        if path.startswith(("label/", "rules", "status/")):
            status, text = ask(self.prometheus, "GET", f"/api/v1/{path}?{urlencode(pairs)}")
        else:
            status, text = ask(self.prometheus, "POST", f"/api/v1/{path}", urlencode(pairs), form)
        answer = json.loads(text) if text.startswith("{") else {"status": text}
        if answer["status"] != "success":
            raise ValueError(answer.get("error", f"{status} {text}"))
        return answer["data"]

    def query(self, expr):
        return self.api("query", query=expr)["result"]

    def run(self):
        """Traffic for as long as it was said."""
        self.began, self.ends = time.time(), time.time() + self.seconds
        parts = [self.cycles, self.people, self.strangers, self.operator, self.troubles]
        threads = [threading.Thread(target=part, daemon=True) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.seconds + PATIENCE)
        self.ended = self.ends
        # What came last is scraped, too.
        time.sleep(2 * self.interval + 0.5)

    def going_on(self):
        return time.time() < self.ends

    def at(self, share):
        """Waits until this share of the run is over."""
        time.sleep(max(0, self.began + share * self.seconds - time.time()))

    def scim_request(self, method, path, body=None, token=TOKEN, tenant=None):
        headers = {"Content-Type": "application/scim+json", "Authorization": f"Bearer {token}"}
        base = f"/scim/v2/{tenant}" if tenant else ""
        return ask(self.scim, method, base + path, json.dumps(body) if isinstance(body, dict) else body, headers)

    def cycles(self):
        """Identity providers as the scripts of the program play them."""
        turn = 0
        while self.going_on():
            tenant, idp = TENANTS[turn % 2], ["entra", "okta"][turn % 2]
            url = f"http://127.0.0.1:{self.scim}/scim/v2/{tenant}"
            process = self.start(f"cycle-{turn}", self.program, "cycle", "--url", url, "--token", TOKEN, "--idp", idp)
            while process.poll() is None and self.going_on():
                time.sleep(0.2)
            if process.poll() is None:
                process.terminate()
            turn += 1
            time.sleep(self.seconds / 20)

    def people(self):
        """Ordinary traffic of three tenants, and two bases that lead to the same application by another credential."""
        ids, number, groups = [], 0, []
        for name in ("Red", "Blue", "Green"):
            _, text = self.scim_request("POST", "/Groups", group(name), tenant=TENANTS[2])
            groups.append(json.loads(text).get("id") if text.startswith("{") else None)
        while self.going_on():
            tenant, number = random.choice(TENANTS), number + 1
            status, text = self.scim_request("POST", "/Users", user(number), tenant=tenant)
            if status == 201:
                ids.append(json.loads(text)["id"])
            if not ids:
                continue
            one = random.choice(ids)
            self.scim_request("GET", f"/Users/{one}", tenant=tenant)
            self.scim_request("GET", f"/Users?filter=userName%20eq%20%22p{number}@acme.example%22", tenant=tenant)
            self.scim_request("PATCH", f"/Users/{one}", patch("replace", "active", random.choice(["True", "False"])), tenant=tenant)
            self.scim_request("PATCH", f"/Groups/{random.choice(groups)}", patch("add", "members", [{"value": one}]), tenant=tenant)
            self.scim_request("GET", "/scim/directory/Users?count=5")
            if number % 4 == 0:
                self.scim_request("GET", "/Users?filter=title%20co%20%22e%22", tenant=tenant)
                self.scim_request("GET", "/Groups?filter=members%20pr", tenant=tenant)
                self.scim_request("POST", "/Users", user(number - 1), tenant=tenant)
                self.scim_request("GET", "/Users/999999", tenant=tenant)
            if number % 10 == 0 and len(ids) > 20:
                self.scim_request("DELETE", f"/Users/{ids.pop(0)}", tenant=tenant)
            time.sleep(0.05 + 0.1 * random.random())

    def strangers(self):
        """Who is turned away, and who only passes through."""
        while self.going_on():
            self.scim_request("GET", "/Users", tenant=TENANTS[0], token="old")
            ask(self.scim, "GET", "/scim/v2/crm/prod/Users")
            self.scim_request("GET", "/Users", tenant="crm/%7Bprod%7D")
            self.scim_request("GET", "/Nothing", tenant=TENANTS[0])
            self.scim_request("POST", "/Users", "{" + " " * (2 << 20) + "}", tenant=TENANTS[1])
            self.scim_request("PATCH", "/Users/1", {"schemas": [PATCH], "Operations": [{"op": "add", "value": {}}] * 1001}, tenant=TENANTS[1])
            ask(self.scim, "GET", "/")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.scim), timeout=PATIENCE) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
                raw.recv(100)
            time.sleep(0.5 + random.random())

    def operator(self):
        """Changes the configuration, once by a mistake, which stays for a while."""
        for share, text in ((0.2, self.config + "# 1\n"), (0.4, self.config + "[nonsense]\n"), (0.7, self.config + "# 2\n")):
            self.at(share)
            self.file.write_text(text, encoding="utf-8")

    def troubles(self):
        for share, what, slow in ((0.25, "shaky", 0), (0.4, None, 0), (0.45, None, 0.6), (0.55, "down", 0), (0.65, None, 0), (0.75, "refusing", 0), (0.82, None, 0)):
            self.at(share)
            Trouble.what, Trouble.slow = what, slow


PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def user(number):
    schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"]
    name = {"givenName": f"P{number}", "familyName": "Example", "formatted": f"P{number} Example"}
    # Beside what the application knows: an attribute of no schema, and one that it does not have.
    more = {"shoeSize": "43", "x-unknown": 1}
    return {"schemas": schemas, "userName": f"p{number}@acme.example", "title": "Engineer", "name": name, "active": True} | more


def group(name):
    return {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name}


def patch(op, path, value):
    return {"schemas": [PATCH], "Operations": [{"op": op, "path": path, "value": value}]}


# What differs from deploy/overlays/demo: addresses, patience that suits a short run, and what has to be seen besides.
BACKEND = """
timeout = "2s"
concurrency = 4
retry = { attempts = 2, delay = "20ms" }
breaker = { failures = 5, pause = "1s" }
"""


def configuration(deploy, scim, admin, proxy):
    text = (deploy / "overlays/demo/config.toml").read_text(encoding="utf-8")

    def change(old, new):
        nonlocal text
        if old not in text:
            raise SystemExit(f"demo: the configuration of the demo has no {old}")
        text = text.replace(old, new)

    change('"0.0.0.0:8080"', f'"127.0.0.1:{scim}"')
    change('"0.0.0.0:9090"', f'"127.0.0.1:{admin}"')
    day = lambda days: (datetime.date.today() + datetime.timedelta(days)).isoformat()
    current = '{ token = "env:SCIM_TOKEN", name = "current", expires = "%s" }' % day(200)
    previous = '{ token = "sha256:%s", name = "previous", expires = "%s" }' % ("0" * 64, day(20))
    change('"file:/run/secrets/scimshim/scim-token"', f"{current}, {previous}")
    change('"file:/run/secrets/scimshim/app-key"', '"env:ACME_KEY", expires = "%s"' % day(90))
    change('url = "http://127.0.0.1:3000"', f'url = "http://127.0.0.1:{proxy}"' + BACKEND)
    groups = text.index("[resource.Group.filter]")
    text = text[:groups] + text[groups:].replace("{ max = 10000 }", "{ max = 2 }")
    change('diff = "needed"', 'diff = "needed"\nexclusive = "move"')
    change('drain_timeout = "15s"', 'drain_timeout = "1s"\nkeep_accepting = "0s"\npassthrough = "acme"')
    # The same application once more, by a token that has to be fetched.
    backend = re.search(r"\[backend\.acme\].*?(?=\n\[\[backend)", text, re.S)[0].replace("[backend.acme]", "[backend.directory]")
    fetched = '{ kind = "oauth2", token_url = "http://127.0.0.1:%d/token", client_id = "env:SCIM_TOKEN", client_secret = "env:ACME_KEY" }' % proxy
    backend = re.sub(r"(?m)^auth = .*$", f"auth = {fetched}", backend)
    route = '[[route]]\npath = "/scim/directory"\nauth = "idp"\nbackend = "directory"\nset = { tenant = "default" }\n'
    trace = f'[trace]\nendpoint = "http://127.0.0.1:{proxy}"\ninterval = "500ms"\n'
    return f"{text}\n{backend}\n\n{route}\n{trace}"
