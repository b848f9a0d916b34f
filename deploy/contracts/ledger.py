"""A transaction and the outputs it names, as the ledger reads them before it runs a script.

Source: cardano-ledger, ``conway.cddl``. What no transaction of the protocol has (certificates, votes, proposals,
pointer and Byron addresses) is refused by name and not guessed.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, Literal

import cbor2
from msgspec import Struct

from deploy.contracts import raw
from indexer.errors import InvalidChainData
from indexer.protocol.cbor import Malformed
from indexer.protocol.plutus import Data, read_plutus

Assets = dict[bytes, dict[bytes, int]]
"""policy -> asset name -> quantity."""

OutputReference = tuple[str, int]
"""Transaction id (hex) and index."""

Purpose = Literal["spend", "mint", "publish", "withdraw", "vote", "propose"]
PURPOSES: Final[tuple[Purpose, ...]] = ("spend", "mint", "publish", "withdraw", "vote", "propose")
"""In the order of their numbers in a redeemer's key (``conway.cddl``, rule redeemer_tag)."""

_PLUTUS_V3: Final = 3
_FIELDS_NOT_READ: Final = {4: "certificates", 19: "votes", 20: "proposals"}


class NotJudged(InvalidChainData):
    """The transaction holds something that this judge doesn't translate for scripts."""


class Output(Struct, frozen=True, kw_only=True):
    """An output. ``datum`` is inline and raw, ``datum_hash`` stands where only the hash does."""

    address: bytes
    lovelace: int
    assets: Assets = {}
    datum: bytes | None = None
    datum_hash: bytes | None = None
    script: tuple[int, bytes] | None = None  # language (0 native, 1 to 3 Plutus) and bytes

    @property
    def script_hash(self) -> bytes | None:
        """28 bytes: blake2b-224 over the language's number and the script."""
        if self.script is None:
            return None
        return blake2b(bytes((self.script[0],)) + self.script[1], digest_size=28).digest()


class Redeemer(Struct, frozen=True):
    """One script run that a transaction asks for, and the units it declares."""

    purpose: Purpose
    index: int
    data: bytes
    memory: int
    cpu: int


class LedgerTransaction(Struct, frozen=True, kw_only=True):
    """What scripts can see of a transaction, and what decides which run. Inputs are in the ledger's order."""

    id: bytes
    inputs: list[OutputReference]
    references: list[OutputReference]
    collateral: list[OutputReference]
    outputs: list[Output]
    fee: int
    mint: Assets
    withdrawals: dict[bytes, int]
    invalid_before: int | None
    invalid_after: int | None
    required_signers: list[bytes]
    redeemers: list[Redeemer]
    datums: dict[bytes, bytes]  # by hash
    scripts: dict[bytes, bytes]  # Plutus V3, by hash
    treasury: int | None
    donation: int | None


