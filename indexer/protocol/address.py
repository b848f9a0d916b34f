"""Addresses, read for the credential that may spend what they hold.

Sources: CIP-19 (header byte and parts), BIP-173 (bech32; CIP-5 lifts its limit of 90 characters).
"""

from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

CREDENTIAL_BYTES: Final = 28

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUES: Final = {letter: value for value, letter in enumerate(_BECH32)}
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BASE58_VALUES: Final = {
    letter: value for value, letter in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}
_MAX_CHARACTERS: Final = 1_024  # base58 takes quadratic time; Byron addresses have 59 to about 130 characters

_POINTER_HEADERS: Final = (4, 5)


class Address(Struct, frozen=True):
    """The parts of an address. Credentials are 28 bytes, hex; empty where the address has none."""

    form: Literal["shelley", "byron", "stake", "malformed"]
    header_type: int | None = None  # upper four bits of the header byte
    network: int | None = None  # lower four bits: 1 mainnet, 0 test networks
    payment: str = ""
    payment_kind: Literal["", "key", "script"] = ""
    stake: str = ""
    stake_kind: Literal["", "key", "script", "pointer"] = ""
    fault: str = ""  # a stable code; why a malformed address is one


@lru_cache(maxsize=16_384)
def read_address(text: str) -> Address:
    """The parts of an address as Ogmios writes it: bech32 in lower case, base58 for Byron. Never raises.

    Upper-case bech32 is legal elsewhere; here it is malformed, so that the text of a transaction can be searched.
    """
    if len(text) > _MAX_CHARACTERS:
        return Address(form="malformed", fault="too_long")
    prefix, separator, data = text.rpartition("1")
    if separator and prefix in ("addr", "addr_test", "stake", "stake_test"):
        return _shelley(prefix, data)
    return _byron(text)


def payment_fragment(script_hash: str) -> str:
    """The 44 characters that every bech32 address with this payment credential (28 bytes, hex) holds.

    Of the address's 5-bit groups, number 2 to 45 lie wholly inside the credential: it covers bits 8 to 231. They are
    the same whatever the header byte, the prefix and the stake part.
    """
    return to_bech32_data(b"\x00" + bytes.fromhex(script_hash))[2:46]


def to_bech32(prefix: str, content: bytes) -> str:
    """Bytes as bech32 text with its checksum."""
    data = [_BECH32_VALUES[letter] for letter in to_bech32_data(content)]
    checksum = _polymod([*_expanded(prefix), *data, 0, 0, 0, 0, 0, 0]) ^ 1
    return f"{prefix}1" + "".join(_BECH32[v] for v in (*data, *((checksum >> 5 * (5 - i)) & 31 for i in range(6))))


def to_bech32_data(content: bytes) -> str:
    """Bytes in groups of five bits, the last filled up with zeros; no prefix, no checksum."""
    groups = -(-len(content) * 8 // 5)
    number = int.from_bytes(content, "big") << (groups * 5 - len(content) * 8)
    return "".join(_BECH32[(number >> 5 * i) & 31] for i in reversed(range(groups)))


def _expanded(prefix: str) -> list[int]:
    return [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                check ^= generator
    return check


def _shelley(prefix: str, data: str) -> Address:
    values = [_BECH32_VALUES.get(letter, -1) for letter in data]
    if len(values) < 6 or -1 in values:
        return Address(form="malformed", fault="wrong_character")
    if _polymod([*_expanded(prefix), *values]) != 1:
        return Address(form="malformed", fault="wrong_checksum")
    groups = values[:-6]
    padding = len(groups) * 5 % 8
    number = 0
    for group in groups:
        number = number << 5 | group
    if padding > 4 or number & ((1 << padding) - 1):
        return Address(form="malformed", fault="wrong_padding")
    return _parts(prefix, (number >> padding).to_bytes(len(groups) * 5 // 8, "big"))


def _parts(prefix: str, content: bytes) -> Address:
    if len(content) <= CREDENTIAL_BYTES:
        return Address(form="malformed", fault="wrong_length")
    header, network = content[0] >> 4, content[0] & 15
    first, rest = content[1:29].hex(), content[29:]
    if prefix.startswith("stake"):
        if header not in (14, 15) or rest:
            return Address(form="malformed", fault="wrong_header")
        return Address(
            form="stake",
            header_type=header,
            network=network,
            stake=first,
            stake_kind="script" if header & 1 else "key",
        )
    if header > 7:
        return Address(form="malformed", fault="wrong_header")
    stake, stake_kind = _stake(header, rest)
    if stake_kind is None:
        return Address(form="malformed", fault="wrong_length")
    return Address(
        form="shelley",
        header_type=header,
        network=network,
        payment=first,
        payment_kind="script" if header & 1 else "key",
        stake=stake,
        stake_kind=stake_kind,
    )


def _stake(header: int, rest: bytes) -> tuple[str, Literal["", "key", "script", "pointer"] | None]:
    """The stake part; its kind is None where its length is wrong. A pointer's three numbers are left as they are."""
    if header in _POINTER_HEADERS:
        return ("", "pointer" if rest else None)
    if header > 5:
        return ("", None if rest else "")
    if len(rest) != CREDENTIAL_BYTES:
        return ("", None)
    return (rest.hex(), "script" if header & 2 else "key")


def _byron(text: str) -> Address:
    number = 0
    for letter in text:
        value = _BASE58_VALUES.get(letter)
        if value is None:
            return Address(form="malformed", fault="wrong_character")
        number = number * 58 + value
    content = number.to_bytes((number.bit_length() + 7) // 8, "big")
    # CBOR: an array of the tagged (24) address and its checksum.
    if content[:3] != b"\x82\xd8\x18":
        return Address(form="malformed", fault="unknown_form")
    return Address(form="byron")
