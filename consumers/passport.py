"""A battery's passport as the tables hold it now: the key that its readings are verified by. Reads, never writes."""

from collections.abc import Iterator

from msgspec import Struct

from consumers.timeline import battery_now, find_batteries
from projections.database import Connection
from projections.rules.passport import Passport, passport_from


class Registered(Struct, frozen=True):
    """A passport with a key."""

    deployment: str
    key: str  # hex
    algorithm: int | None  # COSE number
    passport: Passport


def registered(connection: Connection, battery: str) -> Iterator[Registered]:
    """The passports of the batteries of this id (text or hex) or key, one a deployment, if it names a key."""
    for deployment, key in find_batteries(connection, battery):
        row = battery_now(connection, deployment, key)
        if row is None or row["bms_public_key"] is None:
            continue
        known = {"battery_id": row["battery_id"], "registered_slot": row["registered_slot"]}
        passport = passport_from(row["metadata"] or {}, **known)
        yield Registered(deployment, row["bms_public_key"], row["bms_key_alg"], passport)
