"""Whether the dashboard has something to show: every query is put to a Prometheus that scraped a demo.

In: the folder `deploy`, the program, a folder to work in; with --picture the file of a picture, which is drawn from a
longer run. Out: one line for each finding, and exit status 1 if there is any. Variables are expanded as Grafana does it,
once for `All` and once with every value chosen; a query has to have a result, and, unless it is about what never
happens here, one that is not zero. Rules have to be evaluated without an error, and series of their tests have to have
the labels of the real ones.
"""

import argparse
import copy
import json
import math
import pathlib
import re
import sys

import yaml

import draw
from demo_run import Demo

# Seconds of a run, and between scrapes.
SHORT, LONG = (40, 1), (300, 2)
# Fields of data sources, which the types of dashboards leave out, and a tooltip that they call otherwise.
UNTYPED = (".builtIn", ".step", ".textFormat", ".titleFormat", ".definition", ".tooltip.mode")
# What a healthy demo does not show anything but zeros of, by the titles of panels.
QUIET = {"Draining", "Log lines lost", "Panics", "Under way"}
QUIET_SERIES = {"connections_rejected_total", "turns_waiting", "native_queued", "requests_in_flight"}


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def escaped(value):
    """As Grafana escapes a chosen value for a regular expression within a PromQL string."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", lambda found: "\\\\" + found[0], value.replace("\\", "\\\\\\\\"))


class Variables:
    """The variables of the dashboard: for each its name, and a text for every way to choose."""

    def __init__(self, demo, dashboard):
        self.all, self.chosen, self.findings = {}, {}, []
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            name, query = variable["name"], variable["query"]["query"]
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
            values = demo.api(f"label/{label}/values", **{"match[]": self.expand(metric, self.all)})
            if not values:
                self.findings.append(f"the variable {name} has no value")
            self.all[name] = variable["allValue"]
            # The empty label of a route without variables is not among the values.
            chosen = "|".join(escaped(value) for value in values)
            self.chosen[name] = f"({chosen})" if len(values) > 1 else chosen

    @staticmethod
    def expand(expr, values):
        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values[found[1] or found[2]], expr)


def timing(demo):
    """What Grafana makes of the range and the resolution: never finer than the scrapes."""
    seconds = demo.ended - demo.began
    step = max(demo.interval, seconds / 1000)
    rate = max(step + demo.interval, 4 * demo.interval)
    return {"__interval": f"{step:g}s", "__rate_interval": f"{rate:g}s", "__range": f"{math.ceil(seconds)}s"}, step


def frames(demo, panel, values):
    """The results of a panel's queries: of each its labels, a legend, and points."""
    built_in, step = timing(demo)
    found = []
    for target in panel["targets"]:
        expr = Variables.expand(target["expr"], values | built_in)
        if target.get("instant"):
            result = demo.api("query", query=expr, time=demo.ended)["result"]
            series = [(entry["metric"], [entry["value"]]) for entry in result]
        else:
            result = demo.api("query_range", query=expr, start=demo.began, end=demo.ended, step=step)["result"]
            series = [(entry["metric"], entry["values"]) for entry in result]
        for labels, points in series:
            points = [(moment, float(value)) for moment, value in points if math.isfinite(float(value))]
            legend = re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), target["legendFormat"])
            found.append({"target": target["refId"], "labels": labels, "legend": legend.strip(), "points": points})
    return found


def queries(demo, dashboard, variables):
    for panel in panels(dashboard):
        for target in panel["targets"]:
            one = panel | {"targets": [target]}
            for choice, values in (("All", variables.all), ("every value", variables.chosen)):
                where = f"{panel['title']} ({target['refId']}, {choice})"
                try:
                    points = [value for frame in frames(demo, one, values) for _, value in frame["points"]]
                except ValueError as error:
                    yield f"{where}: {error}"
                    continue
                if not points:
                    yield f"{where}: no result: {target['expr']}"
                quiet = panel["title"] in QUIET or any(name in target["expr"] for name in QUIET_SERIES)
                if points and not any(points) and not quiet:
                    yield f"{where}: nothing but zeros: {target['expr']}"
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            built_in, step = timing(demo)
            expr = Variables.expand(annotation["expr"].replace("[$__interval]", "[10s]"), variables.all | built_in)
            if not demo.api("query_range", query=expr, start=demo.began, end=demo.ended, step=step)["result"]:
                yield f"annotation {annotation['name']}: no result"


