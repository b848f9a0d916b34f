"""Section: what each page costs the server, with a million readings in the tables, and what it weighs."""

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx

from deploy.dashboard import ServeOptions, Server, parts_of
from deploy.postgres import EmbeddedPostgres
from projections.database import connect
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value
from tests.consumers.rows import Tables

READINGS_EACH: Final = 50
ASKED: Final = 50
P99_MILLISECONDS: Final = 100.0
FIRST_SECONDS: Final = 600.0  # a fleet's first page counts every reading


def measure(plan: Plan) -> Section:
    """Makes the tables by SQL, serves them, and asks for each page again and again, one after the other."""
    with ExitStack() as life:
        folder = Path(life.enter_context(tempfile.TemporaryDirectory(prefix="cellwitness-bench-")))
        folder.chmod(0o711)
        server = EmbeddedPostgres(folder / "postgres")
        url = life.enter_context(server.use())
        with connect(url) as connection:
            Tables(connection).many(plan.page_readings // READINGS_EACH, READINGS_EACH)
        options = ServeOptions(host="127.0.0.1", port=0, token_file=folder / "tokens.json", statement_seconds=60)
        dashboard = Server(life.enter_context(parts_of(lambda: url, options)), options)
        life.callback(dashboard.stop)
        dashboard.start()
        browser = httpx.Client(base_url=dashboard.url, headers={"Accept": "text/html"}, timeout=FIRST_SECONDS)
        life.enter_context(browser)
        rows = [_page(browser, path, name) for path, name in _PAGES]
    worst = max(float(row["slowest of 50 (ms)"] or 0) for row in rows)
    return Section(
        "pages",
        f"Pages of the dashboard over {plan.page_readings:,} readings, one reader",
        tuple(rows),
        (Goal("slowest answer of any page (ms)", worst, P99_MILLISECONDS, "at most"),),
        (
            "`first` is made for everybody once, the others are what everybody else waits.",
            "A battery's own page is left out: these rows are made by SQL, and their events are none of the log's.",
        ),
    )


_PAGES: Final = (
    ("/", "fleet"),
    ("/alerts", "alerts"),
    ("/batteries", "batteries"),
    ("/queries", "queries"),
    ("/queries/silent", "a query's form and answer"),
    ("/system", "system"),
)


def _page(browser: httpx.Client, path: str, name: str) -> dict[str, Value]:
    began = time.perf_counter()
    browser.get(path).raise_for_status()
    first = time.perf_counter() - began
    taken = []
    weight = 0
    for _ in range(ASKED):
        began = time.perf_counter()
        with browser.stream("GET", path) as answer:
            weight = sum(map(len, answer.iter_raw()))
        taken.append(1000 * (time.perf_counter() - began))
    return {
        "page": name,
        "first (ms)": round(1000 * first),
        "p50 (ms)": round(statistics.median(taken), 1),
        "slowest of 50 (ms)": round(max(taken), 1),
        "kB, compressed": round(weight / 1000, 1),
    }
