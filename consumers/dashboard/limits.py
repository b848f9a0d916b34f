"""How much one visitor may ask: a bucket fills at a rate, and each request takes one from it."""

from collections import OrderedDict
from typing import Final

BUCKETS_KEPT: Final = 10_000


class Limit:
    """``burst`` requests at once, ``per_second`` in the long run, for each key. Times are a monotonic clock's."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key: what is left, when

    def take(self, key: str, now: float) -> float:
        """0 where the request may pass, else the seconds after which another try may work."""
        left, then = self._buckets.get(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - then) * self._per_second)
        passes = left >= 1
        self._buckets[key] = (left - 1 if passes else left, now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > BUCKETS_KEPT:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._per_second
