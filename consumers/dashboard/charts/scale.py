"""From values to places, and ticks at numbers and times that people like."""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS_SECONDS: Final = (
    *(_MINUTE * each for each in (1, 5, 15, 30)),
    *(_HOUR * each for each in (1, 3, 6, 12)),
    *(_DAY * each for each in (1, 2, 7, 14)),
)
_STEPS_MONTHS: Final = (1, 3, 6, 12, 24, 60, 120)


class Scale(Struct, frozen=True):
    """Values from ``low`` to ``high``, mapped onto 0 to 1."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """The share, held between 0 and 1: a claimed value of any size stays in the chart."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def scale_of(values: Iterable[float], *, least_span: float = 1.0, room: float = 0.0) -> Scale:
    """A scale that holds all values, with a share of ``room`` at both ends. Of no values: 0 to the least span."""
    found = list(values)
    low, high = min(found, default=0.0), max(found, default=0.0)
    spare = max(least_span - (high - low), 0.0) / 2 + room * (high - low)
    return Scale(low - spare, high + spare) if found else Scale(0.0, least_span)


def nice(scale: Scale, about: int = 4) -> tuple[Scale, list[float]]:
    """The scale widened to whole steps of 1, 2 or 5 times a power of ten, and the ticks."""
    step = _step((scale.high - scale.low) / max(1, about))
    first, last = math.floor(scale.low / step + 1e-9), math.ceil(scale.high / step - 1e-9)
    last = max(last, first + 1)
    return Scale(first * step, last * step), [number * step for number in range(first, last + 1)]


def ticks(scale: Scale, about: int = 4) -> list[float]:
    """Such ticks within the scale as it is."""
    step = _step((scale.high - scale.low) / max(1, about))
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-12)))
    return next((each * power for each in (1, 2, 5) if rough <= each * power * 1.0001), 10 * power)


def number(value: float) -> str:
    """Short, with a thin space between thousands; never in exponents."""
    text = f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"
    return text.replace(",", "\u202f").replace("-", "\u2212")


def time_ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Ticks of a scale in Unix seconds, with what to write there, in UTC."""
    span = max(high - low, 1.0)
    seconds = next((each for each in _STEPS_SECONDS if span / each <= about), None)
    if seconds is not None:
        first = math.ceil(low / seconds)
        return [(at * seconds, _moment(at * seconds, seconds)) for at in range(first, math.floor(high / seconds) + 1)]
    months = next((each for each in _STEPS_MONTHS if span / (each * 30.44 * _DAY) <= about), _STEPS_MONTHS[-1])
    return [(at.timestamp(), _month(at, months)) for at in _months(low, high, months)]


def _months(low: float, high: float, step: int) -> Iterator[datetime]:
    start = _datetime(low)
    number = (start.year * 12 + start.month - 1) // step * step
    while True:
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if at.timestamp() > high:
            return
        if at.timestamp() >= low:
            yield at
        number += step


def _moment(seconds: float, step: int) -> str:
    at = _datetime(seconds)
    if step >= _DAY or (at.hour, at.minute) == (0, 0):
        return f"{at:%b} {at.day}"
    return f"{at:%H:%M}"


def _month(at: datetime, step: int) -> str:
    return f"{at.year}" if step >= 12 or at.month == 1 else f"{at:%b}"


def _datetime(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
