"""A picture of the dashboard, without Grafana: its panels, where its JSON puts them, from results of its queries.

In: the dashboard, the results by panel, from when to when, a folder to work in, the file of the picture. Out: a PNG,
drawn by a headless Chromium from an SVG. It knows the kinds of panels that this dashboard has, and is meant to look
familiar, not the same.
"""

import html
import math
import subprocess

WIDTH, COLUMN, ROW, GAP = 1440, 60, 27, 6
INK, DIM, PAGE, PANEL, GRID, EDGE = "#d8d9da", "#8e9096", "#111217", "#181b1f", "#2a2d33", "#25282e"
SERIES = ["#73bf69", "#5794f2", "#f2cc0c", "#ff780a", "#b877d9", "#f2495c", "#8ab8ff", "#96d98d", "#ffb357", "#ca95e5", "#37872d", "#1f60c4"]
NAMED = {"green": "#73bf69", "yellow": "#f2cc0c", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "transparent": "#73bf69"}
FONT = "font-family=\"'Liberation Sans','DejaVu Sans Condensed',sans-serif\""


def picture(dashboard, data, span, folder, file):
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * ROW + GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {FONT}>', box(0, 0, WIDTH, height, PAGE)]
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] * COLUMN + GAP / 2, place["y"] * ROW + GAP
        w, h = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
        if panel["type"] == "row":
            parts.append(text(x + 4, y + h * 0.72, "▾ " + panel["title"], 13, weight="bold"))
            continue
        parts.append(f'<svg x="{x}" y="{y}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">')
        parts.append(box(0.5, 0.5, w - 1, h - 1, PANEL, f'rx="2" stroke="{EDGE}"'))
        parts.append(text(8, 17, panel["title"], 12, weight="bold"))
        parts.append(KINDS[panel["type"]](Panel(panel, data[panel["id"]], span, w, h)))
        parts.append("</svg>")
    page = folder / "dashboard.html"
    page.write_text(f'<!doctype html><meta charset="utf-8"><style>body{{margin:0;background:{PAGE}}}svg{{display:block}}</style>' + "".join(parts) + "</svg>", encoding="utf-8")
    file.parent.mkdir(parents=True, exist_ok=True)
    screenshot(page, height, file)


def screenshot(page, height, file):
    large = page.with_suffix(".png")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command += ["--hide-scrollbars", f"--window-size={WIDTH},{height}", f"--user-data-dir={page.parent / 'chromium'}"]
    command += [f"--screenshot={large}", page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    if not large.exists():
        raise SystemExit(f"chromium draws nothing: {done.stderr[-500:]}")
    # Few colours suffice, and make a small file.
    subprocess.run(["pngquant", "--force", "--strip", "--speed=1", "--output", file, "48", large], check=True)


class Panel:
    def __init__(self, panel, frames, span, w, h):
        self.panel, self.frames, self.span, self.w, self.h = panel, frames, span, w, h
        self.defaults = panel["fieldConfig"]["defaults"]
        self.unit, self.decimals = self.defaults["unit"], self.defaults.get("decimals")
        self.fixed = {}
        for override in panel["fieldConfig"]["overrides"]:
            for one in override["properties"]:
                if one["id"] == "color":
                    self.fixed[override["matcher"]["options"]] = NAMED[one["value"]["fixedColor"]]

    def colour(self, number, legend):
        return self.fixed.get(legend, SERIES[number % len(SERIES)])

    def level(self, value):
        """The colour of the threshold that a value has reached."""
        reached = [step["color"] for step in self.defaults["thresholds"]["steps"] if step["value"] is None or value >= step["value"]]
        return NAMED[reached[-1]]

    def said(self, value):
        for mapping in self.defaults.get("mappings", []):
            found = mapping["options"].get(f"{value:g}")
            if found:
                return found["text"], NAMED[found["color"]]
        return written(value, self.unit, self.decimals), self.level(value)

    def last(self, frame):
        return frame["points"][-1][1] if frame["points"] else 0.0


def written(value, unit, decimals=None):
    def number(value, decimals=None):
        if decimals is None:
            decimals = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
        return f"{value:.{decimals}f}"

    if unit == "percentunit":
        return number(value * 100, decimals if decimals is not None else 0) + " %"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if abs(value) >= size:
                return f"{number(value / size)} {name}"
        return f"{number(value * 1000, 0 if value >= 0.01 or value == 0 else 1)} ms"
    if unit == "bytes":
        return f"{number(value / (1 << 20))} MiB"
    if unit == "d":
        return f"{number(value, decimals)} days"
    suffix = {"reqps": " req/s", "cps": " /s"}.get(unit, "")
    if abs(value) >= 10000:
        return f"{number(value / 1000)}k{suffix}"
    return number(value, decimals) + suffix


def box(x, y, w, h, fill, more=""):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0):.1f}" height="{max(h, 0):.1f}" fill="{fill}" {more}/>'


def text(x, y, words, size, fill=INK, anchor="start", weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(str(words))}</text>'


