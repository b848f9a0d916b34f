"""Transactions: true CBOR of the Conway era, true ids and signatures, and the same as Ogmios shows them.

Written by hand rather than by pycardano's classes, which take 8 ms each: a year of readings would take minutes. The
tests read every kind back with pycardano and compare ids, signatures and fields.
Source: cardano-ledger, ``conway.cddl``, rules transaction_body and transaction_witness_set.
"""

from hashlib import blake2b
from typing import Any, Final, Literal

import cbor2
import msgspec
from msgspec import Struct

from deploy.devnet.blocks import BlockTransaction
from deploy.devnet.keys import Key, Place, hash28
from deploy.devnet.network import OgmiosVersion
from deploy.devnet.shapes import shaped

Assets = dict[bytes, dict[bytes, int]]
"""policy -> asset name -> quantity."""

_PURPOSES: Final = {"spend": 0, "mint": 1}

encode_json = msgspec.json.Encoder().encode


class Utxo(Struct, frozen=True):
    """An unspent output: where it is and the lovelace that it holds."""

    transaction: str
    index: int
    lovelace: int

    @property
    def key(self) -> tuple[str, int]:
        """The ledger's order of inputs."""
        return (self.transaction, self.index)


class Script(Struct, frozen=True):
    """A Plutus V3 script: its bytes, as a witness set holds them."""

    content: bytes

    @property
    def hash(self) -> bytes:
        """28 bytes: blake2b-224 over the language's number and the script."""
        return hash28(b"\x03" + self.content)


class Out(Struct, frozen=True, kw_only=True):
    """An output to be made."""

    place: Place
    lovelace: int
    assets: Assets = {}
    datum: bytes | None = None  # inline
    script: Script | None = None  # for others to refer to


class Use(Struct, frozen=True):
    """One script run: the redeemer, and what it costs."""

    redeemer: bytes
    memory: int
    cpu: int


class Draft(Struct, kw_only=True):
    """All that a transaction says. ``spends`` maps script inputs to their redeemers, ``mints`` policies to theirs."""

    inputs: list[Utxo]
    outputs: list[Out]
    fee: int
    signers: list[Key]
    mint: Assets = {}
    spends: dict[tuple[str, int], Use] = {}
    mints: dict[bytes, Use] = {}
    references: list[Utxo] = []
    collateral: Utxo | None = None
    collateral_back: Out | None = None
    required: list[bytes] = []  # key hashes
    scripts: list[Script] = []
    invalid_before: int | None = None
    invalid_after: int | None = None
    cost_model: tuple[int, ...] = ()  # of Plutus V3, for the integrity hash
    message: str = ""  # metadata, label 674 (CIP-20)
    valid: bool = True  # False: a script failed, and only the collateral is spent


class Transaction(Struct, frozen=True):
    """A finished transaction."""

    id: str
    cbor: bytes
    fields: dict[str, Any]  # as Ogmios shows them

    def output(self, index: int, lovelace: int) -> Utxo:
        return Utxo(self.id, index, lovelace)

    def in_block(self, version: OgmiosVersion, *, include_cbor: bool = False) -> BlockTransaction:
        """In the shape of one Ogmios version; with ``cbor``, as ``--include-transaction-cbor`` adds it."""
        fields = shaped(self.fields, version)
        if include_cbor:
            fields = fields | {"cbor": self.cbor.hex()}
        return BlockTransaction(self.id, encode_json(fields), len(self.cbor))


def _pairs(items: list[Utxo]) -> list[list[object]]:
    return [[bytes.fromhex(item.transaction), item.index] for item in items]


def _value(out: Out) -> object:
    return [out.lovelace, _ordered(out.assets)] if out.assets else out.lovelace


def _ordered(assets: Assets) -> Assets:
    """Keys in the order of deterministic CBOR: short ones first, then by bytes."""
    return {policy: dict(sorted(assets[policy].items(), key=_by_length)) for policy in sorted(assets)}


def _by_length(item: tuple[bytes, int]) -> tuple[int, bytes]:
    return len(item[0]), item[0]


def _output(out: Out) -> object:
    """An output: the plain form where it suffices, as pycardano and most wallets write it, else the map of Babbage."""
    if out.datum is None and out.script is None:
        return [out.place.raw, _value(out)]
    value: dict[int, object] = {0: out.place.raw, 1: _value(out)}
    if out.datum is not None:
        value[2] = [1, cbor2.CBORTag(24, out.datum)]
    if out.script is not None:
        value[3] = cbor2.CBORTag(24, cbor2.dumps([3, out.script.content]))
    return value


def _metadata(message: str) -> bytes:
    return cbor2.dumps({674: {"msg": [message]}})


class _Redeemer(Struct, frozen=True):
    purpose: Literal["spend", "mint"]
    index: int
    use: Use


def _redeemers(draft: Draft, inputs: list[Utxo]) -> list[_Redeemer]:
    spends = [
        _Redeemer("spend", index, draft.spends[utxo.key])
        for index, utxo in enumerate(inputs)
        if utxo.key in draft.spends
    ]
    mints = [
        _Redeemer("mint", index, draft.mints[policy])
        for index, policy in enumerate(sorted(draft.mint))
        if policy in draft.mints
    ]
    return spends + mints


def _redeemers_cbor(redeemers: list[_Redeemer]) -> bytes:
    """The map form of Conway: (purpose, index) -> (data, units). The data is spliced in as it is."""
    parts = [bytes((0xA0 + len(redeemers),))]
    for redeemer in redeemers:
        use = redeemer.use
        parts.append(cbor2.dumps([_PURPOSES[redeemer.purpose], redeemer.index]))
        parts.append(b"\x82" + use.redeemer + cbor2.dumps([use.memory, use.cpu]))
    return b"".join(parts)


