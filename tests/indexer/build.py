"""Blocks and transactions of a deployment, made by hand: the bytes of Plutus Data and CBOR, no transaction library.

A test takes an honest transaction (``register``, ``commit``, ``submit``, ...) and changes one thing with
``msgspec.structs.replace``.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from struct import pack
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from indexer.chain import (
    Block,
    Output,
    OutputReference,
    Point,
    Redeemer,
    Signatory,
    Transaction,
    TransactionReference,
    UnreadableTransaction,
    Validator,
    ValidityInterval,
)
from indexer.protocol import cbor
from indexer.protocol.address import to_bech32
from indexer.protocol.cbor import write_bytes, write_head
from indexer.protocol.keys import label_prefix
from indexer.protocol.plutus import Constr, Data, PlutusMap
from indexer.protocol.profile import Profile


def digest(text: str, size: int = 32) -> str:
    """A hash (hex) that stands for ``text``."""
    return blake2b(text.encode(), digest_size=size).hexdigest()


def profile(name: str = "example", **changes: Any) -> Profile:
    script = {role: digest(f"{name} {role}", 28) for role in ("commitment", "reporting_script", "passport_policy")}
    return replace(
        Profile(
            name=name,
            network="preview",
            network_magic=2,
            commitment_policy=script["commitment"],
            commitment_script=script["commitment"],
            reporting_script=script["reporting_script"],
            passport_policy=script["passport_policy"],
        ),
        **changes,
    )


PROFILE = profile()


# -- bytes -------------------------------------------------------------------------------------------------------------


def plutus(value: Data, *, definite: bool = False) -> bytes:
    """Plutus Data as the ledger's own encoder writes it, or with definite lists as other libraries do."""
    match value:
        case int():
            return _integer(value)
        case bytes():
            return _chunked(value)
        case tuple():
            return _list(value, definite=definite)
        case PlutusMap(pairs=pairs):
            flat = b"".join(plutus(part, definite=definite) for pair in pairs for part in pair)
            return write_head(cbor.MAP, len(pairs)) + flat
        case Constr(index=index, fields=fields):
            if index < 7:
                return write_head(cbor.TAG, 121 + index) + _list(fields, definite=definite)
            if index < 128:
                return write_head(cbor.TAG, 1280 + index - 7) + _list(fields, definite=definite)
            return write_head(cbor.TAG, 102) + b"\x82" + write_head(cbor.UINT, index) + _list(fields, definite=definite)


def _integer(value: int) -> bytes:
    magnitude = value if value >= 0 else -1 - value
    if magnitude < 1 << 64:
        return write_head(cbor.UINT if value >= 0 else cbor.NEGATIVE, magnitude)
    raw = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")
    return write_head(cbor.TAG, 2 if value >= 0 else 3) + _chunked(raw)


def _chunked(content: bytes) -> bytes:
    if len(content) <= 64:
        return write_bytes(content)
    chunks = (content[at : at + 64] for at in range(0, len(content), 64))
    return b"\x5f" + b"".join(map(write_bytes, chunks)) + b"\xff"


def _list(items: Sequence[Data], *, definite: bool) -> bytes:
    content = b"".join(plutus(item, definite=definite) for item in items)
    if definite or not items:
        return write_head(cbor.ARRAY, len(items)) + content
    return b"\x9f" + content + b"\xff"


def write_cbor(value: Any) -> bytes:
    """Deterministic CBOR (maps are written in the order given)."""
    match value:
        case bool() | None:
            return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
        case int():
            return _integer(value)
        case float():
            return b"\xfb" + pack(">d", value)
        case bytes():
            return write_bytes(value)
        case str():
            return write_head(cbor.TEXT, len(value.encode())) + value.encode()
        case list() | tuple():
            return write_head(cbor.ARRAY, len(value)) + b"".join(map(write_cbor, value))
        case dict():
            pairs = b"".join(write_cbor(key) + write_cbor(held) for key, held in value.items())
            return write_head(cbor.MAP, len(value)) + pairs
    raise TypeError(type(value))


STATE = {1: 9_850, 2: 5_000, 3: 12, 4: 50_000, 6: 38_900, 7: -150, 8: 20, 9: 24}


