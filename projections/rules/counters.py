"""R07 to R14: counters and identity. A reading against what its battery signed before. Pure."""

from itertools import pairwise

from projections.rules.history import History, Sample, counter_before, median
from projections.rules.model import NOTHING, Hit, Outcome
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds

HOUR = 3_600


def gap(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R07."""
    counter = sample.reading.counter
    if counter is None or history.last is None:
        return None
    before = counter_before(history, counter)
    if before is None or counter - before <= 1:
        return NOTHING
    delta = counter - before
    own = median(history.gaps)
    many = delta > thresholds.counter_gap_warning or (
        own is not None and delta > thresholds.counter_gap_times_median * own
    )
    return (Hit("warning" if many else "info", {"delta": delta, "own_median_gap": own}),)


def regress(history: History, sample: Sample, _: Passport, __: Thresholds) -> Outcome:
    """R08."""
    last, counter = _last_counter(history), sample.reading.counter
    if last is None or counter is None:
        return None
    return (Hit("high", {"counter": counter, "last_counter": last}),) if counter < last else NOTHING


def equivocation(history: History, sample: Sample, _: Passport, __: Thresholds) -> Outcome:
    """R09."""
    counter = sample.reading.counter
    if counter is None or not sample.payload or not sample.signed:
        return None
    others = [payload for number, payload in history.seen if number == counter and payload != sample.payload]
    return (Hit("critical", {"counter": counter, "other_payload": others[-1]}),) if others else NOTHING


def replay(history: History, sample: Sample, _: Passport, __: Thresholds) -> Outcome:
    """R10."""
    counter = sample.reading.counter
    if counter is None or not sample.payload:
        return None
    again = any(s.reading.counter == counter and s.payload == sample.payload for s in history.recent)
    return (Hit("warning", {"counter": counter}),) if again else NOTHING


def leapfrog(history: History, sample: Sample, __: Passport, thresholds: Thresholds) -> Outcome:
    """R13."""
    course = (*history.course, (sample.reading.cycle_count, sample.reading.energy_throughput_wh))
    cycles = [each for each, _ in course if each is not None]
    energy = [each for _, each in course if each is not None]
    if max(len(cycles), len(energy)) < 3:
        return None
    found = max(_falls(cycles), _falls(energy))
    return (Hit("critical", {"reversals": found}),) if found >= thresholds.leapfrog_reversals else NOTHING


def _falls(values: list[int]) -> int:
    """How often the sequence goes back. One step back is a reset; a second one after a rise is another trajectory."""
    return sum(after < before for before, after in pairwise(values[-6:]))


def rate(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R14."""
    last, counter = _last_counter(history), sample.reading.counter
    if last is None or counter is None or history.last is None:
        return None
    delta, seconds = counter - last, sample.slot - history.last.slot
    if delta <= 1 or seconds < 0:
        return NOTHING
    fast = delta * HOUR > thresholds.counter_per_hour * seconds
    return (Hit("warning", {"delta": delta, "seconds": seconds}),) if fast else NOTHING


def _last_counter(history: History) -> int | None:
    return None if history.last is None else history.last.reading.counter
