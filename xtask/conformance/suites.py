"""Puts a SCIM service through the conformance suites of others.

In: the base URL as the only argument, the bearer token in SCIM_TOKEN. Out: one line per result with four fields
separated by tabs: suite, outcome ("ok" or the suite's own word), what was checked, what the suite says about it.
Nothing is judged here; what is an exception stands in docs/conformance.md.
"""

import os
import random
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from scim_sanity.probe.runner import run_probe_api

# Statuses by which scim2-tester says that a requirement, a recommendation or an option is met.
OK = (Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE)


def scim2_tester(base, token):
    # The suite draws booleans and canonical values; every run is to draw the same ones.
    random.seed(7644)
    headers = {"Authorization": f"Bearer {token}"}
    with Client(base_url=base, headers=headers, timeout=30) as client:
        for result in check_server(SyncSCIMClient(client)):
            check = " ".join(filter(None, (result.resource_type, result.title)))
            yield "ok" if result.status in OK else result.status.name.lower(), check, result.reason


def scim_sanity(base, token):
    for result in run_probe_api(base, token=token, strict=True)["results"]:
        outcome = "ok" if result["status"] == "pass" else result["status"]
        yield outcome, result["name"], result.get("message")


def main(base):
    token = os.environ["SCIM_TOKEN"]
    for name, suite in (("scim2-tester", scim2_tester), ("scim-sanity", scim_sanity)):
        for outcome, check, says in suite(base, token):
            fields = (name, outcome, check, says or "")
            print("\t".join(" ".join(str(field).split()) for field in fields), flush=True)


main(sys.argv[1])
