"""How long a browser takes to draw a battery's course, with the dashboard's own script and style."""

import json
import math
import statistics
from typing import Any, Final

from playwright.sync_api import Browser, Route, sync_playwright

from consumers.dashboard.vendor import STATIC
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value
from tests.consumers.browser.tools import chromium

GOAL_MS: Final = 300
DAY: Final = 86_400
PAGE: Final = """<!doctype html><html lang="en"><title>course</title>
<link rel="stylesheet" href="/dashboard.css"><link rel="stylesheet" href="/vendor/uplot.css">
<script src="/vendor/uplot.js" defer></script><script src="/{script}.js" type="module"></script>
<div id="course-tools" inert></div><div id="course-place" data-series="/series"><svg class="plot"></svg>
<div id="course-live" tabindex="0"></div></div><p id="course-said"></p>"""
BARE: Final = """
const { series } = await (await fetch("/series")).json();
document.getElementById("course-place").classList.add("live");
const live = document.getElementById("course-live");
const began = performance.now();
for (const plot of series.plots) {
  const values = [plot.values, ...(plot.lows ? [plot.lows] : [])];
  new uPlot({ width: live.clientWidth, height: 87, legend: { show: false },
    series: [{}, ...values.map(() => ({ stroke: "blue", points: { show: false } }))] }, [series.at, ...values], live);
}
requestAnimationFrame(() => setTimeout(() => performance.measure("course", { start: began })));
"""
"""The same values by uPlot as it comes: no lanes, no marks, no zoom that is shared."""

CSP: Final = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
TYPES: Final = {".js": "text/javascript", ".css": "text/css"}


def measure(plan: Plan) -> Section:
    """Five plots and three lanes over one axis, drawn anew and zoomed."""
    rows: list[dict[str, Value]] = []
    full = 0.0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for points in sorted({1_000, plan.drawn_points // 10, plan.drawn_points}):
            # In turns: whatever else the machine does befalls both.
            made = [
                (_draw(browser, points, "timeline"), _draw(browser, points, "bare")) for _ in range(max(3, plan.rounds))
            ]
            row = {name: statistics.median(each[name] for each, _ in made) for name in made[0][0]}
            bare = {name: statistics.median(each[name] for _, each in made) for name in made[0][1]}
            full = row["drawn, ms"]
            row["bare uPlot, ms"] = bare["drawn, ms"]
            row["bare uPlot's thread, ms"] = bare["page's thread, ms"]
            rows.append({"readings": points, **row})
        version = browser.version
        browser.close()
    goal = Goal(f"{plan.drawn_points:,} readings drawn, ms", full, GOAL_MS, "at most")
    return Section(
        "drawing",
        "A battery's course in the browser, until its frame is shown",
        tuple(rows),
        (goal,),
        (f"Chromium {version}, without a graphics card; five plots each, so five times as many points.",),
    )


def _draw(browser: Browser, points: int, script: str) -> dict[str, float]:
    """Milliseconds from data to the frame that shows it, of the page's thread for all of its loading, and of a zoom."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    body = json.dumps({"series": series(points)})

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://bench.invalid")
        if path == "/series":
            route.fulfill(body=body, content_type="application/json")
        elif path == "/":
            page_text = PAGE.replace("{script}", script)
            route.fulfill(body=page_text, content_type="text/html", headers={"content-security-policy": CSP})
        elif path == "/bare.js":
            route.fulfill(body=BARE, content_type=TYPES[".js"])
        else:
            file = STATIC / path[1:]
            route.fulfill(body=file.read_bytes(), content_type=TYPES[file.suffix])

    page.route("**", answer)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto("http://bench.invalid/")
    page.wait_for_function("() => performance.getEntriesByName('course').length", timeout=60_000)
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    busy = float(metrics["TaskDuration"])
    drawn = float(page.evaluate("() => performance.getEntriesByName('course')[0].duration"))
    zoomed = float(
        page.evaluate(
            """() => new Promise(done => {
              const button = document.createElement('button');
              button.dataset.zoom = 'in';
              document.body.append(button);
              const began = performance.now();
              button.click();
              requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
            })"""
        )
    )
    page.close()
    return {"drawn, ms": drawn, "page's thread, ms": 1000 * busy, "zoomed, ms": zoomed}


def series(points: int) -> dict[str, Any]:
    """A battery that was read so often, one reading in a hundred with something odd."""
    at = [1_700_000_000 + number * DAY / 4 for number in range(points)]
    wave = [math.sin(number / 40) for number in range(points)]
    plots: dict[str, list[float]] = {
        "State of health": [100 - 20 * number / points + each for number, each in enumerate(wave)],
        "Cycles": [number / 4 for number in range(points)],
        "Counter": [float(number) for number in range(points)],
        "Voltage": [360 + 8 * each for each in wave],
        "Temperature": [18 + 9 * each for each in wave],
    }
    return {
        "at": at,
        "worth": ["failed" if number % 100 == 0 else "" for number in range(points)],
        "words": [""] * points,
        "hrefs": [""] * points,
        "plots": [
            {
                "title": title,
                "unit": "",
                "values": values,
                "lows": [each - 2 for each in values] if title == "Temperature" else None,
            }
            for title, values in plots.items()
        ],
        "span": [at[0], at[-1]],
        "taken_back": {
            "at": at[50::1000],
            "words": [""] * len(at[50::1000]),
            "hrefs": [""] * len(at[50::1000]),
            "values": [[each - 1 for each in values[50::1000]] for values in plots.values()],
        },
        "lanes": [{"title": "Findings", "intervals": [], "signs": [[when, "high", "", ""] for when in at[::100]]}] * 3,
    }
