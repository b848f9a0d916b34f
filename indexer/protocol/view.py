"""One transaction as one deployment sees it: sorted, decoded, and with whatever could harm an event taken out."""

import re
from functools import cached_property
from hashlib import blake2b
from typing import Final, TypedDict

from indexer import chain
from indexer.events import QUARANTINE_KEEPS_BYTES, OutputRef, OutputView, TransactionQuarantined
from indexer.protocol.address import read_address
from indexer.protocol.cbor import Malformed
from indexer.protocol.datums import Other, SpendRedeemer, check_integer, read_spend_redeemer
from indexer.protocol.plutus import datum_hash
from indexer.protocol.profile import Profile

_HASH28: Final = re.compile("[0-9a-f]{56}")
_HASH32: Final = re.compile("[0-9a-f]{64}")
_NAME: Final = re.compile("(?:[0-9a-f]{2}){0,32}")
_HEX: Final = re.compile("(?:[0-9a-f]{2})*")
_MAX_INDEX: Final = (1 << 32) - 1
_ADA: Final = "ada"


class Where(TypedDict):
    """The place of an event, shared by all of one transaction. ``index`` is counted when all are known."""

    deployment: str
    transaction: str
    transaction_index: int
    index: int
    path: str


class Signers(TypedDict):
    """Who had to sign, and who did: key hashes, 28 bytes, hex."""

    required_signers: tuple[str, ...]
    witnesses: tuple[str, ...]


def frame_fault(tx: chain.Transaction) -> tuple[str, str] | None:
    """What is wrong with the parts of a transaction that all its events need: a reason code and what was found.

    A node never sends such a transaction; without sound inputs no redeemer's input could be told.
    """
    if not _HASH32.fullmatch(tx.id):
        return "transaction_id_malformed", "the transaction's id is not 64 lowercase hex digits"
    for reference in (*tx.inputs, *tx.references, *tx.collaterals):
        if not _HASH32.fullmatch(reference.transaction.id) or not 0 <= reference.index <= _MAX_INDEX:
            return "input_malformed", "an input is no reference to an output"
    if not all(_HASH28.fullmatch(key) for key in tx.required_extra_signatories):
        return "signatory_malformed", "a required signatory is not 56 lowercase hex digits"
    if not all(_HEX.fullmatch(signatory.key) and len(signatory.key) >= 64 for signatory in tx.signatories):
        return "signatory_malformed", "a signatory's key is not lowercase hex of 32 bytes or more"
    for bound in (tx.validity_interval.invalid_before, tx.validity_interval.invalid_after):
        if bound is not None and not 0 <= bound < 1 << 64:
            return "validity_interval_malformed", "a bound of the validity interval is no slot"
    return None


def transaction_key(transaction: str) -> str:
    """The key (28 bytes, hex) of a fact that names no battery: blake2b-224 of the transaction id's bytes."""
    return blake2b(bytes.fromhex(transaction), digest_size=28).hexdigest()


def quarantined(where: Where, battery_key: str | None, reason: str, detail: str, raw: bytes) -> TransactionQuarantined:
    """A part that could not be read. ``raw`` is the part; empty where the part is that something is missing."""
    return TransactionQuarantined(
        **where,
        battery_key=battery_key or transaction_key(where["transaction"]),
        reason=reason,
        detail=detail.encode("utf-8", "replace").decode(),
        raw_blake2b_256=datum_hash(raw),
        raw_length_bytes=len(raw),
        raw=raw.hex() if len(raw) <= QUARANTINE_KEEPS_BYTES else None,
    )