def _body(draft: Draft, inputs: list[Utxo], integrity: bytes | None) -> bytes:
    body: dict[int, object] = {0: _pairs(inputs), 1: [_output(out) for out in draft.outputs], 2: draft.fee}
    if draft.invalid_after is not None:
        body[3] = draft.invalid_after
    if draft.message:
        body[7] = blake2b(_metadata(draft.message), digest_size=32).digest()
    if draft.invalid_before is not None:
        body[8] = draft.invalid_before
    if draft.mint:
        body[9] = _ordered(draft.mint)
    if integrity is not None:
        body[11] = integrity
    if draft.collateral is not None:
        body[13] = _pairs([draft.collateral])
    if draft.required:
        body[14] = draft.required
    if draft.collateral is not None and draft.collateral_back is not None:
        body[16] = _output(draft.collateral_back)
        body[17] = draft.collateral.lovelace - draft.collateral_back.lovelace
    if draft.references:
        body[18] = _pairs(draft.references)
    return cbor2.dumps(body)


def _language_views(draft: Draft) -> bytes:
    """Plutus V3 and its cost model, as the integrity hash covers them (``conway.cddl``, script_data_hash)."""
    return cbor2.dumps({2: list(draft.cost_model)})


def build(draft: Draft) -> Transaction:
    """Serialises, hashes, signs. Sorts the inputs as the ledger does, so that redeemers find theirs."""
    inputs = sorted(draft.inputs, key=lambda utxo: utxo.key)
    references = sorted(draft.references, key=lambda utxo: utxo.key)
    draft.references = references
    redeemers = _redeemers(draft, inputs)
    redeemers_cbor = _redeemers_cbor(redeemers) if redeemers else b""
    integrity = blake2b(redeemers_cbor + _language_views(draft), digest_size=32).digest() if redeemers else None
    body = _body(draft, inputs, integrity)
    body_hash = blake2b(body, digest_size=32).digest()
    signatures = [(key.public, key.sign(body_hash)) for key in draft.signers]
    witnesses = [b"\x00" + cbor2.dumps([list(pair) for pair in signatures])]
    if redeemers:
        witnesses.append(b"\x05" + redeemers_cbor)
    if draft.scripts:
        witnesses.append(b"\x07" + cbor2.dumps([script.content for script in draft.scripts]))
    cbor = b"".join(
        (
            b"\x84",
            body,
            bytes((0xA0 + len(witnesses),)),
            *witnesses,
            b"\xf5" if draft.valid else b"\xf4",
            _metadata(draft.message) if draft.message else b"\xf6",
        )
    )
    fields = _fields(draft, body_hash.hex(), inputs, redeemers, integrity)
    fields["signatories"] = [{"key": key.hex(), "signature": signature.hex()} for key, signature in signatures]
    return Transaction(body_hash.hex(), cbor, fields)


# As Ogmios shows it.


def _references(items: list[Utxo]) -> list[dict[str, Any]]:
    return [{"transaction": {"id": item.transaction}, "index": item.index} for item in items]


def _ada(lovelace: int) -> dict[str, Any]:
    return {"ada": {"lovelace": lovelace}}


def _assets(assets: Assets) -> dict[str, Any]:
    return {
        policy.hex(): {name.hex(): quantity for name, quantity in names.items()} for policy, names in assets.items()
    }


def _shown(out: Out) -> dict[str, Any]:
    shown: dict[str, Any] = {"address": out.place.text, "value": _ada(out.lovelace) | _assets(_ordered(out.assets))}
    if out.datum is not None:
        shown["datum"] = out.datum.hex()
    if out.script is not None:
        shown["script"] = {"language": "plutus:v3", "cbor": out.script.content.hex()}
    return shown


def _fields(
    draft: Draft, identity: str, inputs: list[Utxo], redeemers: list[_Redeemer], integrity: bytes | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": identity,
        "spends": "inputs" if draft.valid else "collaterals",
        "inputs": _references(inputs),
    }
    if draft.references:
        fields["references"] = _references(draft.references)
    if draft.collateral is not None:
        fields["collaterals"] = _references([draft.collateral])
        if draft.collateral_back is not None:
            fields["totalCollateral"] = _ada(draft.collateral.lovelace - draft.collateral_back.lovelace)
            fields["collateralReturn"] = _shown(draft.collateral_back)
    fields["outputs"] = [_shown(out) for out in draft.outputs]
    fields["fee"] = _ada(draft.fee)
    interval = {"invalidBefore": draft.invalid_before, "invalidAfter": draft.invalid_after}
    fields["validityInterval"] = {key: slot for key, slot in interval.items() if slot is not None}
    if draft.mint:
        fields["mint"] = _assets(_ordered(draft.mint))
    if integrity is not None:
        fields["scriptIntegrityHash"] = integrity.hex()
    if draft.required:
        fields["requiredExtraSignatories"] = [key_hash.hex() for key_hash in draft.required]
    if draft.message:
        fields["metadata"] = {
            "hash": blake2b(_metadata(draft.message), digest_size=32).hexdigest(),
            "labels": {"674": {"json": {"msg": [draft.message]}}},
        }
    if draft.scripts:
        fields["scripts"] = {
            script.hash.hex(): {"language": "plutus:v3", "cbor": script.content.hex()} for script in draft.scripts
        }
    if redeemers:
        fields["redeemers"] = [
            {
                "validator": {"purpose": redeemer.purpose, "index": redeemer.index},
                "redeemer": redeemer.use.redeemer.hex(),
                "executionUnits": {"memory": redeemer.use.memory, "cpu": redeemer.use.cpu},
            }
            for redeemer in redeemers
        ]
    return fields
