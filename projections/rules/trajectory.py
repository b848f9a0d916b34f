"""R24 to R35: the course of one battery, against the robust reference. Pure, in whole numbers: no claimed value is too
large for it.
"""

from collections.abc import Sequence
from typing import Final

from projections.rules.chemistry import chemistry_of
from projections.rules.history import DAY, History, Point, Sample, median, same_state, states_known
from projections.rules.model import NOTHING, Hit, Outcome, Severity, Values
from projections.rules.passport import Passport
from projections.rules.physical import series
from projections.rules.thresholds import Thresholds

YEAR_SECONDS: Final = 31_557_600  # 365.25 days
UNKNOWN_LIFE_CYCLES: Final = 1_000
UNKNOWN_FADE_BP: Final = 210
STEPPED_DIGITS: Final = 2
KNEE_CYCLES: Final = 50
"""Fewer cycles than this in either half, and noise decides the slope."""


def increase(history: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R24."""
    reference, soh, t = history.soh_reference_bp, sample.reading.soh_bp, thresholds
    if reference is None or soh is None:
        return None
    rise = soh - reference
    if rise <= t.soh_increase_info_bp:
        return NOTHING
    severity: Severity = "info"
    if rise > t.soh_increase_high_bp or (rise > t.soh_increase_warning_bp and history.increases):
        severity = "high"
    elif rise > t.soh_increase_warning_bp:
        severity = "warning"
    life, cycles = life_cycles(passport, t), sample.reading.cycle_count
    young = cycles is not None and cycles * 100 < life * t.quiet_life_percent
    if history.accepted < t.quiet_readings or young:
        severity = "info"  # early readings and young cells do rise
    values: Values = {"soh_bp": soh, "reference_bp": reference, "warnings_before": history.increases}
    return (Hit(severity, values),)


def life_cycles(passport: Passport, thresholds: Thresholds) -> int:
    chemistry = chemistry_of(passport.chemistry)
    return thresholds.life_cycles or (UNKNOWN_LIFE_CYCLES if chemistry is None else chemistry.life_cycles)


def knee(history: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R25."""
    soh, cycles = sample.reading.soh_bp, sample.reading.cycle_count
    if soh is None or cycles is None or history.accepted + 1 < thresholds.knee_readings:
        return None
    trail = (*history.trail, Point(cycles, soh))
    half = len(trail) // 2
    early, late = fade(trail[:half]), fade(trail[half:])
    if early is None or late is None:
        return None
    chemistry = chemistry_of(passport.chemistry)
    typical = thresholds.fade_bp_per_100_cycles or (chemistry.fade_bp_per_100_cycles if chemistry else UNKNOWN_FADE_BP)
    bends = late > thresholds.knee_ratio * max(early, 1) and late > 2 * typical
    values: Values = {"early": early, "late": late, "model_median": typical}
    return (Hit("warning", values),) if bends else NOTHING


def fade(points: Sequence[Point]) -> int | None:
    """Loss of SoH in bp per 100 cycles, by least squares; None over too few cycles to tell it from noise."""
    cycles = [point.cycles for point in points]
    if len(points) < 3 or max(cycles) - min(cycles) < KNEE_CYCLES:
        return None
    count, total_x, total_y = len(points), sum(cycles), sum(point.soh_bp for point in points)
    over = count * sum(point.cycles * point.soh_bp for point in points) - total_x * total_y
    under = count * sum(x * x for x in cycles) - total_x * total_x
    return -100 * over // under if under else None


def drop(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R26."""
    reference, soh, last, t = history.soh_reference_bp, sample.reading.soh_bp, history.last, thresholds
    if reference is None or soh is None or last is None:
        return None
    fall, seconds = reference - soh, sample.slot - last.slot
    cycles = _difference(sample.reading.cycle_count, last.reading.cycle_count)
    if fall <= t.soh_drop_warning_bp or seconds >= t.soh_drop_days * DAY or (cycles or 0) >= t.soh_drop_cycles:
        return NOTHING
    values: Values = {"soh_bp": soh, "reference_bp": reference, "seconds": seconds, "cycles": cycles}
    return (Hit("high" if fall > t.soh_drop_high_bp else "warning", values),)


def cycles_back(history: History, sample: Sample, _: Passport, __: Thresholds) -> Outcome:
    """R27."""
    cycles = _difference(sample.reading.cycle_count, _last(history, "cycle_count"))
    if cycles is None:
        return None
    return (Hit("high", {"cycles": cycles, "cycle_count": sample.reading.cycle_count}),) if cycles < 0 else NOTHING


def cycle_rate(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R28."""
    cycles = _difference(sample.reading.cycle_count, _last(history, "cycle_count"))
    if cycles is None or history.last is None:
        return None
    seconds = sample.slot - history.last.slot
    # A counter of whole cycles may have been about to turn: one of them took no time.
    fast = (cycles - 1) * DAY > max(seconds, 0) * thresholds.cycles_per_day
    return (Hit("warning", {"cycles": cycles, "seconds": seconds}),) if fast else NOTHING


def throughput(history: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R29."""
    moved = _difference(sample.reading.energy_throughput_wh, _last(history, "energy_throughput_wh"))
    if moved is None or history.last is None:
        return None
    seconds, power = sample.slot - history.last.slot, passport.max_power_w
    values: Values = {"throughput_wh": moved, "seconds": seconds, "max_power_w": power}
    if moved < 0:
        return (Hit("high", values),)
    if power is None:
        return NOTHING
    fast = moved * 3_600 * 100 > power * max(seconds, 1) * thresholds.power_percent
    return (Hit("high", values),) if fast else NOTHING


def throughput_and_cycles(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R30."""
    reading, t = sample.reading, thresholds
    energy, cycles = reading.energy_throughput_wh, reading.cycle_count
    capacity = passport.nominal_capacity_mah or reading.nominal_capacity_mah
    chemistry, cells = chemistry_of(passport.chemistry), series(reading, passport)
    nominal_mv = passport.nominal_voltage_mv or (chemistry.nominal_mv * cells if chemistry and cells else None)
    if energy is None or cycles is None or not capacity or not nominal_mv:
        return None
    one = capacity * nominal_mv  # nominal energy in µWh
    values: Values = {"throughput_wh": energy, "cycles": cycles, "nominal_wh": one // 1_000_000}
    # The cycle under way counts too, or a new battery would have moved energy in no cycle.
    if energy * 1_000_000 * 100 > t.throughput_max_percent * 2 * (cycles + 1) * one:
        return (Hit("high", values),)
    if energy * 1_000_000 * 100 < t.throughput_min_percent * cycles * one:
        return (Hit("info", values),)
    return NOTHING


def calendar_fade(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R32."""
    soh, t = sample.reading.soh_bp, thresholds
    begin, began = median([soh for _, soh in history.first]), median([slot for slot, _ in history.first])
    reference = history.soh_reference_bp
    if soh is None or begin is None or began is None or reference is None:
        return None
    seconds, lost = sample.slot - began, begin - reference
    if seconds < t.calendar_days * DAY:
        return NOTHING
    fast = lost * YEAR_SECONDS > t.calendar_fade_bp_per_year * seconds
    return (Hit("warning", {"lost_bp": lost, "seconds": seconds}),) if fast else NOTHING


def euro_7(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R33."""
    soh, registered = sample.reading.soh_bp, passport.registered_slot
    if soh is None or registered is None or passport.soh_kind != "soce" or (passport.category or "").lower() != "ev":
        return None
    age = sample.slot - registered
    floor = thresholds.floor_young_bp if age <= 5 * YEAR_SECONDS else thresholds.floor_old_bp
    if age > 8 * YEAR_SECONDS or soh >= floor:
        return NOTHING
    return (Hit("info", {"soh_bp": soh, "floor_bp": floor, "age_seconds": age}),)


def frozen(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R34."""
    counter, before, last = sample.reading.counter, _last(history, "counter"), history.last
    if counter is None or before is None or last is None or states_known(sample.reading) < 3:
        return None
    if counter <= before or not same_state(last.reading, sample.reading):
        return NOTHING
    run = history.frozen + 1
    return (Hit("warning", {"readings": run}),) if run >= thresholds.frozen_readings else NOTHING


def digits(history: History, _: Sample, __: Passport, thresholds: Thresholds) -> Outcome:
    """R35."""
    hits = []
    for field, counts in (("soh_bp", history.soh_digits), ("capacity", history.capacity_digits)):
        total = sum(counts)
        # Asked once for each so many readings. Where several digits never come up, a device counts in steps.
        stepped = counts.count(0) > STEPPED_DIGITS
        if total < thresholds.digit_readings or total % thresholds.digit_readings or stepped:
            continue
        tenfold = 10 * sum(count * count for count in counts)
        if tenfold > (thresholds.digit_chi2 + total) * total:
            hits.append(Hit("info", {"field": field, "digits": list(counts)}))
    enough = max(sum(history.soh_digits), sum(history.capacity_digits)) >= thresholds.digit_readings
    return tuple(hits) if enough else None


def _last(history: History, field: str) -> int | None:
    value = None if history.last is None else getattr(history.last.reading, field)
    return value if isinstance(value, int) else None


def _difference(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before
