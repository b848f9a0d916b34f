"""R15 to R23: one reading by itself, against what its passport and its chemistry allow. Pure."""

from typing import Final

from indexer.events import Reading
from projections.rules.chemistry import NICKEL, Chemistry, chemistry_of
from projections.rules.history import History, Sample, null_frame
from projections.rules.model import NOTHING, Hit, Outcome, Severity, Values
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds

WHOLE_BP: Final = 10_000
"""100 percent."""


def ranges(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R15."""
    reading, t = sample.reading, thresholds
    hits = [
        *_outside("soh_bp", reading.soh_bp, 0, t.soh_max_bp, "high"),
        *_outside("soc_bp", reading.soc_bp, 0, t.soc_max_bp, "high"),
    ]
    if passport.max_current_ma is not None:
        greatest = passport.max_current_ma * t.current_percent_of_max // 100
        hits += _outside("current_ma", reading.current_ma, -greatest, greatest, "warning")
    for name, value in (("temp_min_c", reading.temp_min_c), ("temp_max_c", reading.temp_max_c)):
        hard = _outside(name, value, t.temp_hard_min_c, t.temp_hard_max_c, "high")
        hits += hard or _outside(name, value, t.temp_soft_min_c, t.temp_soft_max_c, "warning")
    known = (reading.soh_bp, reading.soc_bp, reading.temp_min_c, reading.temp_max_c)
    return tuple(hits) if hits or any(value is not None for value in known) else None


def _outside(name: str, value: int | None, least: int, greatest: int, severity: Severity) -> list[Hit]:
    if value is None or least <= value <= greatest:
        return []
    return [Hit(severity, {"field": name, "value": value, "least": least, "greatest": greatest})]


def temperatures(_: History, sample: Sample, __: Passport, ___: Thresholds) -> Outcome:
    """R16."""
    low, high = sample.reading.temp_min_c, sample.reading.temp_max_c
    if low is None or high is None:
        return None
    return (Hit("high", {"temp_min_c": low, "temp_max_c": high}),) if low > high else NOTHING


def capacity(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R17."""
    reading, t = sample.reading, thresholds
    nominal = passport.nominal_capacity_mah or reading.nominal_capacity_mah
    full, soh = reading.full_charge_capacity_mah, reading.soh_bp
    # A SoH by energy says nothing exact about capacity.
    if full is None or soh is None or not nominal or nominal < 0 or passport.soh_kind == "soce":
        return None
    off_bp = abs(full * WHOLE_BP - soh * nominal) // nominal
    limit = t.capacity_rounded_warning_bp if soh % 100 == 0 else t.capacity_warning_bp
    if off_bp <= limit:
        return NOTHING
    values: Values = {
        "full_charge_capacity_mah": full,
        "soh_bp": soh,
        "nominal_capacity_mah": nominal,
        "off_bp": off_bp,
    }
    return (Hit("high" if off_bp > t.capacity_high_bp else "warning", values),)


def voltage(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R18."""
    chemistry, cells = chemistry_of(passport.chemistry), series(sample.reading, passport)
    pack = sample.reading.voltage_mv
    if pack is None or cells is None or chemistry is None:
        return None
    least = thresholds.cell_min_mv or chemistry.least_mv
    greatest = thresholds.cell_max_mv or chemistry.greatest_mv
    if least * cells <= pack <= greatest * cells:
        return NOTHING
    values: Values = {
        "voltage_mv": pack,
        "cells": cells,
        "cell_mv": pack // cells,
        "least": least,
        "greatest": greatest,
    }
    return (Hit("high", values),)


def voltage_and_charge(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R19."""
    reading, t = sample.reading, thresholds
    chemistry, cells = chemistry_of(passport.chemistry), series(reading, passport)
    pack, charge, current = reading.voltage_mv, reading.soc_bp, reading.current_ma
    nominal = passport.nominal_capacity_mah or reading.nominal_capacity_mah
    if pack is None or charge is None or current is None or not nominal or cells is None or chemistry is None:
        return None
    if abs(current) * t.rest_current_divisor >= nominal:
        return NOTHING  # under load a voltage says nothing about the charge
    values: Values = {"cell_mv": pack // cells, "soc_bp": charge, "current_ma": current}
    if chemistry.flat:
        wrong = charge < 2_000 and pack > t.lfp_rest_max_mv * cells and chemistry.name == "LFP"
    else:
        wrong = charge > 8_000 and pack < t.nickel_rest_min_mv * cells and chemistry.name in NICKEL
    return (Hit("warning", values),) if wrong else NOTHING


def cell_sum(_: History, sample: Sample, __: Passport, thresholds: Thresholds) -> Outcome:
    """R20."""
    cells, pack = sample.reading.cell_voltages_mv, sample.reading.voltage_mv
    if not cells or not pack:
        return None
    total = sum(cells)
    off = abs(total - pack) * WHOLE_BP > thresholds.cell_sum_bp * abs(pack)
    return (Hit("high", {"sum_mv": total, "voltage_mv": pack}),) if off else NOTHING


def cell_spread(_: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R21."""
    cells, charge = sample.reading.cell_voltages_mv, sample.reading.soc_bp
    if not cells:
        return None
    chemistry = chemistry_of(passport.chemistry)
    at_an_end = charge is not None and not 1_000 <= charge <= 9_000
    flat = chemistry is not None and chemistry.flat
    limit = thresholds.cell_spread_lfp_end_mv if flat and at_an_end else thresholds.cell_spread_mv
    spread = max(cells) - min(cells)
    return (Hit("warning", {"spread_mv": spread, "limit_mv": limit}),) if spread > limit else NOTHING


def null(_: History, sample: Sample, __: Passport, ___: Thresholds) -> Outcome:
    """R22."""
    if sample.reading.soh_bp is None:
        return None
    return (Hit("quarantine", {"soh_bp": sample.reading.soh_bp}),) if null_frame(sample.reading) else NOTHING


def cell_count(_: History, sample: Sample, passport: Passport, __: Thresholds) -> Outcome:
    """R23."""
    claimed, listed = sample.reading.cell_count, sample.reading.cell_voltages_mv
    registered = passport.cell_count
    if registered is None or (claimed is None and listed is None):
        return None
    counts = {"cell_count": claimed, "cell_voltages": None if listed is None else len(listed)}
    wrong = {name: count for name, count in counts.items() if count is not None and count != registered}
    return (Hit("high", {**wrong, "passport": registered}),) if wrong else NOTHING


def series(reading: Reading, passport: Passport) -> int | None:
    """Cells in series: by nominal voltages; where that and a cell count agree to 5 percent, the count is exact.

    A count alone may count cells in parallel too: it is used where nothing better is known.
    """
    chemistry: Chemistry | None = chemistry_of(passport.chemistry)
    count = passport.cell_count or reading.cell_count
    if passport.nominal_voltage_mv is None or chemistry is None:
        return count if count and count > 0 else None
    by_voltage = max(1, (passport.nominal_voltage_mv + chemistry.nominal_mv // 2) // chemistry.nominal_mv)
    return count if count and abs(count - by_voltage) * 20 <= by_voltage else by_voltage