def read_transaction(transaction: bytes) -> LedgerTransaction:
    """Raises Malformed for bytes that are no Conway transaction, NotJudged for what scripts would see otherwise."""
    try:
        return _transaction(transaction)
    except (cbor2.CBORDecodeError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise Malformed("not_a_transaction", f"not a Conway transaction: {error}") from error


def _transaction(transaction: bytes) -> LedgerTransaction:
    body_raw, witness_raw, *_ = raw.items(transaction)
    body = {raw.number(key): value for key, value in raw.pairs(body_raw)}
    witness = {raw.number(key): value for key, value in raw.pairs(witness_raw)}
    for field, name in _FIELDS_NOT_READ.items():
        if field in body:
            raise NotJudged(f"the transaction has {name}: scripts that see them are not judged here")
    contents = [raw.octets(item) for item in raw.items(witness.get(7, b"\x80"))]
    return LedgerTransaction(
        id=blake2b(body_raw, digest_size=32).digest(),
        inputs=_references(body[0]),
        references=_references(body.get(18, b"\x80")),
        collateral=_references(body.get(13, b"\x80")),
        outputs=[read_output(item) for item in raw.items(body[1])],
        fee=raw.number(body[2]),
        mint=_assets(body.get(9, b"\xa0")),
        withdrawals={raw.octets(key): raw.number(value) for key, value in raw.pairs(body.get(5, b"\xa0"))},
        invalid_before=raw.number(body[8]) if 8 in body else None,
        invalid_after=raw.number(body[3]) if 3 in body else None,
        required_signers=sorted(raw.octets(item) for item in raw.items(body.get(14, b"\x80"))),
        redeemers=_redeemers(witness.get(5, b"\x80")),
        datums={blake2b(item, digest_size=32).digest(): item for item in raw.items(witness.get(4, b"\x80"))},
        scripts={blake2b(b"\x03" + content, digest_size=28).digest(): content for content in contents},
        treasury=raw.number(body[21]) if 21 in body else None,
        donation=raw.number(body[22]) if 22 in body else None,
    )


def _references(value: bytes) -> list[OutputReference]:
    found = []
    for item in raw.items(value):
        transaction, index = raw.items(item)
        found.append((raw.octets(transaction).hex(), raw.number(index)))
    return sorted(set(found))


def _assets(value: bytes) -> Assets:
    return {
        raw.octets(policy): {raw.octets(name): raw.number(quantity) for name, quantity in raw.pairs(names)}
        for policy, names in raw.pairs(value)
    }


def read_output(output: bytes) -> Output:
    """An output from its CBOR, in either form. Raises Malformed."""
    if not raw.is_map(output):
        address, value, *rest = raw.items(output)
        lovelace, assets = _value(value)
        datum_hash = raw.octets(rest[0]) if rest else None
        return Output(address=raw.octets(address), lovelace=lovelace, assets=assets, datum_hash=datum_hash)
    fields = {raw.number(key): value for key, value in raw.pairs(output)}
    lovelace, assets = _value(fields[1])
    datum = datum_hash = None
    if 2 in fields:
        kind, content = raw.items(fields[2])
        datum, datum_hash = (None, raw.octets(content)) if raw.number(kind) == 0 else (raw.embedded(content), None)
    script = None
    if 3 in fields:
        language, code = raw.items(raw.embedded(fields[3]))
        number = raw.number(language)
        script = (number, code if number == 0 else raw.octets(code))
    return Output(
        address=raw.octets(fields[0]),
        lovelace=lovelace,
        assets=assets,
        datum=datum,
        datum_hash=datum_hash,
        script=script,
    )


def _value(value: bytes) -> tuple[int, Assets]:
    if value[0] >> 5 == 0:
        return raw.number(value), {}
    lovelace, assets = raw.items(value)
    return raw.number(lovelace), _assets(assets)


def _redeemers(value: bytes) -> list[Redeemer]:
    """Both forms: Conway's map and the list before it. In the ledger's order: by purpose, then by index."""
    entries: list[list[bytes]] = []
    if raw.is_map(value):
        entries = [[*raw.items(key), *raw.items(item)] for key, item in raw.pairs(value)]
    else:
        entries = [raw.items(item) for item in raw.items(value)]
    found = []
    for purpose, index, data, units in entries:
        memory, cpu = raw.items(units)
        found.append(
            Redeemer(PURPOSES[raw.number(purpose)], raw.number(index), data, raw.number(memory), raw.number(cpu))
        )
    return sorted(found, key=lambda each: (PURPOSES.index(each.purpose), each.index))


def plutus(content: bytes) -> Data:
    """Script data from its bytes. Raises Malformed."""
    return read_plutus(content).value


Resolved = Mapping[OutputReference, Output | bytes]
"""The outputs that a transaction names: as values, or as the CBOR that their transactions hold."""


def resolve(resolved: Resolved, reference: OutputReference) -> Output:
    """Raises NotJudged where the output is not among those given."""
    try:
        output = resolved[reference]
    except KeyError:
        raise NotJudged(f"output {reference[0]}#{reference[1]} is named but was not given: resolve it first") from None
    return read_output(output) if isinstance(output, bytes) else output
