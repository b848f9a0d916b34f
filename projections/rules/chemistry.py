"""What cells of a chemistry can do. Sources: docs/rules.md; the voltages are limits for rest and operation."""

from functools import lru_cache
from typing import Final

from msgspec import Struct


class Chemistry(Struct, frozen=True, kw_only=True):
    """One kind of cell. Voltages are mV a cell."""

    name: str
    nominal_mv: int
    least_mv: int
    greatest_mv: int
    flat: bool = False  # between 20 and 80 % state of charge the voltage says nothing about it
    # 20 percentage points at the median fade of laboratory cells: HUST and MIT (LFP), TJU and XJTU (nickel cathodes).
    life_cycles: int
    fade_bp_per_100_cycles: int


CHEMISTRIES: Final = {
    each.name: each
    for each in (
        Chemistry(
            name="LFP",
            nominal_mv=3_200,
            least_mv=2_000,
            greatest_mv=3_750,
            flat=True,
            life_cycles=1_000,
            fade_bp_per_100_cycles=140,
        ),
        Chemistry(
            name="NMC", nominal_mv=3_650, least_mv=2_500, greatest_mv=4_300, life_cycles=500, fade_bp_per_100_cycles=400
        ),
        Chemistry(
            name="NCA", nominal_mv=3_600, least_mv=2_500, greatest_mv=4_300, life_cycles=500, fade_bp_per_100_cycles=400
        ),
        Chemistry(
            name="LMO", nominal_mv=3_700, least_mv=2_700, greatest_mv=4_300, life_cycles=500, fade_bp_per_100_cycles=400
        ),
        Chemistry(
            name="LTO",
            nominal_mv=2_300,
            least_mv=1_500,
            greatest_mv=2_900,
            life_cycles=1_000,
            fade_bp_per_100_cycles=140,
        ),
        Chemistry(
            name="NA-ION",
            nominal_mv=3_100,
            least_mv=1_500,
            greatest_mv=4_100,
            life_cycles=1_000,
            fade_bp_per_100_cycles=210,
        ),
        Chemistry(
            name="LEAD-ACID",
            nominal_mv=2_000,
            least_mv=1_600,
            greatest_mv=2_500,
            life_cycles=500,
            fade_bp_per_100_cycles=400,
        ),
        Chemistry(
            name="NIMH",
            nominal_mv=1_200,
            least_mv=900,
            greatest_mv=1_600,
            life_cycles=500,
            fade_bp_per_100_cycles=400,
        ),
    )
}

NICKEL: Final = frozenset(("NMC", "NCA", "LMO"))
"""Layered and spinel cathodes, whose voltage does tell a high state of charge."""


@lru_cache(maxsize=1_024)
def chemistry_of(name: str | None) -> Chemistry | None:
    """The chemistry of this name, however it is written: "LFP", "lfp", "Na-ion", "NMC811", "LiFePO4"."""
    if name is None:
        return None
    plain = name.strip().upper().replace("_", "-").replace(" ", "-")
    plain = {"LIFEPO4": "LFP", "NCM": "NMC", "SODIUM-ION": "NA-ION", "PB": "LEAD-ACID", "NI-MH": "NIMH"}.get(
        plain, plain
    )
    if plain in CHEMISTRIES:
        return CHEMISTRIES[plain]
    return next((CHEMISTRIES[known] for known in ("NMC", "NCA", "LFP") if plain.startswith(known)), None)
