"""Every page in a real browser: legible, reachable, quiet, at the widths and in the colours that people have."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser

from deploy.postgres import EmbeddedPostgres
from tests.consumers.browser.conftest import Site, eye
from tests.consumers.dashboard.running import running
from tests.postgres import fresh_database

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

FIRST_LOAD_BYTES = 150_000
SHIFT = """() => new Promise(done => {
  let moved = 0;
  new PerformanceObserver(list => list.getEntries().forEach(e => { if (!e.hadRecentInput) moved += e.value; }))
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(moved), 300);
})"""

PAGES = {
    "fleet": "/",
    "fleet-past": "/?as_of_slot={slot}",
    "alerts": "/alerts",
    "alerts-withdrawn": "/alerts?state=withdrawn",
    "alerts-none": "/alerts?q=nothing-is-called-so",
    "batteries": "/batteries",
    "batteries-none": "/batteries?q=nothing-is-called-so",
    "battery": "{battery}",
    "battery-earlier": "{battery}?before=60.0.0",
    "battery-past": "{battery}?as_of_slot={slot}",
    "battery-taken-back": "{taken_back}",
    "event": "{event}",
    "missing": "/batteries/-/" + "00" * 28,
    "queries": "/queries",
    "query": "/queries/soh-by-cycles",
    "access": "/access",
    "diff": "/diff?path={battery}&as_of_slot={slot}",
    "system": "/system",
}
EXPECTED = {"missing": 404}


def path_of(name: str, site: Site) -> str:
    return PAGES[name].format(battery=site.battery, taken_back=site.taken_back, event=site.event, slot=site.slot)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_legible_still_and_quiet_at_every_width_in_light_and_dark(
    browser: Browser, site: Site, name: str
) -> None:
    for width in (390, 1440):
        for dark in (False, True):
            with eye(browser, site, width=width, dark=dark) as person:
                person.look(path_of(name, site))
                where = f"{name} at {width} px, {'dark' if dark else 'light'}"
                wide = person.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{where}: the page is {wide} px wider than the screen"
                assert person.page.evaluate(SHIFT) < 0.005, f"{where}: something jumps while it loads"
                assert not person.violations(), where
                allowed = [said for said in person.complaints if name not in EXPECTED]
                assert not allowed, where
                assert person.page.locator("h1").count() == 1


def test_a_page_that_is_being_made_is_legible_and_fills_itself_in(
    browser: Browser, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with running(fresh_database(postgres), tmp_path) as made:
        here = Site(url=made.url, battery="", taken_back="", event="", slot=0)
        for width in (390, 1440):
            for dark in (False, True):
                with (
                    psycopg.connect(made.database) as other,
                    eye(browser, here, width=width, dark=dark) as person,
                ):
                    other.execute("LOCK TABLE cellwitness.readings IN ACCESS EXCLUSIVE MODE")
                    # An address of its own: what was made for one of them is kept.
                    person.look(f"/batteries?q=urn&model={'dark' if dark else 'light'}{width}")
                    where = f"at {width} px, {'dark' if dark else 'light'}"
                    assert person.page.locator("#waiting").count() == 1, where
                    assert person.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, where
                    assert not person.violations(), where
                    assert not person.complaints, where
                    other.rollback()
                    person.page.wait_for_function("() => !document.getElementById('waiting')", timeout=60_000)
                    assert person.page.locator("h1").inner_text() == "Batteries"


@pytest.mark.parametrize("name", ["fleet", "alerts", "batteries", "battery", "event"])
def test_the_first_load_is_small(browser: Browser, site: Site, name: str) -> None:
    with eye(browser, site) as person:
        total = 0
        session = person.page.context.new_cdp_session(person.page)
        session.send("Network.enable")

        def count(event: dict[str, Any]) -> None:
            nonlocal total
            total += event["encodedDataLength"]

        session.on("Network.loadingFinished", count)
        person.look(path_of(name, site))
        assert 0 < total < FIRST_LOAD_BYTES


def test_every_mark_of_the_fleet_leads_to_a_page_that_is_there(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        person.look("/")
        hrefs = person.page.eval_on_selector_all("main a", "links => links.map(link => link.getAttribute('href'))")
        kinds = {href.partition("?")[0].split("/")[1] for href in hrefs}
        assert {"batteries", "alerts"} <= kinds
        for href in sorted(set(hrefs))[::7]:
            answer = person.page.request.get(f"{site.url}{href}")
            assert answer.status == 200, href
            assert "No battery fits" not in answer.text(), href
