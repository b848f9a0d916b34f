"""Pages that take long to make, kept: made once for everybody, shown as of their step, made anew behind the scenes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from consumers.dashboard.layout import Page
from consumers.timeline import Holds
from indexer.errors import CellwitnessError

log = structlog.get_logger(component="dashboard")

PAGES_KEPT: Final = 200
SHOWN_SECONDS: Final = 60.0
"""For how long a page of an earlier step is shown while its successor is made. It says at which step it holds."""

REST: Final = 5
"""So many times as long as making a page took, it is not made again: a step a second must not keep a database busy."""


class Kept(Struct, frozen=True):
    """A page, where it holds, and when it was made by a monotonic clock."""

    page: Page
    holds: Holds
    made_at: float
    seconds: float  # that making it took


class PageKeeper:
    """By address and moment. Of many who want one page one makes it, and the others wait or see its predecessor."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._making: dict[str, threading.Lock] = {}
        self._mutex = threading.Lock()

    def get(self, key: str, step: int | None, make: Callable[[], tuple[Page, Holds]]) -> Kept:
        """``step``: where the tables stand; a page of that step is as good as a new one. None: the page is of a moment
        of the past, which stays as it was. Runs in a thread.
        """
        with self._mutex:
            kept = self._kept.get(key)
            making = self._making.setdefault(key, threading.Lock())
        if kept is not None:
            if step is None or kept.holds.step == step:
                return kept
            age = time.monotonic() - kept.made_at
            if age < REST * kept.seconds:
                return kept
            if age < max(SHOWN_SECONDS, 2 * REST * kept.seconds):
                threading.Thread(target=self._renew, args=(key, making, make), daemon=True).start()
                return kept
        with making:
            with self._mutex:
                found = self._kept.get(key)
            return found if found is not None and found is not kept else self._make(key, make)

    def _renew(self, key: str, making: threading.Lock, make: Callable[[], tuple[Page, Holds]]) -> None:
        if making.acquire(blocking=False):  # else somebody is at it
            try:
                self._make(key, make)
            except CellwitnessError as error:  # whoever asks next, later, is told
                log.warning("page_not_renewed", reason=str(error))
            finally:
                making.release()

    def _make(self, key: str, make: Callable[[], tuple[Page, Holds]]) -> Kept:
        began = time.monotonic()
        page, holds = make()
        ended = time.monotonic()
        kept = Kept(page, holds, ended, ended - began)
        with self._mutex:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > PAGES_KEPT:
                gone, _ = self._kept.popitem(last=False)
                self._making.pop(gone, None)
        return kept
