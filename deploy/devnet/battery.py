"""A battery that ages as real ones do, and the gauge that reads it, with the gauge's errors.

The noise is that of domain.md section 5.1: an estimate off by 0.3 to 1 percentage point, drift that a full charge takes
back (recalibration), capacity that comes back after rest, and rare readings far too high after quick charging. So
honest series break "SoH must not increase" as often as real ones do.
"""

import math
import random
from typing import Final

from msgspec import Struct

DAY_SLOTS: Final = 86_400
_YEAR_DAYS: Final = 365.25


class Chemistry(Struct, frozen=True, kw_only=True):
    """A cell chemistry: its voltages at rest and how it fades."""

    name: str
    nominal_mv: int
    # Open-circuit voltage, mV a cell, at 0, 10, 20, ... 100 % state of charge.
    rest_mv: tuple[int, ...]
    fade_per_100_cycles: tuple[float, float]  # percentage points, from slow to fast
    cells: tuple[int, ...]  # series counts that packs of this kind have
    capacity_mah: tuple[int, ...]


CHEMISTRIES: Final = (
    Chemistry(
        name="LFP",
        nominal_mv=3_200,
        rest_mv=(2_700, 3_130, 3_220, 3_260, 3_285, 3_295, 3_300, 3_310, 3_325, 3_335, 3_400),
        fade_per_100_cycles=(0.6, 1.2),
        cells=(16, 96, 108),
        capacity_mah=(100_000, 160_000, 280_000),
    ),
    Chemistry(
        name="NMC",
        nominal_mv=3_650,
        rest_mv=(3_000, 3_420, 3_510, 3_570, 3_615, 3_660, 3_740, 3_840, 3_930, 4_040, 4_160),
        fade_per_100_cycles=(0.9, 1.9),
        cells=(14, 96, 108),
        capacity_mah=(60_000, 117_000, 156_000),
    ),
    Chemistry(
        name="NCA",
        nominal_mv=3_600,
        rest_mv=(2_950, 3_380, 3_480, 3_545, 3_595, 3_655, 3_740, 3_840, 3_930, 4_030, 4_150),
        fade_per_100_cycles=(1.0, 2.1),
        cells=(96,),
        capacity_mah=(235_000,),
    ),
)

_QUICK_CHARGE_SHARE: Final = 0.012
_RECALIBRATION_SHARE: Final = 0.06
_CELL_VOLTAGES_SHARE: Final = 0.1  # of the packs report each cell


class Measurement(Struct, frozen=True):
    """What a reading's state says, by its keys (protocol.md section 4)."""

    state: dict[int, int | list[int]]
    soh_bp: int
    cycle_count: int


