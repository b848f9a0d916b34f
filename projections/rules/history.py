"""What rules remember of a battery in one key epoch, and the robust reference. Pure, and bounded.

The reference is the median of the last five accepted readings of the epoch: one wrong reading does not move it, and a
reading that was put aside (quarantined) never does.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import Reading
from indexer.hexes import Hex
from projections.rules.thresholds import Thresholds

REFERENCE_READINGS: Final = 5
RECENT: Final = 6
"""Accepted readings that are kept whole."""
SEEN: Final = 32
"""Counters whose payloads are remembered, to tell a replay from an equivocation."""
GAPS: Final = 15
TIMES: Final = 16
TRAIL: Final = 32
"""Points of the course of SoH over cycles: when it is full, every second one but the first is dropped."""
DAY: Final = 86_400
DIGITS: Final = (0,) * 10


class Sample(Struct, frozen=True, omit_defaults=True):
    """A reading as rules see it. ``slot`` is seconds on the chain, or Unix time in an archive without slots."""

    slot: int
    reading: Reading
    payload: Hex = ""  # first 16 bytes of the payload's SHA-256; empty where there is no payload
    signed: bool = True  # the battery's key signed it


class Point(Struct, frozen=True, array_like=True):
    """SoH (bp) after so many cycles."""

    cycles: int
    soh_bp: int


class History(Struct, frozen=True, omit_defaults=True):
    """Of one battery under one key. "Accepted": the key signed it, it is bound, and no rule put it aside."""

    key: Hex | None = None
    accepted: int = 0
    soh_reference_bp: int | None = None  # the robust reference; None before the first accepted reading
    recent: tuple[Sample, ...] = ()  # the last RECENT accepted ones, newest last
    first: tuple[tuple[int, int], ...] = ()  # slot and SoH (bp) of the first REFERENCE_READINGS
    trail: tuple[Point, ...] = ()
    seen: tuple[tuple[int, Hex], ...] = ()  # counter and payload of signed readings, newest last
    course: tuple[tuple[int | None, int | None], ...] = ()  # cycles and throughput (Wh) of signed readings (R13)
    gaps: tuple[int, ...] = ()  # differences between counters
    times: tuple[int, ...] = ()  # slots of the last TIMES readings that took effect
    increases: int = 0  # in a row, at warning level (R24)
    frozen: int = 1  # readings in a row with one state (R34)
    soh_digits: tuple[int, ...] = DIGITS  # how often SoH ended with each digit (R35)
    capacity_digits: tuple[int, ...] = DIGITS
    aside: tuple[int, ...] = ()  # SoH (bp) of the last readings in a row that were put aside as outliers
    sold_at: int | None = None  # slot at which the ownership token last changed hands
    soh_before_bp: int | None = None  # reference of the epoch before (R53)
    passport_off_since: int | None = None  # slot since which the passport's SoH is too far off (R55)

    @property
    def last(self) -> Sample | None:
        return self.recent[-1] if self.recent else None


NEW: Final = History()


def median(values: Sequence[int]) -> int | None:
    """The middle one, or the lower whole number between the two in the middle."""
    if not values:
        return None
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def null_frame(reading: Reading) -> bool:
    """All zero, or one filler value everywhere: what a gauge sends when it could not measure."""
    soh = reading.soh_bp
    if soh == 0:
        others = [v for v in (reading.voltage_mv, reading.temp_min_c, reading.temp_max_c) if v is not None]
        if others and not any(others):
            return True
    if soh is None or reading.cycle_count not in (soh, None):
        return False  # nearly every reading ends here
    filled = (soh, reading.soc_bp, reading.cycle_count, reading.full_charge_capacity_mah, reading.voltage_mv)
    known = [value for value in filled if value is not None]
    return len(known) > 3 and len(set(known)) == 1


def outlier(history: History, reading: Reading, thresholds: Thresholds) -> bool:
    """A single reading far off the reference, up or down, which no second one has confirmed yet."""
    soh = reading.soh_bp
    if soh is None or not _far(history, reading, thresholds):
        return False
    aside = history.aside
    # A battery that goes down step by step agrees with none of its last readings, and is no outlier for ever.
    agreed = bool(aside) and abs(aside[-1] - soh) <= thresholds.outlier_agrees_bp
    return not agreed and len(aside) < thresholds.outlier_readings


def accept(history: History, sample: Sample, thresholds: Thresholds) -> History:
    """The history after a reading that was accepted, or put aside where it is a null frame or an outlier."""
    reading = sample.reading
    if null_frame(reading):
        return history
    if outlier(history, reading, thresholds):
        return replace(history, aside=(*history.aside, reading.soh_bp or 0))
    last = history.last
    if last is not None and _far(history, reading, thresholds):
        # Others agree with it, which were put aside: the level is real, and the old ones say nothing of it.
        history = replace(history, recent=())
    soh, capacity = reading.soh_bp, reading.full_charge_capacity_mah
    cycles, reference = reading.cycle_count, history.soh_reference_bp
    rises = soh is not None and reference is not None and soh - reference > thresholds.soh_increase_warning_bp
    trail = history.trail if soh is None or cycles is None else _longer(history.trail, Point(cycles, soh))
    recent = (*history.recent[1 - RECENT : -1], *map(_without_cells, history.recent[-1:]), sample)
    return replace(
        history,
        accepted=history.accepted + 1,
        recent=recent,
        soh_reference_bp=median(
            [s.reading.soh_bp for s in recent[-REFERENCE_READINGS:] if s.reading.soh_bp is not None]
        ),
        first=history.first
        if soh is None or len(history.first) == REFERENCE_READINGS
        else (*history.first, (sample.slot, soh)),
        trail=trail,
        gaps=_gaps(history, reading.counter),
        times=(*history.times[1 - TIMES :], sample.slot),
        increases=history.increases + 1 if rises else 0,
        frozen=history.frozen + 1 if last is not None and same_state(last.reading, reading) else 1,
        soh_digits=_counted(history.soh_digits, soh),
        capacity_digits=_counted(history.capacity_digits, capacity),
        aside=(),
    )


def noted(history: History, sample: Sample, *, bound: bool) -> History:
    """The history after any signed reading, taken up or not: the battery said this, and used its counter for it.

    ``bound``: it answers a challenge of its own. Of others nobody knows when they were said: they enter no course.
    """
    reading, course = sample.reading, history.course
    if bound and not null_frame(reading):
        course = (*course[1 - RECENT :], (reading.cycle_count, reading.energy_throughput_wh))
    seen, said = history.seen, (reading.counter, sample.payload)
    if reading.counter is not None and sample.payload and said not in seen:
        seen = (*seen[1 - SEEN :], (reading.counter, sample.payload))
    return replace(history, course=course, seen=seen)


def epoch_opened(history: History, key: str | None) -> History:
    """A new key, or a battery replaced under the old one: everything begins anew but for what was sold and said."""
    return History(
        key=key,
        seen=history.seen if key == history.key else (),
        sold_at=history.sold_at,
        soh_before_bp=history.soh_reference_bp,
    )


def _without_cells(sample: Sample) -> Sample:
    """An older reading: of a hundred cells only the newest voltages are compared."""
    if sample.reading.cell_voltages_mv is None:
        return sample
    return replace(sample, reading=replace(sample.reading, cell_voltages_mv=None))


def same_state(one: Reading, other: Reading) -> bool:
    """Equal but for what moves by itself: counter, challenge, cycles, throughput."""
    return _fixed(one) == _fixed(other)


def states_known(reading: Reading) -> int:
    """How many of the values that ``same_state`` compares are there."""
    return sum(value is not None for value in _fixed(reading))


def _fixed(reading: Reading) -> tuple[object, ...]:
    return (
        *(reading.soh_bp, reading.soc_bp, reading.full_charge_capacity_mah, reading.voltage_mv, reading.current_ma),
        *(reading.temp_min_c, reading.temp_max_c, reading.cell_voltages_mv),
    )


def _far(history: History, reading: Reading, thresholds: Thresholds) -> bool:
    reference, soh = history.soh_reference_bp, reading.soh_bp
    return reference is not None and soh is not None and abs(soh - reference) > thresholds.outlier_bp


def _longer(trail: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    return (*trail, point) if len(trail) < TRAIL else (*trail[::2], point)


def counter_before(history: History, counter: int) -> int | None:
    """The counter of the reading before this one: of those submitted, also if they were refused or put aside."""
    used = [number for number, _ in history.seen if number < counter]
    last = None if history.last is None else history.last.reading.counter
    if last is not None and last < counter:
        used.append(last)
    return max(used, default=None)


def _gaps(history: History, counter: int | None) -> tuple[int, ...]:
    before = None if counter is None else counter_before(history, counter)
    if counter is None or before is None:
        return history.gaps
    return (*history.gaps[1 - GAPS :], counter - before)


def _counted(digits: tuple[int, ...], value: int | None) -> tuple[int, ...]:
    if value is None:
        return digits
    digit = abs(value) % 10
    return (*digits[:digit], digits[digit] + 1, *digits[digit + 1 :])
