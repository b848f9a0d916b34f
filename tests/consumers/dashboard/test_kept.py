"""A page that is kept is made once a step, says at which, and is never older than it may be."""

import threading
import time

import pytest
from markupsafe import Markup

from consumers.dashboard import kept as module
from consumers.dashboard.kept import Kept, PageKeeper
from consumers.dashboard.layout import Page
from consumers.timeline import Holds
from projections.errors import DatabaseUnwell


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


def got(keeper: PageKeeper, key: str, step: int | None, maker: Maker) -> Kept:
    found = keeper.get(key, step, maker, patience_seconds=30)
    assert found is not None
    return found


def test_many_who_want_one_page_have_it_made_once() -> None:
    keeper, maker = PageKeeper(), Maker(0.2)
    threads = [threading.Thread(target=got, args=(keeper, "/", 1, maker)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert maker.made == 1
    assert got(keeper, "/?model=x", 1, maker).page.title == "2"


def test_a_page_of_an_earlier_step_says_so_while_its_successor_is_made() -> None:
    keeper, maker = PageKeeper(), Maker(0.05)
    got(keeper, "/", 1, maker)
    maker.step = 2
    assert got(keeper, "/", 2, maker).holds.step == 1
    deadline = time.monotonic() + 30
    while got(keeper, "/", 2, maker).holds.step != 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert maker.made == 2


def test_a_page_that_is_too_old_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, maker = PageKeeper(), Maker()
    got(keeper, "/", 1, maker)
    monkeypatch.setattr(module, "SHOWN_SECONDS", 0.0)
    monkeypatch.setattr(module, "REST", 0)
    maker.step = 2
    assert got(keeper, "/", 2, maker).holds.step == 2


def test_a_page_of_the_past_stays_as_it_was() -> None:
    keeper, maker = PageKeeper(), Maker()
    first = got(keeper, "/?as_of_step=1", None, maker)
    maker.step = 9
    assert got(keeper, "/?as_of_step=1", None, maker) is first
    assert maker.made == 1


def test_who_asks_for_a_page_that_takes_long_is_not_kept_waiting_and_finds_it_later() -> None:
    keeper, maker, may_end = PageKeeper(), Maker(), threading.Event()

    def slow() -> tuple[Page, Holds]:
        may_end.wait(30)
        return maker()

    assert keeper.get("/", 1, slow, patience_seconds=0.01) is None
    assert keeper.get("/", 1, slow, patience_seconds=0.01) is None
    may_end.set()
    found = keeper.get("/", 1, slow, patience_seconds=30)
    assert found is not None
    assert maker.made == 1


def test_who_asks_next_is_told_why_a_page_could_not_be_made_and_then_it_is_tried_again() -> None:
    keeper, maker, may_fail = PageKeeper(), Maker(), threading.Event()

    def failing() -> tuple[Page, Holds]:
        may_fail.wait(30)
        raise DatabaseUnwell("away")

    assert keeper.get("/", 1, failing, patience_seconds=0.01) is None
    may_fail.set()
    with pytest.raises(DatabaseUnwell, match="away"):
        keeper.get("/", 1, maker, patience_seconds=30)
    assert got(keeper, "/", 1, maker).page.title == "1"


def test_only_so_many_pages_are_made_at_once() -> None:
    keeper, at_work, most, lock = PageKeeper(), 0, 0, threading.Lock()

    def busy() -> tuple[Page, Holds]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.05)
        with lock:
            at_work -= 1
        return Page(title="", section="fleet", body=Markup("")), Holds(1)

    for number in range(12):
        keeper.get(f"/?{number}", 1, busy, patience_seconds=0)
    for number in range(12):
        assert keeper.get(f"/?{number}", 1, busy, patience_seconds=30) is not None
    assert most <= module.HANDS
