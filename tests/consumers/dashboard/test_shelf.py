"""Pages that are kept: made once a step, one at a time, and never older than making them again is worth."""

from threading import Event, Thread

import pytest
from markupsafe import Markup

from consumers.dashboard.layout import Page
from consumers.dashboard.shelf import KEPT, REST, Shelf
from projections.errors import DatabaseUnwell


class Clock:
    """Time that passes when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def page(name: str) -> Page:
    return Page(title=name, section="fleet", body=Markup(""))


def test_a_page_is_made_again_for_a_new_step_once_it_has_rested() -> None:
    clock = Clock()
    shelf = Shelf(clock)
    made: list[str] = []

    def make() -> Page:
        made.append("made")
        clock.now += 2.0
        return page(str(len(made)))

    def title(step: int) -> str:
        return shelf.page("fleet", step, make).title

    assert [title(1), title(1)] == ["1", "1"]
    clock.now += REST * 2.0 - 0.1
    assert title(2) == "1"
    clock.now += 0.2
    assert title(2) == "2"
    clock.now += 1e9
    assert title(2) == "2"
    assert len(made) == 2


def test_who_asks_while_a_page_is_made_gets_the_one_before() -> None:
    clock = Clock()
    shelf = Shelf(clock)
    shelf.page("fleet", 1, lambda: page("before"))
    clock.now += 1.0
    begun, go = Event(), Event()

    def slow() -> Page:
        begun.set()
        assert go.wait(30)
        return page("after")

    thread = Thread(target=lambda: shelf.page("fleet", 2, slow))
    thread.start()
    assert begun.wait(30)
    assert shelf.page("fleet", 2, lambda: page("never")).title == "before"
    go.set()
    thread.join()
    assert shelf.page("fleet", 2, lambda: page("never")).title == "after"


def test_a_page_that_can_not_be_made_blocks_nobody_and_is_not_kept() -> None:
    shelf = Shelf(Clock())

    def broken() -> Page:
        raise DatabaseUnwell("gone")

    for _ in range(2):
        with pytest.raises(DatabaseUnwell):
            shelf.page("fleet", 1, broken)
    assert shelf.page("fleet", 1, lambda: page("made")).title == "made"


def test_no_more_pages_are_kept_than_a_server_has_room_for() -> None:
    shelf = Shelf(Clock())
    for number in range(3 * KEPT):
        shelf.page(number, 1, lambda: page("x"))
    assert len(shelf._kept) == KEPT
