"""A page that is kept is made once a step, says at which, and is never older than it may be."""

import threading
import time
from typing import Any

import pytest
from markupsafe import Markup

from consumers.dashboard import kept as module
from consumers.dashboard.kept import PageKeeper
from consumers.dashboard.layout import Page
from consumers.timeline import Holds


class Maker:
    """Counts, and takes as long as it is told."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.made = 0
        self.step = 1
        self._seconds = seconds

    def __call__(self) -> tuple[Page, Holds]:
        time.sleep(self._seconds)
        self.made += 1
        return Page(title=str(self.made), section="fleet", body=Markup("")), Holds(self.step)


def test_many_who_want_one_page_have_it_made_once() -> None:
    keeper, maker = PageKeeper(), Maker(0.2)
    threads = [threading.Thread(target=keeper.get, args=("/", 1, maker)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert maker.made == 1
    assert keeper.get("/?model=x", 1, maker).page.title == "2"


def test_a_page_of_an_earlier_step_says_so_while_its_successor_is_made() -> None:
    keeper, maker = PageKeeper(), Maker(0.05)
    keeper.get("/", 1, maker)
    maker.step = 2
    assert keeper.get("/", 2, maker).holds.step == 1
    deadline = time.monotonic() + 30
    while keeper.get("/", 2, maker).holds.step != 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert maker.made == 2


def test_a_page_that_is_too_old_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, maker = PageKeeper(), Maker()
    keeper.get("/", 1, maker)
    monkeypatch.setattr(module, "SHOWN_SECONDS", 0.0)
    monkeypatch.setattr(module, "REST", 0)
    maker.step = 2
    assert keeper.get("/", 2, maker).holds.step == 2


def test_a_page_of_the_past_stays_as_it_was() -> None:
    keeper, maker = PageKeeper(), Maker()
    first: Any = keeper.get("/?as_of_step=1", None, maker)
    maker.step = 9
    assert keeper.get("/?as_of_step=1", None, maker) is first
    assert maker.made == 1
