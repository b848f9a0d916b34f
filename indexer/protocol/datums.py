"""The protocol's datums and redeemers, from the bytes of their Plutus Data."""

from typing import Any, Final

from msgspec import Struct

from indexer.events import ReportingDatum
from indexer.protocol.cbor import Malformed
from indexer.protocol.plutus import Constr, Data, PlutusMap, read_plutus
from indexer.protocol.reading import MAX_BATTERY_ID_BYTES

MAX_INTEGER: Final = (1 << 64) - 1
MIN_INTEGER: Final = -(1 << 64)
"""What an event can carry. Plutus integers have no bound; the protocol's are far below."""

LONG_CHUNK: Final = "chunk_over_64_bytes"
KEY_BYTES: Final = (32, 33)  # Ed25519; compressed SEC1


class CommitmentDatum(Struct, frozen=True):
    """What a commitment says: for which battery, by whom, and when or with which number used once."""

    battery_id: bytes
    user_pkh: bytes  # 28 bytes
    slot: int | None = None
    nonce: bytes | None = None
    departures: tuple[str, ...] = ()


class Submit(Struct, frozen=True):
    """SubmitSignedReading: constructor 0 with one byte string."""

    cose: bytes


class Reclaim(Struct, frozen=True):
    """Constructor 1 with the battery's id."""

    battery_id: bytes


class Consume(Struct, frozen=True):
    """Constructor 0 without fields: the commitment is spent with a reading."""


class Other(Struct, frozen=True):
    """A redeemer of some other script, or the one that closes an account."""


SpendRedeemer = Submit | Reclaim | Consume | Other


def read_spend_redeemer(raw: bytes) -> SpendRedeemer:
    """What a spend redeemer asks for. Raises Malformed where the bytes aren't Plutus Data.

    One that is too deep or has too many items is sound data of another script: the protocol's have two levels.
    """
    try:
        value = read_plutus(raw).value
    except Malformed as error:
        if error.reason in ("too_deep", "too_many_items"):
            return Other()
        raise
    match value:
        case Constr(index=0, fields=()):
            return Consume()
        case Constr(index=0, fields=(bytes() as cose,)):
            return Submit(cose)
        case Constr(index=1, fields=(bytes() as battery_id,)):
            return Reclaim(battery_id)
    return Other()


def read_reporting_datum(raw: bytes) -> tuple[ReportingDatum, tuple[str, ...]]:
    """A reporting account's state, in five or seven fields, and how it departs from the protocol.

    Raises Malformed: the reasons of ``read_plutus``, ``wrong_shape``, ``battery_id_length``, ``integer_too_large``.
    """
    document = read_plutus(raw)
    soh: int | None = None
    cycles: int | None = None
    match document.value:
        case Constr(
            index=0, fields=(bytes() as battery, bytes() as key, int() as counter, int() as reward, int() as age)
        ):
            pass
        case Constr(
            index=0,
            fields=(
                bytes() as battery,
                bytes() as key,
                int() as counter,
                int() as reward,
                int() as age,
                int() as soh,
                int() as cycles,
            ),
        ):
            pass
        case _:
            raise Malformed("wrong_shape", "not [battery_id, key, counter, reward, age] or that with SoH and cycles")
    _check_battery_id(battery)
    for integer in (counter, reward, age, soh or 0, cycles or 0):
        check_integer(integer)
    departures = [LONG_CHUNK] if document.long_chunks else []
    if len(key) not in KEY_BYTES:
        departures.append("bms_public_key_length")
    datum = ReportingDatum(
        battery_id=battery.hex(),
        bms_public_key=key.hex(),
        last_counter=counter,
        reward_per_read=reward,
        max_age_slots=age,
        last_soh_bp=soh,
        last_cycle_count=cycles,
    )
    return datum, tuple(departures)


def read_commitment_datum(raw: bytes) -> CommitmentDatum:
    """A commitment, its third field a slot or a nonce by type, or both in four fields.

    Raises Malformed: the reasons of ``read_plutus``, ``wrong_shape``, ``battery_id_length``, ``user_pkh_length``,
    ``integer_too_large``.
    """
    document = read_plutus(raw)
    slot: int | None = None
    nonce: bytes | None = None
    match document.value:
        case Constr(index=0, fields=(bytes() as battery, bytes() as user, int() as slot)):
            pass
        case Constr(index=0, fields=(bytes() as battery, bytes() as user, bytes() as nonce)):
            pass
        case Constr(index=0, fields=(bytes() as battery, bytes() as user, int() as slot, bytes() as nonce)):
            pass
        case _:
            raise Malformed("wrong_shape", "not [battery_id, user_pkh, slot and/or nonce]")
    datum = CommitmentDatum(battery, user, slot, nonce, (LONG_CHUNK,) if document.long_chunks else ())
    _check_battery_id(datum.battery_id)
    if len(datum.user_pkh) != 28:
        raise Malformed("user_pkh_length", f"user_pkh has {len(datum.user_pkh)} bytes, not 28")
    check_integer(datum.slot or 0)
    return datum


