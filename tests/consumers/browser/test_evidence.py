"""The report of an evidence pack, as a browser shows it: for everybody, by itself, without a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from consumers.audit.container import read_container
from tests.consumers.audit.conftest import battery, collected, log, pack
from tests.consumers.browser.conftest import Eye
from tests.consumers.browser.tools import HOW, chromium, missing

__all__ = ["battery", "collected", "log", "pack"]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """One without the dashboard that the other tests look at."""
    if lacks := missing():
        pytest.fail(f"{'; '.join(lacks)}: {HOW}")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


def test_the_report_of_a_pack_is_accessible_wide_and_narrow_light_and_dark(
    browser: Browser, pack: bytes, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    report.write_bytes(read_container(pack)["report.html"])
    for width, scheme in ((1440, "light"), (1440, "dark"), (320, "light")):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        eye = Eye(page, report.as_uri())
        eye.look("")
        assert page.get_by_role("heading", name="Readings").count() == 1
        assert eye.violations() == [], (width, scheme)
        assert eye.complaints == []
        page.close()
