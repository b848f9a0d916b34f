"""The protocol's twelve checks over a whole chain, kept apart from the product: with a set of open outputs, which the
product does without.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import coincurve
from msgspec import Struct
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from indexer.chain import Block
from indexer.decode import decode
from indexer.events import ChainEvent, CommitmentMinted, OutputView, ReadingEvent
from indexer.protocol.cose import sig_structure
from indexer.protocol.profile import Profile
from indexer.protocol.view import output_view

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
Place = tuple[str, int]


class Judged(Struct, frozen=True):
    """A reading, and the numbers of the checks that fail or that can't be assessed."""

    event: ReadingEvent
    slot: int
    failed: frozenset[int]
    unknown: frozenset[int]


class Oracle:
    """Takes blocks in the chain's order."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._commitments: dict[Place, tuple[CommitmentMinted, int]] = {}
        self._outputs: dict[Place, OutputView] = {}
        self._datums: dict[Place, Any] = {}

    def take(self, block: Block) -> Iterator[tuple[ChainEvent, Judged | None]]:
        for event in decode(block, [self._profile]):
            judged = self._judge(event, block.point.slot) if isinstance(event, ReadingEvent) else None
            yield event, judged
            if isinstance(event, CommitmentMinted):
                self._commitments[event.transaction, event.output.index] = (event, block.point.slot)
            datum = getattr(event, "datum", None) or getattr(event, "account_datum", None)
            if datum is not None:
                output = getattr(event, "account_output", None) or getattr(event, "output", None)
                assert output is not None
                self._datums[event.transaction, output.index] = datum
        for tx in block.transactions:
            if getattr(tx, "spends", "") == "inputs":
                for index, output in enumerate(tx.outputs):  # type: ignore[union-attr]
                    self._outputs[tx.id, index] = output_view(output, index)  # type: ignore[union-attr]

    def _judge(self, event: ReadingEvent, slot: int) -> Judged:
        reading, after = event.decoded.reading, event.account_datum
        account = (event.account_input.transaction, event.account_input.index)
        before, held = self._datums[account], self._outputs[account]
        spent = [self._commitments.get((ref.transaction, ref.index)) for ref in event.consumed]
        made = next((each for each in spent if each is not None), None)
        results: dict[int, bool | None] = {1: made is not None and len(event.burned_commitments) == 1}
        commitment = made[0] if made else None
        one = event.outputs[1] if len(event.outputs) > 1 else None
        user = commitment.user_pkh if commitment else ""
        to_user = one is not None and one.payment == user
        results[2] = bool(commitment and reading and commitment.battery_id == before.battery_id == reading.battery_id)
        results[3] = user in event.required_signers
        results[4] = made is not None and slot - made[1] <= before.max_age_slots
        results[5] = bool(commitment and reading and reading.challenge == commitment.transaction)
        results[6] = signature_holds(event, before.bms_public_key)
        if reading is not None and reading.counter is not None:
            results[7] = reading.counter > before.last_counter
        if reading is not None and reading.soh_bp is not None:
            results[8] = reading.soh_bp <= before.last_soh_bp + self._profile.soh_tolerance_bp
        if reading is not None and reading.cycle_count is not None:
            results[9] = reading.cycle_count >= before.last_cycle_count
        names = one.assets.get(self._profile.passport_policy, {}) if one else {}
        results[10] = to_user and any(name.startswith("000de140") for name in names)
        results[11] = (
            after is not None
            and event.account_output.index == 0
            and event.account_output.address == held.address
            and event.account_output.assets == held.assets
            and event.account_output.lovelace == held.lovelace - before.reward_per_read
            and (after.battery_id, after.bms_public_key) == (before.battery_id, before.bms_public_key)
        )
        results[12] = to_user and one is not None and one.lovelace >= before.reward_per_read
        failed = frozenset(number for number, passed in results.items() if passed is False)
        return Judged(event, slot, failed, frozenset(range(1, 13)) - results.keys())


def signature_holds(event: ReadingEvent, key: str) -> bool:
    """As the ledger's builtin answers over the bytes as received."""
    view = event.decoded
    if view.protected is None or view.payload is None or view.signature is None or "trailing_bytes" in view.departures:
        return False
    message = sig_structure(bytes.fromhex(view.protected), bytes.fromhex(view.payload))
    signature, public = bytes.fromhex(view.signature), bytes.fromhex(key)
    if len(public) == 33:
        if int.from_bytes(signature[32:]) > HALF_ORDER:
            return False

        der = coincurve.ecdsa.cdata_to_der(coincurve.ecdsa.deserialize_compact(signature))
        return bool(coincurve.PublicKey(public).verify(der, hashlib.sha256(message).digest(), hasher=None))
    try:
        VerifyKey(public).verify(message, signature)
    except BadSignatureError:
        return False
    return True
