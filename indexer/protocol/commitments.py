"""Facts of the commitment policy: challenge tokens minted to their script, burned without a reading, or moved on."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from indexer.events import ChainEvent, CommitmentClosed, CommitmentMinted, OutputRef
from indexer.protocol.accounts import Reporting
from indexer.protocol.cbor import Malformed
from indexer.protocol.datums import Consume, Reclaim, read_commitment_datum
from indexer.protocol.keys import battery_key, name_scheme
from indexer.protocol.reading import MAX_BATTERY_ID_BYTES
from indexer.protocol.view import TransactionView, asset_fault


class _Reclaimed(Struct, frozen=True):
    """A battery that reclaim redeemers name, and the inputs they are for."""

    battery_key: str
    inputs: tuple[OutputRef, ...]


MAX_CLOSINGS: Final = 256
"""Tokens times batteries in one transaction: a bound for hostile ones, a batch of honest reclaims has about 20."""


def minted_facts(view: TransactionView) -> Iterator[ChainEvent]:
    """A commitment for each output at the commitment script that holds a token minted here, by output and name."""
    profile = view.profile
    minted = {name: count for name, count in view.mint_of(profile.commitment_policy).items() if count > 0}
    placed: set[str] = set()
    for index, output in enumerate(view.tx.outputs):
        for name, quantity in view.tokens_in(output, profile.commitment_policy).items():
            if name not in minted:
                continue
            placed.add(name)
            if view.pays_script(output, profile.commitment_script):
                yield from _minted(view, index, name, quantity, len(minted))
            else:
                detail = f"{name} minted into output {index}, which is not at the commitment script"
                view.refuse("commitment_astray", detail, key=_claimed_key(view, index))
    for name in sorted(minted.keys() - placed):
        view.refuse("commitment_astray", f"{name} minted, and in no output")


def closed_facts(view: TransactionView, reporting: Reporting) -> Iterator[ChainEvent]:
    """Tokens burned without a reading (with one, the reading tells it), then tokens in outputs that hold old ones."""
    minted = view.mint_of(view.profile.commitment_policy)
    burned = {name: -count for name, count in minted.items() if count < 0}
    reclaims = _reclaims(view)
    if burned and not reporting.has_reading:
        yield from _burned(view, burned, reclaims, reporting)
    for index, output in enumerate(view.tx.outputs):
        for name in view.tokens_in(output, view.profile.commitment_policy):
            if asset_fault(name, 1):
                view.refuse("token_name_malformed", f"output {index} holds a challenge token whose name is not hex")
            elif minted.get(name, 0) <= 0:
                yield from _moved(view, index, name, reclaims)


def _minted(view: TransactionView, index: int, name: str, quantity: int, kinds: int) -> Iterator[ChainEvent]:
    tx, rule = view.tx, view.profile.battery_key
    raw = b""
    try:
        raw = view.datum(tx.outputs[index])
        datum = read_commitment_datum(raw)
        shown = view.output(index)
    except Malformed as error:
        reason = error.reason if error.reason == "output_malformed" else f"commitment_datum_{error.reason}"
        view.refuse(reason, str(error), raw=raw)
        return
    key = battery_key(datum.battery_id, rule)
    if key is None:
        view.refuse("battery_id_without_key", "the datum's battery_id is no key under the rule raw", raw=raw)
        return
    yield CommitmentMinted(
        **view.where,
        **view.signers,
        battery_key=key,
        output=shown,
        token_name=name,
        quantity=quantity,
        battery_id=datum.battery_id.hex(),
        user_pkh=datum.user_pkh.hex(),
        claimed_slot=datum.slot,
        nonce=None if datum.nonce is None else datum.nonce.hex(),
        name_scheme=name_scheme(bytes.fromhex(name), datum.battery_id, datum.user_pkh, datum.slot, datum.nonce),
        tokens_minted=kinds,
        invalid_before=tx.validity_interval.invalid_before,
        invalid_after=tx.validity_interval.invalid_after,
        inputs=view.inputs,
        references=view.references,
        departures=datum.departures,
    )


def _reclaims(view: TransactionView) -> dict[bytes, _Reclaimed]:
    """What reclaim redeemers name, sorted by battery id."""
    inputs: dict[bytes, list[OutputRef]] = {}
    for spent, value, _ in view.spends:
        if isinstance(value, Reclaim) and 0 < len(value.battery_id) <= MAX_BATTERY_ID_BYTES:
            inputs.setdefault(value.battery_id, []).append(spent)
    found: dict[bytes, _Reclaimed] = {}
    for battery_id, spent_inputs in sorted(inputs.items()):
        key = battery_key(battery_id, view.profile.battery_key)
        if key is not None:
            found[battery_id] = _Reclaimed(key, tuple(spent_inputs))
    return found


def _burned(
    view: TransactionView, burned: dict[str, int], reclaims: dict[bytes, _Reclaimed], reporting: Reporting
) -> Iterator[ChainEvent]:
    """One event for each token and battery. Which token was which battery's, its commitment's output tells."""
    if len(burned) * len(reclaims) > MAX_CLOSINGS:
        view.refuse("too_many_reclaims", f"{len(burned)} tokens burned for {len(reclaims)} batteries")
        return
    account = reporting.only
    for name, quantity in burned.items():
        if reclaims:
            for battery_id, reclaimed in reclaims.items():
                yield CommitmentClosed(
                    **view.where,
                    **view.signers,
                    battery_key=reclaimed.battery_key,
                    token_name=name,
                    quantity=quantity,
                    how="reclaimed",
                    candidates=reclaimed.inputs,
                    battery_id=battery_id.hex(),
                )
        elif account is not None:
            yield CommitmentClosed(
                **view.where,
                **view.signers,
                battery_key=account.battery_key,
                token_name=name,
                quantity=quantity,
                how="burned",
                candidates=tuple(spent for spent, value, _ in view.spends if isinstance(value, Consume)),
                battery_id=None if account.datum is None else account.datum.battery_id,
            )
        else:
            view.refuse("burned_commitment_unnamed", f"{quantity} of {name} burned, and nothing names a battery")


def _moved(view: TransactionView, index: int, name: str, reclaims: dict[bytes, _Reclaimed]) -> Iterator[ChainEvent]:
    """A token that was minted before stands in an output: of the battery that its datum or a redeemer names."""
    try:
        battery_id = read_commitment_datum(view.datum(view.tx.outputs[index])).battery_id
    except Malformed:
        if len(reclaims) != 1:
            view.refuse("moved_commitment_unnamed", f"{name} stands in output {index}, and nothing names a battery")
            return
        (battery_id,) = reclaims
    key = battery_key(battery_id, view.profile.battery_key)
    if key is None:
        view.refuse("battery_id_without_key", "the datum's battery_id is no key under the rule raw")
        return
    fitting = tuple(spent for spent, value, _ in view.spends if isinstance(value, Consume | Reclaim))
    yield CommitmentClosed(
        **view.where,
        **view.signers,
        battery_key=key,
        token_name=name,
        quantity=0,
        how="moved",
        candidates=reclaims[battery_id].inputs if battery_id in reclaims else fitting,
        battery_id=battery_id.hex(),
    )


def _claimed_key(view: TransactionView, index: int) -> str | None:
    """The battery that an output's commitment datum names, if it has one."""
    try:
        datum = read_commitment_datum(view.datum(view.tx.outputs[index]))
    except Malformed:
        return None
    return battery_key(datum.battery_id, view.profile.battery_key)
