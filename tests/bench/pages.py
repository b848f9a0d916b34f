"""Section: what each page costs the server, with a million readings in the tables, and what it weighs."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx

from deploy.dashboard import ServeOptions, Server, parts_of
from deploy.postgres import EmbeddedPostgres
from projections.database import connect
from tests.bench.filled import fill
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value

ASKED: Final = 200
P99_MILLISECONDS: Final = 100.0
FIRST_SECONDS: Final = 1.0
WEIGHT_KB: Final = 150.0


def measure(plan: Plan) -> Section:
    """Makes the tables, serves them, and asks for each page again and again, one after the other."""
    with ExitStack() as life:
        folder = Path(life.enter_context(tempfile.TemporaryDirectory(prefix="cellwitness-bench-")))
        folder.chmod(0o711)
        url = life.enter_context(EmbeddedPostgres(folder / "postgres").use())
        long = fill(url, folder, readings=plan.page_readings, long_readings=plan.page_readings // 100)
        return asked(url, folder, long, plan.page_readings, ASKED if plan.rounds > 1 else 10)


def asked(url: str, folder: Path, long: tuple[str, str], readings: int, times: int) -> Section:
    """Of tables that are there. ``long``: the battery with most readings."""
    with ExitStack() as life:
        pages = dict(_pages(url, long))
        options = ServeOptions(host="127.0.0.1", port=0, token_file=folder / "tokens.json")
        dashboard = Server(life.enter_context(parts_of(lambda: url, options)), options)
        life.callback(dashboard.stop)
        dashboard.start()
        browser = httpx.Client(base_url=dashboard.url, headers={"Accept": "text/html"}, timeout=60)
        life.enter_context(browser)
        rows = [_page(browser, path, name, times) for name, path in pages.items()]
    return Section(
        "pages",
        f"Pages of the dashboard over {readings:,} readings, one reader",
        tuple(rows),
        (
            Goal("the fleet's page after the start (s)", _of(rows[0], "first (ms)") / 1000, FIRST_SECONDS, "at most"),
            *(Goal(f"{row['page']}: p99 (ms)", _of(row, "p99 (ms)"), P99_MILLISECONDS, "at most") for row in rows),
            Goal("heaviest first load (kB)", max(_of(row, "with all (kB)") for row in rows), WEIGHT_KB, "at most"),
        ),
        (
            "first: after the start of the dashboard. CPU: of dashboard and asking together, without the database.",
            "kB: compressed; with all: and what a browser without a cache loads for it, scripts, styles and icon.",
        ),
    )


def _pages(url: str, long: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Names and addresses."""
    with connect(url, read_only=True) as connection:
        row = connection.execute(
            "SELECT deployment, encode(battery_key, 'hex'), encode(event_id, 'hex') FROM readings"
            " WHERE known_until_step IS NULL AND deployment = %s AND battery_key <> %s ORDER BY height DESC LIMIT 1",
            (long[0], bytes.fromhex(long[1])),
        ).fetchone()
        alert = connection.execute(
            "SELECT encode(alert, 'hex') FROM alerts WHERE known_until_step IS NULL AND deployment = %s", (long[0],)
        ).fetchone()
    assert row is not None
    assert alert is not None
    battery = f"/batteries/{row[0]}/{row[1]}"
    long_read = f"/batteries/{long[0]}/{long[1]}"
    yield "fleet", "/"
    yield "alerts", "/alerts"
    yield "one alert", f"/alerts/{alert[0]}"
    yield "alerts, searched", "/alerts?search=urn:many:77"
    yield "batteries", "/batteries"
    yield "batteries of a model", "/batteries?model=M7"
    yield "a battery", battery
    yield "the battery read most", long_read
    yield "one event", f"{battery}/events/{row[2]}"
    yield "what is different", f"/diff?path={battery}&as_of_step=2"
    yield "queries", "/queries"
    yield "a query's form and answer", "/queries/silent"
    yield "system", "/system"
    yield "you", "/access"


def _page(browser: httpx.Client, path: str, name: str, times: int) -> dict[str, Value]:
    began = time.perf_counter()
    while (answer := browser.get(path)).status_code == HTTPStatus.ACCEPTED:  # it is being made
        time.sleep(0.01)
    first = time.perf_counter() - began
    answer.raise_for_status()
    taken, cpu = [], []
    weight = 0
    for _ in range(times):
        began, began_cpu = time.perf_counter(), time.process_time()
        with browser.stream("GET", path) as stream:
            stream.raise_for_status()
            weight = sum(map(len, stream.iter_raw()))
        taken.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - began_cpu))
    return {
        "page": name,
        "first (ms)": round(1000 * first),
        "p50 (ms)": round(statistics.median(taken), 1),
        "p99 (ms)": round(statistics.quantiles(taken, n=100)[98], 1),
        "CPU (ms)": round(statistics.median(cpu), 1),
        "kB": round(weight / 1000, 1),
        "with all (kB)": round((weight + _beside(browser, answer.text)) / 1000, 1),
    }


def _beside(browser: httpx.Client, page: str) -> int:
    """What else a browser loads for it, compressed."""
    loaded = {part.split('"')[0] for part in page.split('="') if part.startswith("/static/")}
    total = 0
    for address in loaded:
        with browser.stream("GET", address) as stream:
            total += sum(map(len, stream.iter_raw()))
    return total


def _of(row: dict[str, Value], name: str) -> float:
    return float(row[name] or 0)
