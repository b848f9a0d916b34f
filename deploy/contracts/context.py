"""The script context: all that a Plutus V3 script is told, as the ledger writes it.

Sources: plutus-ledger-api, ``PlutusLedgerApi.V3.Contexts``; cardano-ledger, ``Conway.TxInfo`` (order of maps, open
upper bound, no entry for lovelace in ``mint``).
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from deploy.contracts.ledger import (
    Assets,
    LedgerTransaction,
    NotJudged,
    Output,
    OutputReference,
    Redeemer,
    plutus,
)
from indexer.protocol.plutus import Constr, Data, PlutusMap

_TRUE: Final = Constr(1, ())
_FALSE: Final = Constr(0, ())
_NOTHING: Final = Constr(1, ())


class SlotConfig(Struct, frozen=True, kw_only=True):
    """How slots become POSIX time. ``zero_time_ms`` is the time of ``zero_slot``, and slots are of one length since."""

    zero_time_ms: int
    zero_slot: int = 0
    slot_ms: int = 1_000

    def time_ms(self, slot: int) -> int:
        return self.zero_time_ms + (slot - self.zero_slot) * self.slot_ms


MAINNET_SLOTS: Final = SlotConfig(zero_time_ms=1_596_059_091_000, zero_slot=4_492_800)


def _just(value: Data | None) -> Data:
    return _NOTHING if value is None else Constr(0, (value,))


def _reference(reference: OutputReference) -> Data:
    return Constr(0, (bytes.fromhex(reference[0]), reference[1]))


def _credential(is_script: int, content: bytes) -> Data:
    return Constr(1 if is_script else 0, (content,))


def _address(address: bytes) -> Data:
    kind = address[0] >> 4
    if kind > 7 or kind in (4, 5):
        raise NotJudged(f"address {address.hex()} is of a form that no script is shown here (Byron, pointer or stake)")
    payment = _credential(kind & 1, address[1:29])
    if kind > 5:
        return Constr(0, (payment, _NOTHING))
    return Constr(0, (payment, Constr(0, (Constr(0, (_credential(kind & 2, address[29:57]),)),))))


def _assets(assets: Assets) -> tuple[tuple[Data, Data], ...]:
    return tuple(
        (policy, PlutusMap(tuple((name, names[name]) for name in sorted(names) if names[name])))
        for policy, names in sorted(assets.items())
        if any(names.values())
    )


def _output(output: Output) -> Data:
    value = PlutusMap(((b"", PlutusMap(((b"", output.lovelace),))), *_assets(output.assets)))
    datum: Data = Constr(0, ())
    if output.datum is not None:
        datum = Constr(2, (plutus(output.datum),))
    elif output.datum_hash is not None:
        datum = Constr(1, (output.datum_hash,))
    return Constr(0, (_address(output.address), value, datum, _just(output.script_hash)))


def _bound(slot: int | None, infinity: int, slots: SlotConfig, *, closed: bool) -> Data:
    if slot is None:
        return Constr(0, (Constr(infinity, ()), _TRUE))
    return Constr(0, (Constr(1, (slots.time_ms(slot),)), _TRUE if closed else _FALSE))


def _withdrawer(reward_address: bytes) -> Data:
    return _credential(reward_address[0] >> 4 & 1, reward_address[1:29])


def script_hash(transaction: LedgerTransaction, inputs: Mapping[OutputReference, Output], redeemer: Redeemer) -> bytes:
    """The script that a redeemer runs. Raises NotJudged for a redeemer that points at no script."""
    found = b""
    try:
        if redeemer.purpose == "mint":
            found = sorted(transaction.mint)[redeemer.index]
        elif redeemer.purpose == "spend":
            address = inputs[transaction.inputs[redeemer.index]].address
            found = address[1:29] if address[0] >> 4 in (1, 3, 5, 7) else b""
        elif redeemer.purpose == "withdraw":
            found = sorted(transaction.withdrawals)[redeemer.index][1:29]
    except IndexError:
        found = b""
    if not found:
        raise NotJudged(f"redeemer {redeemer.purpose}:{redeemer.index} points at nothing that a script guards")
    return found


def _purpose(transaction: LedgerTransaction, redeemer: Redeemer) -> Data:
    if redeemer.purpose == "mint":
        return Constr(0, (sorted(transaction.mint)[redeemer.index],))
    if redeemer.purpose == "spend":
        return Constr(1, (_reference(transaction.inputs[redeemer.index]),))
    return Constr(2, (_withdrawer(sorted(transaction.withdrawals)[redeemer.index]),))


class Contexts:
    """The contexts of one transaction's scripts: the same facts, told to each with its own redeemer and purpose."""

    def __init__(
        self, transaction: LedgerTransaction, resolved: Mapping[OutputReference, Output], slots: SlotConfig
    ) -> None:
        self._transaction, self._resolved = transaction, resolved
        self._facts = self._transaction_info(slots)

    def of(self, redeemer: Redeemer) -> Data:
        """The one argument of a Plutus V3 script."""
        transaction = self._transaction
        purpose = _purpose(transaction, redeemer)
        if redeemer.purpose == "spend":
            output = self._resolved[transaction.inputs[redeemer.index]]
            raw = output.datum
            if raw is None and output.datum_hash is not None:
                raw = transaction.datums.get(output.datum_hash)
            datum = None if raw is None else plutus(raw)
            purpose = Constr(1, (_reference(transaction.inputs[redeemer.index]), _just(datum)))
        return Constr(0, (self._facts, plutus(redeemer.data), purpose))

    def _transaction_info(self, slots: SlotConfig) -> Data:
        transaction = self._transaction
        return Constr(
            0,
            (
                self._inputs(transaction.inputs),
                self._inputs(transaction.references),
                tuple(_output(output) for output in transaction.outputs),
                transaction.fee,
                PlutusMap(_assets(transaction.mint)),
                (),  # certificates
                PlutusMap(
                    tuple((_withdrawer(address), amount) for address, amount in sorted(transaction.withdrawals.items()))
                ),
                Constr(
                    0,
                    (
                        _bound(transaction.invalid_before, 0, slots, closed=True),
                        _bound(transaction.invalid_after, 2, slots, closed=False),
                    ),
                ),
                tuple(transaction.required_signers),
                PlutusMap(tuple((_purpose(transaction, each), plutus(each.data)) for each in transaction.redeemers)),
                PlutusMap(tuple((key, plutus(value)) for key, value in sorted(transaction.datums.items()))),
                transaction.id,
                PlutusMap(()),  # votes
                (),  # proposals
                _just(transaction.treasury),
                _just(transaction.donation),
            ),
        )

    def _inputs(self, references: list[OutputReference]) -> Data:
        return tuple(Constr(0, (_reference(reference), _output(self._resolved[reference]))) for reference in references)