def payload(battery_id: bytes, challenge: Any, counter: Any = 1, **changes: Any) -> bytes:
    """A reading's payload; ``state`` and ``extra`` (key -> value) replace or add keys, None removes one."""
    state = STATE | changes.get("state", {})
    top: dict[Any, Any] = {1: battery_id, 2: challenge, 3: counter, 4: _without_none(state), 5: 2}
    return write_cbor(_without_none(top | changes.get("extra", {})))


def _without_none(pairs: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: pairs[key] for key in sorted(pairs, key=write_cbor) if pairs[key] is not None}


def cose_sign1(
    content: bytes | None, algorithm: Any = -47, *, tagged: bool = True, signature: bytes = b"s" * 64
) -> bytes:
    """A COSE_Sign1 in the protocol's form; the signature is not a true one."""
    message = write_cbor([write_cbor({1: algorithm}), {}, content, signature])
    return (b"\xd2" if tagged else b"") + message


# -- addresses, outputs, transactions ----------------------------------------------------------------------------------


def address(payment: str, kind: Literal["key", "script"] = "key", stake: str | None = None) -> str:
    """A test network's address; with a stake key if one is given."""
    header = (0x60 if stake is None else 0x00) | (0x10 if kind == "script" else 0x00)
    return to_bech32("addr_test", bytes((header,)) + bytes.fromhex(payment) + bytes.fromhex(stake or ""))


def output(to: str, tokens: Mapping[str, Mapping[str, int]] | None = None, datum: bytes | None = None) -> Output:
    """2 ada and tokens; the datum inline."""
    value = {"ada": {"lovelace": 2_000_000}} | {policy: dict(names) for policy, names in (tokens or {}).items()}
    return Output(address=to, value=value, datum=None if datum is None else datum.hex())


def reference(text: str, index: int = 0) -> OutputReference:
    return OutputReference(TransactionReference(digest(text)), index)


def spend(index: int, raw: bytes) -> Redeemer:
    return Redeemer(Validator("spend", index), raw.hex())


def transaction(text: str, inputs: Sequence[OutputReference] = (), **parts: Any) -> Transaction:
    """A transaction whose id stands for ``text``."""
    return Transaction(id=digest(text), inputs=tuple(inputs) or (reference(f"{text} input"),), **parts)


def block(*transactions: Transaction | UnreadableTransaction) -> Block:
    return Block(Point(1_000, digest("block")), height=50, parent=digest("parent"), transactions=transactions)


class Battery(Struct, frozen=True):
    """A battery and the token names that follow from its id."""

    number: int = 1

    @property
    def id(self) -> bytes:
        return f"urn:eudpp:battery:de:example:2024:{self.number:03}".encode()

    @property
    def key(self) -> str:
        return blake2b(self.id, digest_size=28).hexdigest()

    @property
    def reference_token(self) -> str:
        return label_prefix(100).hex() + self.key

    @property
    def ownership_token(self) -> str:
        return label_prefix(222).hex() + self.key

    @property
    def public_key(self) -> bytes:
        return b"\x02" + bytes.fromhex(digest(f"key {self.number}"))


BATTERY = Battery()
USER = digest("user", 28)
OPERATOR = digest("operator", 28)

CONSUME = plutus(Constr(0, ()))
CLOSE = plutus(Constr(1, ()))


def submit_redeemer(cose: bytes) -> bytes:
    return plutus(Constr(0, (cose,)))


def reclaim_redeemer(battery: Battery = BATTERY) -> bytes:
    return plutus(Constr(1, (battery.id,)))


def passport_datum(battery: Battery = BATTERY, *, definite: bool = False) -> bytes:
    metadata = PlutusMap(
        (
            (b"battery_id", battery.id),
            (b"bms_public_key", battery.public_key),
            (b"bms_key_alg", -47),
            (b"model", b"M-1"),
            (b"cell_count", 96),
        )
    )
    return plutus(Constr(0, (metadata, 1, Constr(0, ()))), definite=definite)


def reporting_datum(battery: Battery = BATTERY, counter: int = -1, *, definite: bool = False) -> bytes:
    fields = (battery.id, battery.public_key, counter, 2_000_000, 3_600, 12_000, 0)
    return plutus(Constr(0, fields), definite=definite)