def shortened(words, width, size):
    fits = max(int(width / (size * 0.53)), 1)
    return words if len(words) <= fits else words[: max(fits - 1, 1)] + "…"


def nice(top):
    """The largest tick of an axis with four parts, and one part of it."""
    part = top / 4 or 0.25
    magnitude = 10 ** math.floor(math.log10(part))
    part = next(step * magnitude for step in (1, 2, 2.5, 5, 10) if step * magnitude >= part * 0.999)
    return part * math.ceil(top / part - 0.001), part


def legend(panel, y, entries):
    """Entries in lines, as many as there is room for; what is missing is said."""
    out, x, lines = [], 8, 0
    for number, (words, colour) in enumerate(entries):
        words = shortened(words, 210, 10)
        width = 20 + len(words) * 5.6
        if x + width > panel.w - 6:
            x, lines = 8, lines + 1
        if lines > 1:
            out[-2:] = [text(panel.w - 8, y + 14, f"and {len(entries) - number + 1} more", 10, DIM, "end")]
            break
        out.append(box(x, y + lines * 14 - 6, 10, 3, colour))
        out.append(text(x + 14, y + lines * 14, words, 10, DIM))
        x += width
    return "".join(out)


def timeseries(panel):
    stacked = panel.defaults["custom"]["stacking"]["mode"] == "normal"
    frames = [frame for frame in panel.frames if frame["points"]]
    # What is always zero is not drawn where something else is.
    lively = [frame for frame in frames if any(value for _, value in frame["points"])] or frames[:1]
    sums, curves = {}, []
    for frame in lively:
        curve = []
        for moment, value in frame["points"]:
            below = sums.get(moment, 0.0) if stacked else 0.0
            if stacked:
                sums[moment] = below + value
            curve.append((moment, below + value, below))
        curves.append(curve)
    lines = [step for step in panel.defaults["thresholds"]["steps"] if step["value"] is not None]
    top = max([value for curve in curves for _, value, _ in curve] + [panel.defaults.get("max", 0), 0.0])
    scale = 1 << 20 if panel.unit == "bytes" else 1
    top, part = (size * scale for size in nice(top / scale if top > 0 else 1.0))
    left, right, above, below = 52, panel.w - 16, 28, panel.h - 52
    (begin, end), out = panel.span, []
    across = lambda moment: left + (moment - begin) / (end - begin) * (right - left)
    up = lambda value: below - value / top * (below - above)
    tick = 0.0
    while tick <= top * 1.001:
        out.append(f'<path d="M{left} {up(tick):.1f}H{right}" stroke="{GRID}"/>')
        out.append(text(left - 5, up(tick) + 3.5, written(tick, panel.unit), 9.5, DIM, "end"))
        tick += part
    step = next(size for size in (10, 20, 30, 60, 120, 300, 600) if (end - begin) / size <= max((right - left) / 42, 2))
    for number in range(int((end - begin) // step) + 1):
        x = left + number * step / (end - begin) * (right - left)
        out.append(text(x, below + 13, f"{number * step // 60}:{number * step % 60:02d}", 9.5, DIM, "middle"))
    for line in lines:
        if line["value"] <= top:
            out.append(f'<path d="M{left} {up(line["value"]):.1f}H{right}" stroke="{NAMED[line["color"]]}" stroke-dasharray="6 4"/>')
    for number, (frame, curve) in enumerate(zip(lively, curves)):
        colour = panel.colour(number, frame["legend"])
        runs, step = [], min((b[0] - a[0] for a, b in zip(curve, curve[1:])), default=1)
        for point in curve:
            if runs and point[0] - runs[-1][-1][0] <= 1.5 * step:
                runs[-1].append(point)
            else:
                runs.append([point])
        for run in runs:
            line = " ".join(f"{across(moment):.1f},{up(value):.1f}" for moment, value, _ in run)
            base = " ".join(f"{across(moment):.1f},{up(low):.1f}" for moment, _, low in reversed(run))
            out.append(f'<polygon points="{line} {base}" fill="{colour}" opacity="{0.35 if stacked else 0.08}"/>')
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    entries = [(frame["legend"], panel.colour(number, frame["legend"])) for number, frame in enumerate(lively)]
    return "".join(out) + legend(panel, below + 30, entries)


def stat(panel):
    frame = panel.frames[0] if panel.frames else {"points": [], "legend": ""}
    words, colour = panel.said(panel.last(frame))
    out, points = [], frame["points"]
    values = [value for _, value in points]
    if len(points) > 2 and max(values) > min(values):
        (begin, end), low, high = panel.span, min(0, min(values)), max(values)
        line = " ".join(
            f"{(moment - begin) / (end - begin) * panel.w:.1f},{panel.h - 2 - (value - low) / (high - low) * panel.h * 0.34:.1f}" for moment, value in points
        )
        last = (points[-1][0] - begin) / (end - begin) * panel.w
        first = (points[0][0] - begin) / (end - begin) * panel.w
        out.append(f'<polygon points="{first:.1f},{panel.h} {line} {last:.1f},{panel.h}" fill="{colour}" opacity="0.18"/>')
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" opacity="0.7"/>')
    size = min(30, panel.w / max(len(words), 1) * 1.6)
    out.append(text(panel.w / 2, panel.h * 0.62, words, size, colour, "middle", "bold"))
    return "".join(out)


def bargauge(panel):
    out, y = [], 32
    top = panel.defaults.get("max", 1)
    for frame in panel.frames[: max(int((panel.h - 30) / 30), 1)]:
        value = panel.last(frame)
        words, colour = panel.said(value)
        left, full = 8 + panel.w * 0.42, panel.w * 0.58 - 90
        out.append(text(8, y + 13, shortened(frame["legend"], panel.w * 0.42, 11), 11))
        cells = int(full // 6)
        lit = max(min(value / top, 1), 0) * cells
        out += [box(left + cell * 6, y, 4, 18, colour if cell < max(lit, 1) else GRID) for cell in range(cells)]
        out.append(text(panel.w - 10, y + 13, words, 12, colour, "end", "bold"))
        y += 28
    return "".join(out)


def table(panel):
    rules = panel.panel["transformations"][0]["options"]
    cells = [frame["labels"] | {"Value": f"{panel.last(frame):g}"} for frame in panel.frames]
    names = [name for name in rules["indexByName"] if any(name in cell for cell in cells)]
    rows = [[cell.get(name, "") for name in names] for cell in cells]
    widths = [max(len(cell) for cell in column) + 2 for column in zip(*([names] + rows))]
    starts = [8 + (panel.w - 16) * sum(widths[:number]) / sum(widths) for number in range(len(names))]
    out = []
    for number, name in enumerate(names):
        out.append(text(starts[number], 36, rules["renameByName"].get(name, name), 10.5, "#6e9fff", weight="bold"))
    y = 53
    for number, row in enumerate(rows):
        if y > panel.h - 18 and number < len(rows) - 1:
            out.append(text(8, y, f"and {len(rows) - number} more", 10.5, DIM))
            break
        out.append(f'<path d="M6 {y - 12.5}H{panel.w - 6}" stroke="{GRID}"/>')
        for column, cell in enumerate(row):
            width = (starts[column + 1] if column + 1 < len(starts) else panel.w - 4) - starts[column]
            out.append(text(starts[column], y, shortened(cell, width, 10.5), 10.5, TONES.get(cell, INK)))
        y += 17
    return "".join(out)


TONES = {"critical": NAMED["red"], "warning": NAMED["orange"], "firing": NAMED["red"], "pending": NAMED["yellow"]}


def timeline(panel):
    (begin, end), out, y = panel.span, [], 30
    height = min((panel.h - 62) / max(len(panel.frames), 1) - 6, 40)
    left, right = 72, panel.w - 10
    for frame in panel.frames:
        out.append(text(8, y + height / 2 + 4, shortened(frame["legend"], left - 10, 10.5), 10.5))
        points = frame["points"]
        for (moment, value), following in zip(points, points[1:] + [(end, 0)]):
            x, until = (left + (at - begin) / (end - begin) * (right - left) for at in (moment, min(following[0], end)))
            out.append(box(x, y, until - x + 0.4, height, panel.said(value)[1], 'opacity="0.75"'))
        y += height + 6
    options = panel.defaults["mappings"][0]["options"].values()
    return "".join(out) + legend(panel, panel.h - 14, [(option["text"], NAMED[option["color"]]) for option in options])


def heatmap(panel):
    def bound(frame):
        return float(frame["labels"]["le"].replace("+Inf", "inf"))

    frames, previous, rows = sorted(panel.frames, key=bound), {}, []
    for frame in frames:
        rows.append((bound(frame), {moment: value - previous.get(moment, 0) for moment, value in frame["points"]}))
        previous = dict(frame["points"])
    top = max((value for _, row in rows for value in row.values()), default=1) or 1
    left, right, above, below = 52, panel.w - 10, 28, panel.h - 38
    height, (begin, end), out = (below - above) / max(len(rows), 1), panel.span, []
    width = (right - left) / 60
    for number, (upper, row) in enumerate(rows):
        y = below - (number + 1) * height
        if number % 2 == 0:
            out.append(text(left - 5, y + 4, "more" if upper == math.inf else written(upper, "s"), 9.5, DIM, "end"))
        cells = {}
        for moment, value in row.items():
            cell = min(int((moment - begin) / (end - begin) * 60), 59)
            cells[cell] = max(cells.get(cell, 0), value)
        for cell, value in cells.items():
            if value > 0:
                out.append(box(left + cell * width, y, width - 1, height - 1, "#ff9830", f'opacity="{0.12 + 0.88 * (value / top) ** 0.5:.2f}"'))
    return "".join(out) + text(left, panel.h - 14, "brighter: more requests", 10, DIM)


KINDS = {"timeseries": timeseries, "stat": stat, "bargauge": bargauge, "table": table, "state-timeline": timeline, "heatmap": heatmap}
