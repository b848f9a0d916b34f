"""Work handed over is done in order, beside the caller or by him, and none after one that failed."""

import threading
from functools import partial

import pytest

from projections.in_turn import InTurn


class Failed(Exception):
    """What fails here."""


@pytest.fixture(params=[True, False], ids=["beside", "by the caller"])
def beside(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_all_is_done_in_the_order_in_which_it_was_handed_over(beside: bool) -> None:
    done: list[int] = []
    with InTurn[int](beside=beside) as work:
        for number in range(100):
            work.then(partial(_note, done, number))
        assert work.results() == list(range(100))
    assert done == list(range(100))


def test_nothing_is_done_after_what_failed_and_its_error_is_told(beside: bool) -> None:
    done: list[int] = []

    def all_of_it() -> None:
        with InTurn[int](beside=beside) as work:
            work.then(partial(_note, done, 1))
            work.then(_fail)
            work.then(partial(_note, done, 2))
            work.results()

    with pytest.raises(Failed):
        all_of_it()
    assert done == [1]


def test_what_is_under_way_ends_before_the_block_does_and_what_waits_is_never_begun() -> None:
    begun, may_end = threading.Event(), threading.Event()
    done: list[int] = []

    def long() -> int:
        begun.set()
        may_end.wait(60)
        return _note(done, 1)

    def all_of_it() -> None:
        with InTurn[int](beside=True) as work:
            work.then(long)
            work.then(partial(_note, done, 2))
            assert begun.wait(60)
            threading.Timer(0.01, may_end.set).start()
            _fail()

    with pytest.raises(Failed):
        all_of_it()
    assert done == [1]


def _note(done: list[int], number: int) -> int:
    done.append(number)
    return number


def _fail() -> int:
    raise Failed
