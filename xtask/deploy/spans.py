"""Spans as somebody else's receiver reads them.

In: the program. Out: what was received, on one line, and exit status 1 if it is not what it should be. The application
is played here: it answers every call alike, and says what it was told about the trace.
"""

import asyncio
import http.server
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request

from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONFIG = """
version = 1
extends = ["preset:rest@1"]
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
keep_accepting = "0s"
[trace]
endpoint = "http://127.0.0.1:{port}"
interval = "10ms"
[auth.idp]
kind = "bearer"
tokens = ["file:token"]
[backend.app]
url = "http://127.0.0.1:{app}"
[[route]]
path = "/scim/v2"
auth = "idp"
[resource.User]
path = "/users"
attrs = {{ userName = "email" }}
"""


class Application(http.server.BaseHTTPRequestHandler):
    told = []

    def do_GET(self):
        Application.told.append(self.headers["traceparent"])
        body = json.dumps({"id": "7", "email": "ada@example.com"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(sidecar):
    listening = next(line for line in map(json.loads, sidecar.stdout) if line["msg"] == "listening")
    headers = {"Authorization": "Bearer secret", "traceparent": f"00-{TRACE}-{CALLER}-01"}
    request = urllib.request.Request(f"http://{listening['data']}/scim/v2/Users/7", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status


async def received(program, folder):
    port = free_port()
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    (folder / "token").write_text("secret", encoding="utf-8")
    config = folder / "config.toml"
    config.write_text(CONFIG.format(port=port, app=app.server_port), encoding="utf-8")
    spans = {}
    settings = OtelTapHttpProtobufReceiverSettings(http_port=port)
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        command = [program, "run", "-c", str(config), "--log-format", "json", "--log-level", "info"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sidecar:
            try:
                status = await asyncio.to_thread(ask, sidecar)
                assert status == 200, status

                async def take():
                    async for span in receiver.stream_traces():
                        spans[span.name] = span
                        if len(spans) == 5:
                            return

                await asyncio.wait_for(take(), 30)
            finally:
                sidecar.terminate()
                sidecar.communicate(timeout=60)
    app.shutdown()
    return spans


def judge(spans):
    server, plan, call = spans["GET /scim/v2/Users/{id}"], spans["plan"], spans["GET"]
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert server.parent_span_id.hex() == CALLER and server.kind == 2
    assert plan.parent_span_id == server.span_id and spans["route"].parent_span_id == server.span_id
    assert call.parent_span_id == plan.span_id and call.kind == 3
    assert Application.told == [f"00-{TRACE}-{call.span_id.hex()}-01"], Application.told
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans.values())
    text = "".join(str(span) for span in spans.values())
    assert not re.search(r"ada|/Users/7|secret", text), text


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        spans = asyncio.run(received(program, pathlib.Path(folder)))
    judge(spans)
    print(f"{len(spans)} spans of one request, one trace, by oteltap")


main(sys.argv[1])
