"""The deployment's datums and redeemers as bytes (protocol.md section 3)."""

from hashlib import blake2b

from deploy.devnet.actors import Actor, Last
from deploy.devnet.deployment import Terms
from deploy.devnet.plutus_writer import UNIT, constructor, integer, mapping, octets, sequence


def commitment_token(battery_id: bytes, user: bytes, slot: int) -> bytes:
    """The challenge token's name: blake2b-256 of the list as the builtin serialises it."""
    listed = sequence(octets(battery_id), octets(user), integer(slot))
    return blake2b(listed, digest_size=32).digest()


def commitment_datum(battery_id: bytes, user: bytes, slot: int) -> bytes:
    return constructor(0, octets(battery_id), octets(user), integer(slot))


def reporting_datum(battery_id: bytes, public_key: bytes, last: Last, terms: Terms) -> bytes:
    return constructor(
        0,
        octets(battery_id),
        octets(public_key),
        integer(last.counter),
        integer(terms.reward_lovelace),
        integer(terms.max_age_slots),
        integer(last.soh_bp),
        integer(last.cycle_count),
    )


def passport_datum(actor: Actor, epoch: int, pack: int) -> bytes:
    """The passport of one of the fleet."""
    element, battery = actor.element(epoch), actor.battery(pack)
    metadata: dict[str, bytes | int] = {
        "battery_id": actor.battery_id,
        "bms_public_key": element.public_key,
        "bms_key_alg": element.algorithm,
        "manufacturer": b"Demo Cells GmbH",
        "model": f"{battery.chemistry.name}-{battery.cells}S{battery.nominal_mah // 1000}".encode(),
        "chemistry": battery.chemistry.name.encode(),
        "cell_count": battery.cells,
        "nominal_capacity_mah": battery.nominal_mah,
        "nominal_voltage_mv": battery.nominal_mv,
        "soh_kind": b"capacity",
        "status": b"original",
    }
    return passport(metadata)


def passport(metadata: dict[str, bytes | int]) -> bytes:
    """CIP-68: metadata, version 1, nothing extra."""
    pairs = {
        octets(key.encode()): octets(value) if isinstance(value, bytes) else integer(value)
        for key, value in metadata.items()
    }
    return constructor(0, mapping(pairs), integer(1), UNIT)


def submit_redeemer(cose: bytes) -> bytes:
    return constructor(0, octets(cose))


def reclaim_redeemer(battery_id: bytes) -> bytes:
    return constructor(1, octets(battery_id))
