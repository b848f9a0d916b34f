"""Pages that sum up everything, kept while they are good enough: a fleet of a million readings is not counted twice."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final

from msgspec import Struct

from consumers.dashboard.layout import Page

REST: Final = 5
"""A page is made again when a step came and so many times as long has passed as making it took."""

KEPT: Final = 32


class Kept(Struct, frozen=True):
    """A page as it was made."""

    page: Page
    step: int
    at: float
    seconds: float  # that making it took


class Shelf:
    """One page is made at a time. Who asks meanwhile gets the one before, which says of which step it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._making = Lock()

    def page(self, key: Hashable, step: int, make: Callable[[], Page]) -> Page:
        """The page of this key: the kept one, or made now. ``step``: that the tables hold."""
        kept = self._kept.get(key)
        if kept is not None and self._good(kept, step):
            return kept.page
        if not self._making.acquire(blocking=kept is None):
            assert kept is not None
            return kept.page
        try:
            made = self._kept.get(key)  # perhaps by whoever we waited for
            if made is not None and self._good(made, step):
                return made.page
            began = self._clock()
            page = make()
            ended = self._clock()
            self._kept[key] = Kept(page, step, ended, ended - began)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return page
        finally:
            self._making.release()

    def _good(self, kept: Kept, step: int) -> bool:
        return kept.step == step or self._clock() - kept.at < REST * kept.seconds