class Battery:
    """One pack. ``installed_slot`` is when the chain first heard of it; many were in service before."""

    def __init__(self, seed: str, installed_slot: int = 0) -> None:
        chance = random.Random(f"battery/{seed}")  # noqa: S311 reproducible, not secret
        self._chance = chance
        self.chemistry = chance.choices(CHEMISTRIES, (5, 4, 1))[0]
        self.cells = chance.choice(self.chemistry.cells)
        self.nominal_mah = chance.choice(self.chemistry.capacity_mah)
        self.nominal_mv = self.cells * self.chemistry.nominal_mv
        self._age_days = chance.choice((0.0, 0.0, chance.uniform(20, 900)))
        self._cycles_a_day = chance.uniform(0.15, 0.8)
        self._initial_soh = chance.uniform(98.5, 101.8)  # new cells often exceed their nominal capacity
        self._cycle_fade = chance.uniform(*self.chemistry.fade_per_100_cycles) / 100
        self._calendar_fade = chance.uniform(0.5, 1.6)  # percentage points at one year, then as the root of time
        self._noise = chance.uniform(0.08, 0.45)  # standard deviation of the gauge, percentage points
        self._swing = chance.uniform(0.0, 0.5)  # cold takes this much in winter
        self._usable = chance.uniform(0.82, 0.97)  # of the nominal energy that a counted cycle moves
        self._bias = 0.0  # the gauge's drift, taken back by a recalibration
        self._shows_cells = chance.random() < _CELL_VOLTAGES_SHARE
        self._last_cycles = 0
        self._installed_slot = installed_slot
        self._cycles_forgotten = 0

    def _days(self, slot: int) -> float:
        return self._age_days + max(0, slot - self._installed_slot) / DAY_SLOTS

    def forget_cycles(self) -> None:
        """The odometer begins again at 0, as after a reset of the management system's software."""
        self._cycles_forgotten += self._last_cycles
        self._last_cycles = 0

    def cycles(self, slot: int) -> int:
        """What the odometer shows. It never goes back but when it forgets."""
        return max(self._last_cycles, int(self._days(slot) * self._cycles_a_day) - self._cycles_forgotten)

    def true_soh(self, slot: int) -> float:
        """Percent of the nominal capacity."""
        days = self._days(slot)
        calendar = self._calendar_fade * math.sqrt(days / _YEAR_DAYS)
        return self._initial_soh - self._cycle_fade * days * self._cycles_a_day - calendar

    def measure(self, slot: int) -> Measurement:
        """What the gauge says now. Each call moves its drift and uses up chance."""
        chance = self._chance
        self._bias += chance.gauss(-0.02, self._noise / 6)
        if chance.random() < _RECALIBRATION_SHARE or abs(self._bias) > 1.5:
            self._bias *= chance.uniform(0, 0.4)
        days = self._days(slot)
        season = math.sin(2 * math.pi * (days / _YEAR_DAYS - 0.25))  # -1 in January
        soh = self.true_soh(slot) + self._bias + self._swing * season + chance.gauss(0, self._noise)
        if chance.random() < _QUICK_CHARGE_SHARE:
            soh += chance.uniform(2.2, 4.5)
        soh_bp = max(0, min(12_000, round(100 * soh)))
        self._last_cycles = self.cycles(slot)
        return Measurement(self._state(soh_bp, season), soh_bp, self._last_cycles)

    def _state(self, soh_bp: int, season: float) -> dict[int, int | list[int]]:
        chance = self._chance
        soc_bp = round(chance.triangular(600, 10_000, 6_800))
        current_ma = self._current()
        cells = [self._cell_mv(soc_bp, current_ma) for _ in range(self.cells)] if self._shows_cells else []
        voltage = sum(cells) if cells else self.cells * self._cell_mv(soc_bp, current_ma)
        cold = round(11 + 9 * season + chance.gauss(0, 4))
        nominal_wh = self.nominal_mah * self.nominal_mv / 1_000_000
        state: dict[int, int | list[int]] = {
            1: soh_bp,
            2: soc_bp,
            3: self._last_cycles,
            4: round(self.nominal_mah * soh_bp / 10_000),
            5: self.nominal_mah,
            6: voltage,
            7: current_ma,
            8: cold,
            9: cold + chance.randint(1, 6),
            10: round(2 * self._last_cycles * nominal_wh * self._usable),
            11: self.cells,
        }
        if cells:
            state[12] = cells
        return state

    def _current(self) -> int:
        """mA, positive when charging. Most readings are taken at rest, some at a charger."""
        chance = self._chance
        if chance.random() < 0.7:
            return chance.randint(-self.nominal_mah // 200, 0)
        return chance.randint(self.nominal_mah // 20, self.nominal_mah // 3)

    def _cell_mv(self, soc_bp: int, current_ma: int) -> int:
        """Open-circuit voltage, linear between the table's points, plus a drop of 60 mV at 1C, plus the spread."""
        table = self.chemistry.rest_mv
        place, rest = divmod(soc_bp, 1_000)
        low, high = table[place], table[min(place + 1, len(table) - 1)]
        drop = 60 * current_ma / self.nominal_mah
        return round(low + (high - low) * rest / 1_000 + drop + self._chance.gauss(0, 2))
