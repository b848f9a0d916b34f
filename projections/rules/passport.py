"""What a passport says that rules need: numbers and names of its metadata, each only if it has the right type."""

from typing import Any

from msgspec import Struct

from indexer.events import PassportEvent
from indexer.hexes import Hex


class Passport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A battery's fixed values. None where the passport says nothing of the kind."""

    battery_id: Hex | None = None
    manufacturer: str | None = None
    model: str | None = None
    chemistry: str | None = None
    category: str | None = None  # such as "ev", "lmt", "industrial"
    cell_count: int | None = None
    nominal_capacity_mah: int | None = None
    nominal_voltage_mv: int | None = None
    max_current_ma: int | None = None
    max_power_w: int | None = None
    soh_kind: str | None = None  # "capacity" or "soce"
    soh_bp: int | None = None  # state of health as the operator keeps it in the passport
    status: str | None = None  # such as "original", "repurposed", "waste"
    registered_slot: int | None = None


_TEXTS = ("manufacturer", "model", "chemistry", "category", "soh_kind", "status")
_NUMBERS = (*("cell_count", "nominal_capacity_mah", "nominal_voltage_mv", "max_current_ma", "max_power_w", "soh_bp"),)


def passport_of(event: PassportEvent, registered_slot: int | None) -> Passport:
    return passport_from(event.metadata, battery_id=event.battery_id, registered_slot=registered_slot)


def passport_from(values: dict[str, Any], **known: Any) -> Passport:
    """A passport from names and values; of a wrong type is as if it were not there, and no number is below 1."""
    fields = {name: values[name] for name in _TEXTS if isinstance(values.get(name), str)}
    fields |= {name: values[name] for name in _NUMBERS if type(values.get(name)) is int and values[name] > 0}
    return Passport(**fields, **known)
