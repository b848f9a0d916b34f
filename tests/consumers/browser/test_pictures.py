"""The pictures of README and docs: made here, by ``make pictures``, and never by hand."""

import base64
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.consumers.browser.conftest import Site, eye
from tests.shared import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PICTURES = ROOT / "docs" / "pictures"
GREATEST_BYTES = 200_000
WIDE, PHONE = 1280, 390


def shoot(page: Page, folder: Path, name: str, *, height: int) -> None:
    """The top of a page as WebP, which Playwright itself can't write."""
    page.set_viewport_size({"width": page.viewport_size["width"] if page.viewport_size else WIDE, "height": height})
    page.wait_for_timeout(500)
    session = page.context.new_cdp_session(page)
    made = session.send("Page.captureScreenshot", {"format": "webp", "quality": 76})
    folder.joinpath(f"{name}.webp").write_bytes(base64.b64decode(made["data"]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures_of_each_page_are_made_and_small(browser: Browser, site: Site, tmp_path: Path, dark: bool) -> None:
    folder = PICTURES if os.environ.get("CELLWITNESS_PICTURES") else tmp_path
    folder.mkdir(exist_ok=True)
    colours = "dark" if dark else "light"
    with eye(browser, site, width=WIDE, dark=dark) as person:
        page = person.page
        person.look("/")
        shoot(page, folder, f"fleet-{colours}", height=1500)
        person.look(site.battery)
        page.locator("section[aria-labelledby=h-course]").scroll_into_view_if_needed()
        shoot(page, folder, f"battery-{colours}", height=1500)
        if not dark:
            person.look("/alerts")
            page.keyboard.press("j")
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            page.locator("#why").wait_for()
            shoot(page, folder, "alerts-light", height=820)
            person.look(site.event)
            shoot(page, folder, "event-light", height=1000)
            person.look(site.taken_back)
            page.locator("#h-beliefs").evaluate("heading => heading.scrollIntoView()")
            shoot(page, folder, "taken-back-light", height=520)
    if dark:
        with eye(browser, site, width=PHONE, dark=True) as person:
            person.look("/")
            shoot(person.page, folder, "phone-dark", height=844)
    made = sorted(folder.glob("*.webp"))
    assert len(made) >= 3
    assert all(2_000 < picture.stat().st_size < GREATEST_BYTES for picture in made)
    if folder is tmp_path:
        here = {picture.name for picture in PICTURES.glob("*.webp")}
        assert {picture.name for picture in made} <= here, "docs/pictures lacks some: `make pictures` makes them anew"
