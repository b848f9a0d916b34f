"""The payload of a reading, as far as it can be decoded, and every way in which it departs from the protocol."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from indexer.events import Reading
from indexer.protocol import cbor
from indexer.protocol.cbor import Malformed, Map, Tagged, Value

PROFILE_FORM: Final = "commitment-v2"
SCHEMA_VERSION: Final = 2
CHALLENGE_BYTES: Final = 32
MAX_BATTERY_ID_BYTES: Final = 64

# Forms of the drafts, told apart by type. None of them proves that a reading is fresh.
SLOT_CHALLENGE: Final = "slot_challenge"  # key 2 is a slot
VALIDITY_INTERVAL: Final = (
    "validity_interval"  # keys 2 and 3, or a map under key 2, are slots {valid_from, valid_until}
)
JSON_CHALLENGE: Final = "json_challenge"  # JSON text with a challenge and a counter
JSON_TIMESTAMP: Final = "json_timestamp"  # JSON text with a timestamp
JSON_OTHER: Final = "json"

UINT: Final = (0, (1 << 64) - 1)
INT: Final = (-(1 << 64), (1 << 64) - 1)

PAYLOAD_FIELDS: Final = {1: "battery_id", 2: "challenge", 3: "counter", 4: "state", 5: "schema_version"}
"""The payload's keys, all required."""

STATE_FIELDS: Final[dict[int, tuple[str, tuple[int, int], bool]]] = {
    # key: name, range by the CDDL, required
    1: ("soh_bp", (0, 12_000), True),
    2: ("soc_bp", (0, 10_500), True),
    3: ("cycle_count", UINT, True),
    4: ("full_charge_capacity_mah", UINT, True),
    5: ("nominal_capacity_mah", UINT, False),
    6: ("voltage_mv", UINT, True),
    7: ("current_ma", INT, True),
    8: ("temp_min_c", INT, True),
    9: ("temp_max_c", INT, True),
    10: ("energy_throughput_wh", UINT, False),
    11: ("cell_count", UINT, False),
}
CELL_VOLTAGES_KEY: Final = 12


class PayloadView(Struct, frozen=True):
    """What a payload says. ``reading`` is None where it says nothing, and ``unreadable`` then says why."""

    reading: Reading | None
    form: str = PROFILE_FORM
    deterministic: bool = False
    departures: tuple[str, ...] = ()
    unreadable: str | None = None


def read_payload(payload: bytes) -> PayloadView:
    """Decodes a payload. Never raises: whatever is wrong has a name in ``departures``."""
    draft = read_json_draft(payload)
    if draft is not None:
        return draft
    try:
        document = cbor.read(payload)
    except Malformed as error:
        return PayloadView(None, unreadable=f"payload_{error.reason}", departures=("payload_malformed",))
    found = [f"payload_{departure}" for departure in document.departures]
    if document.length != len(payload):
        found.append("payload_trailing_bytes")
    deterministic = not found
    if not isinstance(document.value, Map):
        return PayloadView(
            None,
            deterministic=deterministic,
            departures=(*found, "payload_not_a_map"),
            unreadable="payload_not_a_map",
        )
    fields = _Fields(found)
    reading, form = _reading(document.value, fields)
    return PayloadView(reading, form=form, deterministic=deterministic, departures=tuple(dict.fromkeys(found)))


class _Fields:
    """Takes values out of maps and notes what is wrong with them."""

    def __init__(self, departures: list[str]) -> None:
        self.departures = departures

    def take(self, pairs: Map, unknown: str, known: frozenset[int]) -> dict[int, Value]:
        """The known keys that stand there once. A key that stands there twice says nothing."""
        found: dict[int, Value] = {}
        twice: set[int] = set()
        for key, value in pairs.pairs:
            if not isinstance(key, int) or key not in known:
                self.departures.append(unknown)
            elif key in found:
                twice.add(key)
            else:
                found[key] = value
        return {key: value for key, value in found.items() if key not in twice}

    def integer(self, name: str, value: Value | None, bounds: tuple[int, int]) -> int | None:
        """An integer as it stands; one beyond 64 bits is named and left out."""
        if isinstance(value, Tagged) and value.tag in cbor.BIGNUM_TAGS and isinstance(value.value, bytes):
            self.departures.append(f"{name}_big_integer")
            magnitude = int.from_bytes(value.value, "big")
            value = magnitude if value.tag == 2 else -1 - magnitude
        if isinstance(value, int):
            if not bounds[0] <= value <= bounds[1]:
                self.departures.append(f"{name}_out_of_range")
            return value if INT[0] <= value <= INT[1] else None
        self.wrong(name, value)
        return None

    def octets(self, name: str, value: Value | None) -> str | None:
        if isinstance(value, bytes):
            return value.hex()
        self.wrong(name, value)
        return None

    def wrong(self, name: str, value: Value | None) -> None:
        kind = "float" if isinstance(value, cbor.Float) else "missing" if value is None else "wrong_type"
        self.departures.append(f"{name}_{kind}")