class PassportDatum(Struct, frozen=True):
    """A passport's CIP-68 datum. ``battery_id`` and ``bms_public_key`` are the first of their name in the metadata."""

    battery_id: bytes | None
    bms_public_key: bytes | None
    bms_key_alg: int | None
    version: int
    metadata: dict[str, Any]
    departures: tuple[str, ...]


def read_passport_datum(raw: bytes) -> PassportDatum:
    """A passport, of two fields (as CIP-68's own examples) or three.

    Raises Malformed: the reasons of ``read_plutus``, ``wrong_shape``, ``battery_id_length``, ``integer_too_large``.
    """
    document = read_plutus(raw)
    match document.value:
        case Constr(index=0, fields=(PlutusMap() as metadata, int() as version)):
            departures = ["extra_missing"]
        case Constr(index=0, fields=(PlutusMap() as metadata, int() as version, _)):
            departures = []
        case _:
            raise Malformed("wrong_shape", "not [metadata map, version, extra]")
    check_integer(version)
    if document.long_chunks:
        departures.append(LONG_CHUNK)
    values = _metadata(metadata, departures)
    battery = values.get("battery_id")
    if isinstance(battery, bytes):
        _check_battery_id(battery)
    key = values.get("bms_public_key")
    if not isinstance(key, bytes):
        departures.append("bms_public_key_missing" if key is None else "bms_public_key_wrong_type")
    elif len(key) not in KEY_BYTES:
        departures.append("bms_public_key_length")
    algorithm = values.get("bms_key_alg")
    if not isinstance(algorithm, int):
        departures.append("bms_key_alg_missing" if algorithm is None else "bms_key_alg_wrong_type")
    return PassportDatum(
        battery_id=battery if isinstance(battery, bytes) else None,
        bms_public_key=key if isinstance(key, bytes) else None,
        bms_key_alg=algorithm if isinstance(algorithm, int) else None,
        version=version,
        metadata={
            name: value if isinstance(value, int) else _shown(value, as_text=name != "bms_public_key")
            for name, value in values.items()
        },
        departures=tuple(dict.fromkeys(departures)),
    )


def _metadata(metadata: PlutusMap, departures: list[str]) -> dict[str, bytes | int]:
    """Text keys with flat values; of a key that stands there twice the first counts, as in a script's lookup."""
    values: dict[str, bytes | int] = {}
    seen: set[str] = set()
    for key, value in metadata.pairs:
        name = _text(key) if isinstance(key, bytes) else None
        if name is None:
            departures.append("metadata_key_not_text")
            continue
        if name in seen:
            departures.append("metadata_duplicate_key")
            continue
        seen.add(name)
        flat = _flat(value)
        if flat is None:
            departures.append("metadata_value_nested")
        elif isinstance(flat, int) and not MIN_INTEGER <= flat <= MAX_INTEGER:
            departures.append("metadata_integer_too_large")
        else:
            values[name] = flat
    return values


def _flat(value: Data) -> bytes | int | None:
    """A value of one piece; a list of byte strings is one text in chunks (CIP-68 takes over CIP-25's limit)."""
    if isinstance(value, tuple) and value:
        chunks = [chunk for chunk in value if isinstance(chunk, bytes)]
        return b"".join(chunks) if len(chunks) == len(value) else None
    return value if isinstance(value, bytes | int) else None


def _text(content: bytes) -> str | None:
    """UTF-8 that a person can read and every database can store."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _shown(content: bytes, *, as_text: bool) -> str:
    """Text as it is, other bytes as ``0x…``; text that itself begins so is written as bytes, so the two never mix."""
    text = _text(content) if as_text else None
    return f"0x{content.hex()}" if text is None or text.startswith("0x") else text


def check_integer(value: int) -> None:
    """Raises Malformed ``integer_too_large`` where an event couldn't carry the integer."""
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise Malformed("integer_too_large", f"an integer of {value.bit_length()} bits")


def _check_battery_id(battery_id: bytes) -> None:
    if not 0 < len(battery_id) <= MAX_BATTERY_ID_BYTES:
        raise Malformed("battery_id_length", f"battery_id has {len(battery_id)} bytes, not 1 to {MAX_BATTERY_ID_BYTES}")
