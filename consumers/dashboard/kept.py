"""Pages that take long to make, kept: made once for everybody, shown as of their step, made anew behind the scenes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import structlog
from msgspec import Struct

from consumers.dashboard.layout import Page
from consumers.timeline import Holds

log = structlog.get_logger(component="dashboard")

PAGES_KEPT: Final = 200
SHOWN_SECONDS: Final = 60.0
"""For how long a page of an earlier step is shown while its successor is made. It says at which step it holds."""

REST: Final = 5
"""So many times as long as making a page took, it is not made again: a step a second must not keep a database busy."""

PATIENCE: Final = 0.7
"""Seconds that somebody waits for a page that is being made, before he is shown that it is."""

HANDS: Final = 3
"""So many pages are made at once: what strangers ask for must not take all of a database's connections."""


class Kept(Struct, frozen=True):
    """A page, where it holds, and when it was made by a monotonic clock."""

    page: Page
    holds: Holds
    made_at: float
    seconds: float  # that making it took


class PageKeeper:
    """By address and moment. Of many who want one page it is made once, and the others wait or see its predecessor."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._making: dict[str, Future[Kept]] = {}
        self._mutex = threading.Lock()
        self._hands = threading.Semaphore(HANDS)

    def get(
        self, key: str, step: int | None, make: Callable[[], tuple[Page, Holds]], *, patience_seconds: float = PATIENCE
    ) -> Kept | None:
        """``step``: where the tables stand; a page of that step is as good as a new one. None: the page is of a moment
        of the past, which stays as it was. None comes back where the page takes longer than the patience: it is being
        made, and whoever asks again finds it, or finds why not. Runs in a thread. Raises what ``make`` does.
        """
        with self._mutex:
            kept = self._kept.get(key)
        if kept is not None:
            if step is None or kept.holds.step == step:
                return kept
            age = time.monotonic() - kept.made_at
            if age < REST * kept.seconds:
                return kept
            if age < max(SHOWN_SECONDS, 2 * REST * kept.seconds):
                self._begin(key, make)
                return kept
        making = self._begin(key, make)
        try:
            return making.result(patience_seconds)
        except TimeoutError:
            if not making.done():
                return None
            raise
        finally:
            with self._mutex:
                if making.done() and self._making.get(key) is making:
                    del self._making[key]  # whoever asks next has it made anew

    def _begin(self, key: str, make: Callable[[], tuple[Page, Holds]]) -> "Future[Kept]":
        """Has the page made, unless somebody is at it, or it failed and nobody was told yet."""
        with self._mutex:
            making = self._making.get(key)
            if making is not None and (not making.done() or making.exception() is not None):
                return making
            making = self._making[key] = Future()
        threading.Thread(target=self._make, args=(key, making, make), name="page", daemon=True).start()
        return making

    def _make(self, key: str, making: "Future[Kept]", make: Callable[[], tuple[Page, Holds]]) -> None:
        try:
            with self._hands:
                began = time.monotonic()
                page, holds = make()
                ended = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - raised by whoever asks for the page, in his thread
            log.warning("page_not_made", reason=str(error))
            making.set_exception(error)
            return
        kept = Kept(page, holds, ended, ended - began)
        with self._mutex:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > PAGES_KEPT:
                self._kept.popitem(last=False)
        making.set_result(kept)