def commitment_datum(battery: Battery = BATTERY, slot: int = 990, *, definite: bool = False) -> bytes:
    return plutus(Constr(0, (battery.id, bytes.fromhex(USER), slot)), definite=definite)


def challenge_name(battery: Battery = BATTERY, slot: int = 990) -> str:
    """The token name of the reference contracts."""
    listed = plutus((battery.id, bytes.fromhex(USER), slot))
    return blake2b(listed, digest_size=32).hexdigest()


def script(script_hash: str) -> str:
    return address(script_hash, "script")


def account_output(battery: Battery = BATTERY, datum: bytes | None = None, to: Profile = PROFILE) -> Output:
    """A reporting account with its thread token."""
    held = datum if datum is not None else reporting_datum(battery)
    return output(script(to.reporting_script), {to.passport_policy: {battery.key: 1}}, held)


def register(battery: Battery = BATTERY, to: Profile = PROFILE) -> Transaction:
    """Mints the pair and the thread token; opens the account."""
    names = {battery.reference_token: 1, battery.ownership_token: 1, battery.key: 1}
    return transaction(
        f"register {battery.number}",
        outputs=(
            output(address(OPERATOR), {to.passport_policy: {battery.reference_token: 1}}, passport_datum(battery)),
            output(address(USER), {to.passport_policy: {battery.ownership_token: 1}}),
            account_output(battery, to=to),
        ),
        mint={to.passport_policy: names},
        required_extra_signatories=(OPERATOR,),
    )


def commit(battery: Battery = BATTERY, to: Profile = PROFILE) -> Transaction:
    """Mints one challenge token to the commitment script."""
    name = challenge_name(battery)
    return transaction(
        f"commit {battery.number}",
        outputs=(
            output(script(to.commitment_script), {to.commitment_policy: {name: 1}}, commitment_datum(battery)),
            output(address(USER)),
        ),
        mint={to.commitment_policy: {name: 1}},
        validity_interval=ValidityInterval(990, 1_500),
        required_extra_signatories=(USER,),
        signatories=(Signatory(digest("user key")),),
    )


def submit(battery: Battery = BATTERY, to: Profile = PROFILE, cose: bytes | None = None) -> Transaction:
    """Spends commitment and account, burns the token, re-creates the account, rewards the user."""
    name, committed = challenge_name(battery), commit(battery, to).id
    message = cose if cose is not None else cose_sign1(payload(battery.id, bytes.fromhex(committed)))
    spent = sorted(
        (OutputReference(TransactionReference(committed), 0), reference(f"register {battery.number}", 2)),
        key=lambda r: r.key,
    )
    redeemers = {committed: CONSUME}
    return transaction(
        f"submit {battery.number}",
        tuple(reversed(spent)),  # the ledger sorts them, the node's list need not be sorted
        redeemers=tuple(
            spend(index, redeemers.get(r.transaction.id, submit_redeemer(message))) for index, r in enumerate(spent)
        ),
        outputs=(
            account_output(battery, reporting_datum(battery, 1), to),
            output(address(USER), {to.passport_policy: {battery.ownership_token: 1}}),
        ),
        mint={to.commitment_policy: {name: -1}},
        required_extra_signatories=(USER,),
        validity_interval=ValidityInterval(995, 1_600),
    )


def reclaim(battery: Battery = BATTERY, to: Profile = PROFILE) -> Transaction:
    """Takes the commitment back after its expiry, and burns the token."""
    return transaction(
        f"reclaim {battery.number}",
        (OutputReference(TransactionReference(commit(battery, to).id), 0),),
        redeemers=(spend(0, reclaim_redeemer(battery)),),
        outputs=(output(address(USER)),),
        mint={to.commitment_policy: {challenge_name(battery): -1}},
        required_extra_signatories=(USER,),
    )


def close(battery: Battery = BATTERY, to: Profile = PROFILE) -> Transaction:
    """Ends the account: its thread token is burned."""
    return transaction(
        f"close {battery.number}",
        (reference(f"register {battery.number}", 2),),
        redeemers=(spend(0, CLOSE),),
        outputs=(output(address(OPERATOR)),),
        mint={to.passport_policy: {battery.key: -1}},
        required_extra_signatories=(OPERATOR,),
    )
