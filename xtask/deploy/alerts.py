"""What promtool does not ask of alert rules: that each has a test, a text and a section of the runbooks, and that the
tests would notice a fault.

In: the folder of the rule files, with their tests in `tests`, and the file of the runbooks. Out: one line for each
finding, and exit status 1 if there is any. The tests are run by promtool, also against rules with one fault each: no
waiting, or a number ten times too large or too small.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

SEVERITIES = {"critical", "warning"}
PARTS = ["**What it means.**", "**Who is affected.**", "**Look.**", "**Do.**", "**It ends**"]
RUNBOOKS = "docs/runbooks.md#"
COMPARISON = re.compile(r"(>=|<=|==|>|<) ([0-9.]+)( \* [0-9.]+)?")


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules(document):
    return [rule for group in document["groups"] for rule in group["rules"]]


def metrics(text):
    return set(re.findall(r"\b(?:up|(?:scimshim|process)_[a-z_]+)\b", text))


class File:
    """A rule file and its tests."""

    def __init__(self, path):
        self.path, self.tests_path = path, path.parent / "tests" / path.name
        self.document, self.tests = load(path), load(self.tests_path)
        self.alerts = {rule["alert"]: rule for rule in rules(self.document)}

    def checks(self):
        """Of each test and each moment in it: the alert, the series there are, and what is expected to fire."""
        for test in self.tests["tests"]:
            series = " ".join(entry["series"] for entry in test["input_series"])
            for check in test["alert_rule_test"]:
                yield check["alertname"], series, check["exp_alerts"]


def texts(file):
    for name, rule in file.alerts.items():
        annotations, severity = rule.get("annotations", {}), rule.get("labels", {}).get("severity")
        if severity not in SEVERITIES:
            yield f"{name}: severity is one of {', '.join(sorted(SEVERITIES))}, not {severity}"
        if annotations.get("runbook_url") != RUNBOOKS + name.lower():
            yield f"{name}: runbook_url has to be {RUNBOOKS}{name.lower()}"
        for text in ("summary", "description"):
            if not annotations.get(text):
                yield f"{name}: it has no {text}"
        if len(annotations.get("summary", "")) > 110:
            yield f"{name}: its summary is too long for a line"
        if annotations.get("description") and "{{" not in annotations["description"] and "absent(" not in rule["expr"]:
            yield f"{name}: its description says nothing of the case at hand"


def coverage(file):
    checks = list(file.checks())
    for name, rule in file.alerts.items():
        wanted = metrics(rule["expr"])
        if not any(alert == name and expected for alert, _, expected in checks):
            yield f"{name}: no test shows that it fires"
        # Silence for want of data shows nothing.
        silent = [series for alert, series, expected in checks if alert == name and not expected]
        if not any(metrics(series) & wanted for series in silent):
            yield f"{name}: no test shows that it is silent"
    for alert in {alert for alert, _, _ in checks} - file.alerts.keys():
        yield f"{file.tests_path.name}: there is no alert {alert}"


def runbooks(files, path):
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", path.read_text(encoding="utf-8"), re.M | re.S))
    alerts = [name for file in files for name in file.alerts]
    for name in alerts:
        if name not in sections:
            yield f"{path.name}: there is no section {name}"
        for part in PARTS:
            if part not in sections.get(name, ""):
                yield f"{path.name}: {name} does not say {part}"
    for name in sections.keys() - set(alerts):
        yield f"{path.name}: there is no alert {name}"


def faults(rule):
    """The rule with one fault, for every fault that it may have, and a word for the fault."""
    if "for" in rule:
        yield "no waiting", {key: value for key, value in rule.items() if key != "for"}
    expr = rule["expr"]
    for found in COMPARISON.finditer(expr):
        operator, number, factor = found[1], float(found[2]), found[3] or ""
        if number == 0:
            others = [">= 0"] if operator == ">" else [f"{operator} 1"]
        else:
            others = [f"{operator} {number * by:g}{factor}" for by in (0.1, 10)]
        for other in others:
            yield f"{found[0]} is {other}", rule | {"expr": expr[: found.start()] + other + expr[found.end() :]}


def passes(rule, tests):
    """Whether the tests that are about a rule pass with it alone."""
    about = []
    for test in tests["tests"]:
        checks = [check for check in test["alert_rule_test"] if check["alertname"] == rule["alert"]]
        if checks:
            about.append(test | {"alert_rule_test": checks})
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rules = {"groups": [{"name": "one", "rules": [rule]}]}
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
        tests = tests | {"rule_files": ["rules.yaml"], "tests": about}
        (folder / "tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
        done = subprocess.run(["promtool", "test", "rules", folder / "tests.yaml"], capture_output=True, text=True)
        return done.returncode == 0


def unnoticed(file, counted):
    tried = [(name, None, rule) for name, rule in file.alerts.items()]
    tried += [(name, fault, wrong) for name, rule in file.alerts.items() for fault, wrong in faults(rule)]
    counted += [fault for _, fault, _ in tried if fault]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda one: passes(one[2], file.tests), tried)
        for (name, fault, _), passed in zip(tried, outcomes):
            if not fault and not passed:
                yield f"{name}: its tests fail"
            if fault and passed:
                yield f"{name}: no test notices the fault: {fault}"


def main(folder, path):
    files, counted = [File(found) for found in sorted(pathlib.Path(folder).glob("*.yaml"))], []
    found = [finding for file in files for rule in (texts, coverage) for finding in rule(file)]
    found += runbooks(files, pathlib.Path(path))
    found += [finding for file in files for finding in unnoticed(file, counted)]
    if not files:
        found.append(f"there are no rules in {folder}")
    print("\n".join(found), end="\n" if found else "")
    alerts, tests = sum(len(file.alerts) for file in files), sum(len(list(file.checks())) for file in files)
    print(f"alerts: {alerts}, each with a runbook; expectations: {tests}; faults noticed: {len(counted)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
