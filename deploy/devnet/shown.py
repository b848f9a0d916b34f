"""Somebody's transaction, from its CBOR, as Ogmios shows it."""

from typing import Any, Final

from deploy.contracts import raw
from deploy.contracts.ledger import LedgerTransaction, Output, OutputReference, read_output, read_transaction
from deploy.devnet.transactions import Transaction
from indexer.protocol.address import to_bech32

_LANGUAGES: Final = ("native", "plutus:v1", "plutus:v2", "plutus:v3")


class Received:
    """A transaction as it was sent: what scripts see of it, and what only the ledger looks at.

    Raises Malformed and NotJudged as ``read_transaction`` does.
    """

    def __init__(self, cbor: bytes) -> None:
        self.cbor = cbor
        self.seen: LedgerTransaction = read_transaction(cbor)
        parts = raw.items(cbor)
        self.body = {raw.number(key): value for key, value in raw.pairs(parts[0])}
        self.witnesses = {raw.number(key): value for key, value in raw.pairs(parts[1])}
        self.valid = parts[2] == b"\xf5"
        self.auxiliary = parts[3]
        self.signatures = [
            (raw.octets(key), raw.octets(signature))
            for key, signature in map(raw.items, raw.items(self.witnesses.get(0, b"\x80")))
        ]
        self.collateral_return: Output | None = read_output(self.body[16]) if 16 in self.body else None
        self.total_collateral: int | None = raw.number(self.body[17]) if 17 in self.body else None

    @property
    def id(self) -> str:
        return self.seen.id.hex()

    def spent(self) -> list[OutputReference]:
        """What it takes from the ledger: its inputs or, where its scripts failed, its collateral."""
        return self.seen.inputs if self.valid else self.seen.collateral

    def made(self) -> dict[OutputReference, Output]:
        """What it adds to the ledger."""
        outputs = self.seen.outputs
        if self.valid:
            return {(self.id, index): output for index, output in enumerate(outputs)}
        return {} if self.collateral_return is None else {(self.id, len(outputs)): self.collateral_return}

    def shown(self) -> Transaction:
        return Transaction(self.id, self.cbor, self._fields())

    def _fields(self) -> dict[str, Any]:
        seen = self.seen
        fields: dict[str, Any] = {
            "id": self.id,
            "spends": "inputs" if self.valid else "collaterals",
            "inputs": _references(seen.inputs),
        }
        if seen.references:
            fields["references"] = _references(seen.references)
        if seen.collateral:
            fields["collaterals"] = _references(seen.collateral)
        if self.total_collateral is not None:
            fields["totalCollateral"] = ada(self.total_collateral)
        if self.collateral_return is not None:
            fields["collateralReturn"] = output_json(self.collateral_return)
        fields["outputs"] = [output_json(output) for output in seen.outputs]
        fields["fee"] = ada(seen.fee)
        interval = {"invalidBefore": seen.invalid_before, "invalidAfter": seen.invalid_after}
        fields["validityInterval"] = {key: slot for key, slot in interval.items() if slot is not None}
        if seen.mint:
            fields["mint"] = assets_json(seen)
        if 11 in self.body:
            fields["scriptIntegrityHash"] = raw.octets(self.body[11]).hex()
        if seen.required_signers:
            fields["requiredExtraSignatories"] = [key.hex() for key in seen.required_signers]
        if seen.scripts:
            fields["scripts"] = {
                name.hex(): {"language": "plutus:v3", "cbor": content.hex()} for name, content in seen.scripts.items()
            }
        if seen.redeemers:
            fields["redeemers"] = [
                {
                    "validator": {"purpose": each.purpose, "index": each.index},
                    "redeemer": each.data.hex(),
                    "executionUnits": {"memory": each.memory, "cpu": each.cpu},
                }
                for each in seen.redeemers
            ]
        fields["signatories"] = [{"key": key.hex(), "signature": signature.hex()} for key, signature in self.signatures]
        return fields


def ada(lovelace: int) -> dict[str, Any]:
    return {"ada": {"lovelace": lovelace}}


def assets_json(seen: LedgerTransaction | Output) -> dict[str, dict[str, int]]:
    assets = seen.mint if isinstance(seen, LedgerTransaction) else seen.assets
    return {
        policy.hex(): {name.hex(): quantity for name, quantity in names.items()} for policy, names in assets.items()
    }


def address_text(address: bytes) -> str:
    """Bech32: of a test network where the network number is 0."""
    return to_bech32("addr" if address[0] & 15 else "addr_test", address)


def output_json(output: Output) -> dict[str, Any]:
    """An output as Ogmios shows it, in blocks and in the answers to queries."""
    shown: dict[str, Any] = {
        "address": address_text(output.address),
        "value": ada(output.lovelace) | assets_json(output),
    }
    if output.datum is not None:
        shown["datum"] = output.datum.hex()
    if output.datum_hash is not None:
        shown["datumHash"] = output.datum_hash.hex()
    if output.script is not None and output.script[0]:
        shown["script"] = {"language": _LANGUAGES[output.script[0]], "cbor": output.script[1].hex()}
    return shown


def _references(items: list[OutputReference]) -> list[dict[str, Any]]:
    return [{"transaction": {"id": transaction}, "index": index} for transaction, index in items]
