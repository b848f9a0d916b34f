"""A real browser before a dashboard over labelled frauds, one of which a rollback took back."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, Page, sync_playwright

from consumers.timeline import read_timeline
from deploy.dashboard import ServeOptions, Server, parts_of, prepare_tables
from deploy.devnet.network import Network
from deploy.postgres import EmbeddedPostgres
from indexer.log.records import BlockEntry
from indexer.log.steps import place
from indexer.log.urls import open_log
from projections.database import connect
from projections.judging import Judging
from projections.run import Worker
from tests.consumers.browser.tools import HOW, axe, chromium, missing
from tests.consumers.labelled import labelled, profile_of
from tests.judge.made import Sizes
from tests.postgres import postgres
from tests.projections.chain import Block, hash32
from tests.projections.tables import project

__all__ = ["postgres"]

FLEET = Sizes(seed=7, batteries=24, days=240, reading_hours=120.0, fraud_share=0.25)
UNDONE_BLOCKS = 30


class Site(Struct, frozen=True):
    """A dashboard with something of everything."""

    url: str
    battery: str  # path of one with failed checks
    taken_back: str  # path of one with a reading that a rollback took back for good
    event: str  # path of a reading with a failed check
    slot: int  # of the past, in the middle


@pytest.fixture(scope="package")
def site(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if lacks := missing():
        pytest.fail(f"{'; '.join(lacks)}: {HOW}")
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        made = stack.enter_context(labelled(postgres, folder, "weak", FLEET))
        chain = made.chain
        judging = Judging({profile_of("weak").name: profile_of("weak")})
        gone = chain.back(UNDONE_BLOCKS)
        project(chain.log, made.url, judging=judging)
        chain.forward(_elsewhere(gone[: UNDONE_BLOCKS // 3], chain.blocks[-1].entry.id))
        project(chain.log, made.url, judging=judging)
        prepare_tables(made.url)
        stack.enter_context(_at_work(chain.url, made.url, judging))
        options = ServeOptions(host="127.0.0.1", port=0, token_file=folder / "tokens.json", stale_seconds=1e6)
        server = Server(stack.enter_context(parts_of(lambda: made.url, options)), options)
        server.start()
        stack.callback(server.stop)
        yield _site(server.url, made.url)


@contextmanager
def _at_work(log_url: str, database: str, judging: Judging) -> Iterator[None]:
    """A worker that waits for more, without which no page calls itself up to date."""
    stopped = threading.Event()

    def wait(seconds: float) -> None:
        stopped.wait(seconds)

    def work() -> None:
        with closing(open_log(log_url)) as log:
            Worker(log, lambda: connect(database), judging=judging, stop=stopped.is_set, pause=wait).run()

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _elsewhere(gone: list[Block], parent: str) -> list[Block]:
    """Blocks with the same transactions, three slots later: what another branch has in common with the one undone."""
    blocks = []
    for block in gone:
        entry = BlockEntry(block.entry.height, block.entry.slot + 3, hash32("elsewhere", block.entry.id))
        time = Network().time_of(entry.slot).isoformat().replace("+00:00", "Z")
        events = place([each.event for each in block.events], entry, time, 42)
        blocks.append(Block(entry, parent, tuple(events), time))
        parent = entry.id
    return blocks


def _site(url: str, database: str) -> Site:
    with connect(database) as connection:

        def one(query: str) -> tuple[Any, ...]:
            row = connection.execute(query).fetchone()
            assert row is not None, query
            return row

        deployment, key = one(
            "SELECT deployment, encode(battery_key, 'hex') FROM verdicts WHERE known_until_step IS NULL"
            " GROUP BY 1, 2 ORDER BY count(*) FILTER (WHERE crypto = 'failed' OR binding = 'failed') DESC LIMIT 1"
        )
        gone_deployment, gone_key = one(
            "SELECT deployment, encode(battery_key, 'hex') FROM events AS past WHERE known_until_step IS NOT NULL"
            " AND type = 'reading_submitted' AND NOT EXISTS (SELECT FROM events AS now WHERE now.fact = past.fact"
            " AND now.known_until_step IS NULL) LIMIT 1"
        )
        timeline = read_timeline(connection, deployment, key)
        assert timeline is not None
        event = next(line for line in timeline.lines if line.verdict and line.verdict["crypto"] == "failed")
        battery = f"/batteries/{deployment}/{key}"
        (slot,) = one("SELECT (min(slot) + max(slot)) / 2 FROM readings WHERE known_until_step IS NULL")
        return Site(
            url,
            battery,
            f"/batteries/{gone_deployment}/{gone_key}",
            f"{battery}/events/{event.event_id}",
            int(slot),
        )


@pytest.fixture(scope="module")  # Playwright's loop runs on in this thread, and until it ends nobody else can run one
def browser(site: Site) -> Iterator[Browser]:
    del site  # which says first what is missing
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


class Eye:
    """A page of the browser that hears every complaint."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", lambda answer: self.complaints.append(answer.url) if answer.status >= 400 else None)

    def look(self, path: str) -> None:
        """Goes there, and waits until nothing more is loaded than news, which never end."""
        self.page.goto(f"{self.url}{path}", wait_until="load")
        self.page.wait_for_timeout(150)

    def violations(self) -> list[str]:
        """What axe finds, WCAG 2.2 AA and best practices."""
        self.page.evaluate(axe().read_text())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
            for each in found["violations"]
            for node in each["nodes"][:2]
        ]


@contextmanager
def eye(browser: Browser, site: Site, *, width: int = 1440, dark: bool = False, script: bool = True) -> Iterator[Eye]:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
    )
    context.set_default_timeout(30_000)
    try:
        yield Eye(context.new_page(), site.url)
    finally:
        context.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