def rules(demo, folder):
    loaded = [rule for group in demo.api("rules")["groups"] for rule in group["rules"]]
    names = set(demo.api("label/__name__/values"))
    for rule in loaded:
        if rule["health"] != "ok":
            yield f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
        for metric in set(re.findall(r"\b(?:scimshim|process)_[a-z_]+\b", rule["query"])) - names:
            yield f"{rule['name']}: there is no metric {metric}"
    if len(loaded) < 10:
        yield f"Prometheus has loaded {len(loaded)} rules"
    seen = {}
    for path in sorted(folder.glob("tests/*.yaml")):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for entry in test["input_series"]:
                name, labels = re.fullmatch(r"(\w+)\{(.*)\}", entry["series"]).groups()
                if not name.startswith("scimshim_"):
                    continue
                if name not in seen:
                    real = demo.api("series", **{"match[]": name})
                    seen[name] = {label for series in real for label in series} - {"__name__"}
                given = set(re.findall(r'(\w+)="', labels))
                if given - seen[name]:
                    yield f"{path.name}: {name} has the labels {sorted(seen[name])}, not {sorted(given)}"


def runbooks(demo, path):
    """The queries of the runbooks are ones."""
    found = re.findall(r"```promql\n(.*?)```", path.read_text(encoding="utf-8"), re.S)
    names = set(demo.api("label/__name__/values"))
    for expr in found:
        try:
            demo.query(expr)
        except ValueError as error:
            yield f"{path.name}: {expr.strip()}: {error}"
        for metric in set(re.findall(r"\b(?:scimshim|process)_[a-z_]+\b", expr)) - names:
            yield f"{path.name}: {expr.strip()}: there is no metric {metric}"
    if len(found) < 30:
        yield f"{path.name} has {len(found)} queries"


def layout(dashboard):
    """Panels have names and ids of their own and do not lie over each other, and say what they show."""
    taken, ids = {}, set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24 or panel["id"] in ids:
            yield f"{panel['title']}: beyond the grid, or its id is taken"
        ids.add(panel["id"])
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            if cell in taken:
                yield f"{panel['title']} lies over {taken[cell]}"
                break
            taken[cell] = panel["title"]
    for panel in panels(dashboard):
        if not panel.get("description") or panel["datasource"]["uid"] != "${datasource}":
            yield f"{panel['title']}: it needs a description and the data source of the variable"


def types(dashboard):
    """What of the dashboard Grafana's own types do not know, field by field."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    known = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(dashboard))))

    def lost(ours, theirs, path):
        if isinstance(ours, dict):
            for name, value in ours.items():
                yield from lost(value, theirs.get(name) if isinstance(theirs, dict) else None, f"{path}.{name}")
        elif isinstance(ours, list):
            for number, value in enumerate(ours):
                yield from lost(value, theirs[number] if theirs else None, f"{path}[]")
        elif ours != theirs and not path.endswith(UNTYPED):
            yield f"{path}: Grafana's types make {theirs} of {ours}"

    return lost(dashboard, known, "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("deploy", type=pathlib.Path)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--picture", type=pathlib.Path)
    given = parser.parse_args()
    dashboard = json.loads((given.deploy / "dashboards/scimshim.json").read_text(encoding="utf-8"))
    found = [*layout(dashboard), *dict.fromkeys(types(dashboard))]
    with Demo(given.deploy, given.program, given.folder, *(LONG if given.picture else SHORT)) as demo:
        demo.run()
        variables = Variables(demo, dashboard)
        found += variables.findings + list(dict.fromkeys(queries(demo, dashboard, variables)))
        found += dict.fromkeys(rules(demo, given.deploy / "alerts"))
        found += dict.fromkeys(runbooks(demo, given.deploy.parent / "docs/runbooks.md"))
        series = demo.api("status/tsdb")["headStats"]["numSeries"]
        alerts = sorted({entry["metric"]["alertname"] for entry in demo.query('ALERTS{alertname=~"Scimshim.+"}')})
        if given.picture:
            data = {panel["id"]: frames(demo, panel, variables.all) for panel in panels(dashboard)}
            draw.picture(dashboard, data, (demo.began, demo.ended), given.folder, given.picture)
    count = sum(len(panel["targets"]) for panel in panels(dashboard))
    print("\n".join(found), end="\n" if found else "")
    print(f"{count} queries of {len(panels(dashboard))} panels, {series} series, none empty; alerts seen: {', '.join(alerts)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
