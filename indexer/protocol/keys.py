"""Names of tokens: which battery they speak of, and how a challenge token's name follows from its datum."""

from hashlib import blake2b, sha256
from typing import Final, Literal

from msgspec import Struct

from indexer.protocol.cbor import NEGATIVE, UINT, write_bytes, write_head

KEY_BYTES: Final = 28
REFERENCE_LABEL: Final = 100
"""CIP-68: the token whose output carries the datum."""
USER_LABEL: Final = 222
"""CIP-68: the token that its owner holds."""

BatteryKeyRule = Literal["blake2b_224", "raw"]


def label_prefix(label: int) -> bytes:
    """The four bytes before a labelled asset name: 0000, the label (16 bits), its CRC-8, 0000.

    Source: CIP-67; the checksum has polynomial 0x07 and runs over the label's two bytes.
    """
    return ((label << 12) | (_crc8(label.to_bytes(2, "big")) << 4)).to_bytes(4, "big")


def label_of(name: bytes) -> int | None:
    """The CIP-67 label that an asset name begins with, or None."""
    if len(name) < 4:
        return None
    label = int.from_bytes(name[:4], "big") >> 12 & 0xFFFF
    return label if name[:4] == label_prefix(label) else None


def _crc8(content: bytes) -> int:
    check = 0
    for byte in content:
        check ^= byte
        for _ in range(8):
            check = (check << 1 ^ 0x07) & 0xFF if check & 0x80 else check << 1
    return check


def battery_key(battery_id: bytes, rule: BatteryKeyRule) -> str | None:
    """The key (28 bytes, hex) that routes a battery's events; None where the rule gives this id no key."""
    if rule == "blake2b_224":
        return blake2b(battery_id, digest_size=KEY_BYTES).hexdigest()
    if len(battery_id) == KEY_BYTES and label_of(battery_id) is None:
        return battery_id.hex()
    return None


class PassportToken(Struct, frozen=True):
    """What a name under the passport policy says."""

    role: Literal["reference", "user", "thread"]
    battery_key: str  # 28 bytes, hex


def passport_token(name: bytes, rule: BatteryKeyRule) -> PassportToken | None:
    """The token's role and battery, or None where the name follows no rule.

    A labelled name has 32 bytes and a thread token's 28. Under the rule ``raw`` no key begins like a label; under
    ``blake2b_224`` one in 65,536 does, by chance, and is a key all the same: its length tells it apart.
    """
    if len(name) == KEY_BYTES:
        if rule == "raw" and label_of(name) is not None:
            return None
        return PassportToken("thread", name.hex())
    if len(name) != KEY_BYTES + 4:
        return None
    label, key = label_of(name), name[4:]
    if rule == "raw" and label_of(key) is not None:
        return None
    if label == REFERENCE_LABEL:
        return PassportToken("reference", key.hex())
    if label == USER_LABEL:
        return PassportToken("user", key.hex())
    return None


UNVERIFIED: Final = "unverified"


def name_scheme(name: bytes, battery_id: bytes, user_pkh: bytes, slot: int | None, nonce: bytes | None) -> str:
    """Which of the known ways leads from a commitment's datum to its token's name; ``unverified`` if none does.

    Written ``hash/message``. ``serialise_data`` is the reference contracts' way: the list [battery_id, user_pkh, slot]
    as the ledger's builtin writes it. The others are what the published text can be read to mean.
    """
    for hash_name, digest_of in _HASHES.items():
        for message_name, message in _messages(battery_id, user_pkh, slot, nonce).items():
            if digest_of(message) == name:
                return f"{hash_name}/{message_name}"
    return UNVERIFIED


def _blake2b_256(message: bytes) -> bytes:
    return blake2b(message, digest_size=32).digest()


def _sha2_256(message: bytes) -> bytes:
    return sha256(message).digest()


def _blake2b_224(message: bytes) -> bytes:
    return blake2b(message, digest_size=28).digest()


_HASHES: Final = {"blake2b_256": _blake2b_256, "sha2_256": _sha2_256, "blake2b_224": _blake2b_224}


def _messages(battery_id: bytes, user_pkh: bytes, slot: int | None, nonce: bytes | None) -> dict[str, bytes]:
    start = battery_id + user_pkh
    listed = write_bytes(battery_id) + write_bytes(user_pkh)
    found: dict[str, bytes] = {}
    if slot is not None and 0 <= slot < 1 << 64:
        integer = write_head(UINT, slot)
        found |= {
            "serialise_data": b"\x9f" + listed + integer + b"\xff",
            "cbor_list": b"\x83" + listed + integer,
            "be8": start + slot.to_bytes(8, "big"),
            "min_be": start + slot.to_bytes(max(1, (slot.bit_length() + 7) // 8), "big"),
            "cbor_int": start + integer,
            "decimal_ascii": start + str(slot).encode(),
        }
    elif slot is not None and -(1 << 64) <= slot < 0:
        found["serialise_data"] = b"\x9f" + listed + write_head(NEGATIVE, -1 - slot) + b"\xff"
    if nonce is not None:
        found["nonce"] = start + nonce
        if len(nonce) <= 64:
            found["serialise_data_nonce"] = b"\x9f" + listed + write_bytes(nonce) + b"\xff"
    return found
