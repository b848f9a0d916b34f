"""Thresholds of the rules: defaults with their units, and a TOML file that changes them by deployment and model."""

import tomllib
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from indexer.errors import ConfigurationError


class Thresholds(Struct, frozen=True, kw_only=True):
    """Every number that a rule compares with. bp is 1/100 percent; hours, days and years are of the chain's slots."""

    # Counter
    counter_gap_warning: int = 20  # readings missing between two
    counter_gap_times_median: int = 5  # of the battery's own gaps
    counter_per_hour: int = 60
    leapfrog_reversals: int = 2  # in the last six readings
    # One reading
    soh_max_bp: int = 12_000
    soc_max_bp: int = 10_500
    current_percent_of_max: int = 120
    temp_hard_min_c: int = -40
    temp_hard_max_c: int = 85
    temp_soft_min_c: int = -20
    temp_soft_max_c: int = 60
    capacity_warning_bp: int = 200  # of nominal, where SoH has decimals
    capacity_rounded_warning_bp: int = 300  # where SoH is a whole percentage
    capacity_high_bp: int = 1_000
    rest_current_divisor: int = 20  # at rest below nominal capacity divided by this: C/20
    lfp_rest_max_mv: int = 3_400  # a cell below 20 % state of charge
    nickel_rest_min_mv: int = 3_400  # a cell above 80 %
    cell_sum_bp: int = 200  # sum of the cells against the pack
    cell_spread_mv: int = 100
    cell_spread_lfp_end_mv: int = 300  # LFP below 10 or above 90 % state of charge
    cell_min_mv: int = 0  # hard limits of a cell; 0 takes the chemistry's
    cell_max_mv: int = 0
    # Trajectory
    outlier_bp: int = 1_000  # away from the reference: put aside until the next reading agrees
    outlier_agrees_bp: int = 300
    outlier_readings: int = 3  # put aside in a row at most
    soh_increase_info_bp: int = 100
    soh_increase_warning_bp: int = 200
    soh_increase_high_bp: int = 500
    quiet_readings: int = 3  # at the start of a key epoch: no alert for an increase
    quiet_life_percent: int = 10  # of the expected life in cycles
    life_cycles: int = 0  # expected; 0 takes the chemistry's, 1,000 where that is unknown
    knee_readings: int = 10
    knee_ratio: int = 3  # late slope over early slope
    fade_bp_per_100_cycles: int = 0  # the model's median; 0 takes the chemistry's, 210 where that is unknown
    soh_drop_warning_bp: int = 300
    soh_drop_high_bp: int = 800
    soh_drop_days: int = 90
    soh_drop_cycles: int = 100
    cycles_per_day: int = 6  # 8 for light transport, 4 for cars
    power_percent: int = 110  # of the greatest power
    throughput_max_percent: int = 115  # of 2 x cycles x nominal energy
    throughput_min_percent: int = 5  # of cycles x nominal energy
    calendar_fade_bp_per_year: int = 800
    calendar_days: int = 273  # nine months
    floor_young_bp: int = 8_000  # Euro 7: up to 5 years
    floor_old_bp: int = 7_200  # up to 8 years
    frozen_readings: int = 4
    digit_readings: int = 50
    digit_chi2: int = 34  # 9 degrees of freedom, p < 1e-4 (33.7)
    # Behaviour
    sale_days: int = 30
    sale_soh_bp: int = 200
    min_interval_seconds: int = 600
    burst_readings: int = 12  # in 24 hours
    # Commitments
    expired_in_day: int = 3
    parallel_open: int = 2
    claimed_drift_slots: int = 120
    precomputable_days: int = 1
    # Life
    replacement_jump_bp: int = 1_000
    silent_days: int = 180
    passport_soh_bp: int = 300
    passport_soh_days: int = 30
    # Fleet
    fleet_batteries: int = 30  # of one model, before its distribution says anything
    fade_z_warning_tenths: int = 35
    fade_z_high_tenths: int = 60
    equal_tuples: int = 5
    submitter_batteries: int = 5  # in 24 hours
    ring_submitters: int = 3
    ring_batteries: int = 10
    ring_density_percent: int = 60
    cherry_times_median: int = 3
    expired_share_percent: int = 50
    expired_share_of: int = 5  # commitments of one submitter


DEFAULT: Final = Thresholds()


class ThresholdBook(Struct, frozen=True):
    """Defaults, then what is said of a deployment, then of a model."""

    everywhere: dict[str, int] = {}
    deployments: dict[str, dict[str, int]] = {}
    models: dict[str, dict[str, int]] = {}

    def of(self, deployment: str, model: str | None) -> Thresholds:
        if not (self.everywhere or self.deployments or self.models):
            return DEFAULT  # asked for each reading
        changes = self.everywhere | self.deployments.get(deployment, {}) | self.models.get(model or "", {})
        return _thresholds(tuple(sorted(changes.items())))


@lru_cache(maxsize=4_096)
def _thresholds(changes: tuple[tuple[str, int], ...]) -> Thresholds:
    return Thresholds(**dict(changes)) if changes else DEFAULT


def load_thresholds(text: str, source: str) -> ThresholdBook:
    """Reads ``[thresholds]``, ``[deployment.NAME]`` and ``[model."NAME"]``; ``source`` names the file in messages.

    Raises ConfigurationError that names the table, the key and what to do.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{source}: not thresholds: its values are nested too deep") from error
    known = ("thresholds", "deployment", "model")
    for key in table:
        if key not in known:
            raise ConfigurationError(f"{source}: [{key}]: no such table; write one of {', '.join(known)}")
    return ThresholdBook(
        everywhere=_checked(table.get("thresholds", {}), f"{source}: [thresholds]"),
        deployments=_tables(table.get("deployment", {}), f"{source}: [deployment"),
        models=_tables(table.get("model", {}), f"{source}: [model"),
    )


def _tables(value: Any, where: str) -> dict[str, dict[str, int]]:
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise ConfigurationError(f'{where}]: write a table for each name, as [{where.rpartition("[")[2]}."NAME"]')
    return {name: _checked(each, f"{where}.{name}]") for name, each in value.items()}


def _checked(value: Any, where: str) -> dict[str, int]:
    names = Thresholds.__struct_fields__
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: write a table")
    for name, number in value.items():
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "docs/rules.md lists them"
            raise ConfigurationError(f"{where}: {name}: no such threshold; {hint}")
        if type(number) is not int or not -(1 << 32) < number < 1 << 32:
            raise ConfigurationError(f"{where}: {name}: {number!r} is not a whole number below 2^32")
    return msgspec.convert(value, dict[str, int])