class TransactionView:
    """A transaction whose frame is sound (see ``frame_fault``), as one deployment sees it."""

    def __init__(self, tx: chain.Transaction, profile: Profile, transaction_index: int, path: str) -> None:
        self.tx, self.profile = tx, profile
        self.where = Where(
            deployment=profile.name, transaction=tx.id, transaction_index=transaction_index, index=0, path=path
        )
        self.quarantine: list[TransactionQuarantined] = []

    def refuse(self, reason: str, detail: str, *, key: str | None = None, raw: bytes = b"") -> None:
        """Notes a part that can't be read; ``key`` is the battery's, where one is named."""
        self.quarantine.append(quarantined(self.where, key, reason, detail, raw))

    @cached_property
    def inputs(self) -> tuple[OutputRef, ...]:
        """The spent inputs in the ledger's order, by transaction id and index: ``spend`` redeemers count these."""
        ordered = sorted(self.tx.inputs, key=lambda reference: reference.key)
        return tuple(OutputRef(reference.transaction.id, reference.index) for reference in ordered)

    @cached_property
    def references(self) -> tuple[OutputRef, ...]:
        ordered = sorted(self.tx.references, key=lambda reference: reference.key)
        return tuple(OutputRef(reference.transaction.id, reference.index) for reference in ordered)

    @cached_property
    def signers(self) -> Signers:
        """Required signers as listed, and the hash (blake2b-224) of each witness key's first 32 bytes."""
        return Signers(
            required_signers=self.tx.required_extra_signatories,
            witnesses=tuple(
                blake2b(bytes.fromhex(signatory.key[:64]), digest_size=28).hexdigest()
                for signatory in self.tx.signatories
            ),
        )

    @cached_property
    def spends(self) -> tuple[tuple[OutputRef, SpendRedeemer, bytes], ...]:
        """The readable spend redeemers with the input each is for and its bytes, in the ledger's order.

        Those that can't be read are noted in ``spend_faults``.
        """
        return self._spends[0]

    @cached_property
    def spend_faults(self) -> tuple[tuple[str, str, bytes], ...]:
        """Reason, detail and bytes of the spend redeemers that can't be read."""
        return self._spends[1]

    @cached_property
    def _spends(
        self,
    ) -> tuple[tuple[tuple[OutputRef, SpendRedeemer, bytes], ...], tuple[tuple[str, str, bytes], ...]]:
        found: list[tuple[OutputRef, SpendRedeemer, bytes]] = []
        faults: list[tuple[str, str, bytes]] = []
        seen: set[int] = set()
        spends = [redeemer for redeemer in self.tx.redeemers if redeemer.validator.purpose == "spend"]
        for redeemer in sorted(spends, key=lambda r: (r.validator.index, r.redeemer)):
            place = redeemer.validator.index
            if not _HEX.fullmatch(redeemer.redeemer):
                faults.append(("redeemer_not_hex", "a redeemer is not lowercase hex", _octets(redeemer.redeemer)))
                continue
            raw = bytes.fromhex(redeemer.redeemer)
            try:
                value = read_spend_redeemer(raw)
            except Malformed as error:
                faults.append((f"redeemer_{error.reason}", str(error), raw))
                continue
            if place in seen:
                faults.append(("redeemer_twice", "a second redeemer for one input", raw))
            elif not 0 <= place < len(self.inputs):
                if not isinstance(value, Other):
                    faults.append(("redeemer_without_input", "a redeemer for an input that isn't there", raw))
            else:
                seen.add(place)
                found.append((self.inputs[place], value, raw))
        return tuple(found), tuple(faults)

    def mint_of(self, policy: str) -> dict[str, int]:
        """What is minted (positive) and burned (negative) of a policy: name -> quantity, sorted by name."""
        return {
            name: quantity
            for name, quantity in sorted(self.tx.mint.get(policy, {}).items())
            if quantity and not asset_fault(name, quantity)
        }

    def tokens_in(self, output: chain.Output, policy: str) -> dict[str, int]:
        """What an output holds of a policy: name -> quantity, sorted by name."""
        return {name: count for name, count in sorted(output.value.get(policy, {}).items()) if count > 0}

    def output(self, index: int) -> OutputView:
        """One output. Raises Malformed ``output_malformed`` where an event couldn't carry it."""
        return output_view(self.tx.outputs[index], index)

    def datum(self, output: chain.Output) -> bytes:
        """The bytes of an output's datum: inline, or of the transaction's own datums where the hash is right.

        Raises Malformed: ``missing``, ``not_hex``, ``not_in_transaction``, ``hash_mismatch``.
        """
        text = output.datum
        if text is None and output.datum_hash is not None:
            text = self.tx.datums.get(output.datum_hash)
            if text is None:
                raise Malformed(
                    "not_in_transaction", "the output names its datum by hash, and the transaction lacks it"
                )
        if text is None:
            raise Malformed("missing", "the output has no datum")
        if not _HEX.fullmatch(text):
            raise Malformed("not_hex", "the datum is not lowercase hex")
        raw = bytes.fromhex(text)
        if output.datum is None and datum_hash(raw) != output.datum_hash:
            raise Malformed("hash_mismatch", "the transaction's datum has another hash than it says")
        return raw

    def pays_script(self, output: chain.Output, script_hash: str) -> bool:
        """Whether the output's payment credential is this script; any stake part."""
        address = read_address(output.address)
        return address.payment == script_hash and address.payment_kind == "script"


def asset_fault(name: str, quantity: int) -> str | None:
    """Why no event could carry an asset of this name and quantity."""
    if not _NAME.fullmatch(name):
        return "an asset's name is not lowercase hex of at most 32 bytes"
    if not -(1 << 64) <= quantity < 1 << 64:
        return "a quantity is beyond 64 bits"
    return None


def output_view(output: chain.Output, index: int) -> OutputView:
    """An output as events show it. Raises Malformed ``output_malformed`` where they couldn't."""
    try:
        check_integer(output.lovelace)
    except Malformed as error:
        raise Malformed("output_malformed", "lovelace beyond 64 bits") from error
    assets: dict[str, dict[str, int]] = {}
    for policy, names in sorted(output.value.items()):
        if policy == _ADA:
            continue
        if not _HASH28.fullmatch(policy):
            raise Malformed("output_malformed", "a policy id is not 56 lowercase hex digits")
        for name, quantity in names.items():
            fault = asset_fault(name, quantity)
            if fault:
                raise Malformed("output_malformed", fault)
        assets[policy] = dict(sorted(names.items()))
    if not output.address.isascii() or not output.address.isprintable():
        raise Malformed("output_malformed", "the address is not printable ASCII")
    if not _HEX.fullmatch(output.datum or "") or (output.datum_hash and not _HASH32.fullmatch(output.datum_hash)):
        raise Malformed("output_malformed", "the datum or its hash is not lowercase hex")
    address = read_address(output.address)
    return OutputView(
        index=index,
        address=output.address,
        payment=address.payment,
        payment_kind=address.payment_kind,
        lovelace=output.lovelace,
        assets=assets,
        datum=output.datum,
        datum_hash=output.datum_hash or None,
        has_reference_script=output.script is not None,
    )


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