_STATE_KEYS: Final = frozenset((*STATE_FIELDS, CELL_VOLTAGES_KEY))


def _reading(payload: Map, fields: _Fields) -> tuple[Reading, str]:
    taken = fields.take(payload, "unknown_key", frozenset(PAYLOAD_FIELDS))
    top = {PAYLOAD_FIELDS[key]: value for key, value in taken.items()}
    battery_id = fields.octets("battery_id", top.get("battery_id"))
    if isinstance(top.get("battery_id"), bytes):
        fields.departures += battery_id_departures(bytes.fromhex(battery_id or ""))
    form = _form(top)
    challenge = None
    if form == PROFILE_FORM:
        challenge = fields.octets("challenge", top.get("challenge"))
        if challenge is not None and len(challenge) != 2 * CHALLENGE_BYTES:
            fields.departures.append("challenge_not_32_bytes")
    else:
        fields.departures.append(f"legacy_{form}")
    counter = None
    if form != VALIDITY_INTERVAL or not isinstance(top.get("challenge"), int):
        counter = fields.integer("counter", top.get("counter"), UINT)
    version = fields.integer("schema_version", top.get("schema_version"), INT)
    if version is not None and version != SCHEMA_VERSION:
        fields.departures.append("schema_version_other")
    state = top.get("state")
    values: dict[str, Any] = {}
    if isinstance(state, Map):
        values = _state(state, fields)
    else:
        fields.wrong("state", state)
    reading = Reading(battery_id=battery_id, challenge=challenge, counter=counter, schema_version=version, **values)
    return reading, form


def _form(top: dict[str, Value]) -> str:
    """Which form of the payload this is, by the type of the challenge (key 2).

    Two drafts write unsigned integers under keys 2 and 3: (slot, counter) and (valid from, valid until). An interval
    does not end before it begins, and no counter reaches a slot's size (10^8): that tells them apart.
    """
    challenge, third = top.get("challenge"), top.get("counter")
    if isinstance(challenge, Map):
        return VALIDITY_INTERVAL
    if not isinstance(challenge, int):
        return PROFILE_FORM
    return VALIDITY_INTERVAL if isinstance(third, int) and third >= challenge else SLOT_CHALLENGE


def _state(state: Map, fields: _Fields) -> dict[str, Any]:
    taken = fields.take(state, "unknown_state_key", _STATE_KEYS)
    values: dict[str, Any] = {}
    for key, (name, bounds, required) in STATE_FIELDS.items():
        if required or key in taken:
            values[name] = fields.integer(name, taken.get(key), bounds)
    if CELL_VOLTAGES_KEY in taken:
        values["cell_voltages_mv"] = _cell_voltages(taken[CELL_VOLTAGES_KEY], fields)
    return values


def _cell_voltages(value: Value, fields: _Fields) -> tuple[int, ...] | None:
    """Every cell's voltage or none: a list with a hole would put the others under wrong cells."""
    if not isinstance(value, tuple):
        fields.wrong("cell_voltages_mv", value)
        return None
    cells = tuple(fields.integer("cell_voltages_mv", cell, UINT) for cell in value)
    whole = tuple(cell for cell in cells if cell is not None)
    return whole if len(whole) == len(cells) else None


def battery_id_departures(battery_id: bytes) -> list[str]:
    """What is wrong with a battery's id: a UTF-8 URN of 1 to 64 bytes."""
    found = []
    if not battery_id:
        found.append("battery_id_empty")
    if len(battery_id) > MAX_BATTERY_ID_BYTES:
        found.append("battery_id_too_long")
    try:
        battery_id.decode()
    except UnicodeDecodeError:
        found.append("battery_id_not_utf8")
    return found


def read_json_draft(raw: bytes) -> PayloadView | None:
    """A reading of the JSON drafts, or None where the bytes aren't a JSON object. Only its names and integers are read.

    Nothing of it is proved: the drafts sign a hash of the state alone.
    """
    if raw[:1] != b"{" or len(raw) > cbor.COSE_LIMITS.size:
        return None
    try:
        draft = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    battery_id, counter = draft.get("battery_id"), draft.get("counter")
    form = JSON_CHALLENGE if "challenge" in draft else JSON_TIMESTAMP if "timestamp" in draft else JSON_OTHER
    reading = Reading(
        battery_id=battery_id.encode().hex() if isinstance(battery_id, str) else None,
        counter=counter if type(counter) is int and INT[0] <= counter <= INT[1] else None,
    )
    return PayloadView(reading, form=form, departures=(f"legacy_{form}",))
