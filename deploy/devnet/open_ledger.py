"""A ledger that others may write to: the maker's transactions, a mempool, and every unspent output."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from deploy.contracts.ledger import Output, OutputReference
from deploy.devnet.actors import Made
from deploy.devnet.blocks import BlockTransaction
from deploy.devnet.deployment import Scripts
from deploy.devnet.maker import Maker
from deploy.devnet.second_opinion import MadeWrongly
from deploy.devnet.shown import Received

_REMEMBERED: Final = 20_000  # transactions that a fork can undo
_BLOCK_SUBMITTED: Final = 40
_JUDGED_BEFORE: Final = frozenset(("submit", "rejected"))  # where they were made

Judge = Callable[[Received, Mapping[OutputReference, Output]], str]
"""Why the first script that refuses does so; empty where all accept."""


class _Applied(Struct, frozen=True):
    """What a transaction did to the outputs."""

    taken: dict[OutputReference, Output]
    added: dict[OutputReference, Output]


class OpenLedger:
    """The ledger of a growing chain (see ``chain.Ledger``) to which transactions can be submitted.

    Outputs from before the first block are unknown, as no transaction made them: only the maker spends those.
    """

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self._judge: Judge | None = None
        self.scripts: Scripts = maker.site.scripts
        self.slot = 0  # of the newest block
        self.judged = 0  # transactions on which the scripts were run
        self.outputs: dict[OutputReference, Output] = {}
        self._lock = threading.RLock()
        self._makers_own: set[OutputReference] = set()
        self._applied: OrderedDict[str, _Applied] = OrderedDict()
        self._submitted: OrderedDict[str, Received] = OrderedDict()  # all that ever were, as far as remembered
        self._mempool: OrderedDict[str, Received] = OrderedDict()
        self._granted: set[str] = set()

    # for whoever submits and asks

    def resolve(self, reference: OutputReference) -> Output | None:
        """An unspent output, those that the mempool makes included; None where it is spent or was never made."""
        with self._lock:
            for waiting in reversed(self._mempool.values()):
                if reference in waiting.spent():
                    return None
            for waiting in self._mempool.values():
                if reference in waiting.made():
                    return waiting.made()[reference]
            return self.outputs.get(reference)

    def at(self, addresses: set[bytes]) -> dict[OutputReference, Output]:
        """The unspent outputs at these addresses, without what belongs to the maker's people."""
        with self._lock:
            return {
                reference: output
                for reference, output in self.outputs.items()
                if output.address in addresses and reference not in self._makers_own
            }

    def is_the_makers(self, reference: OutputReference) -> bool:
        """Whether the output belongs to somebody whom the maker plays: it would be missing in what is made next."""
        return reference in self._makers_own

    def submit(self, received: Received) -> None:
        """Into the mempool, and with that into the next block. Whoever calls has checked it."""
        with self._lock:
            self._mempool[received.id] = received

    def grant(self, received: Received) -> None:
        """As ``submit``, for money from before the first block."""
        self._granted.add(received.id)
        self.submit(received)

    # for the chain

    def transactions(self, slot: int) -> list[BlockTransaction]:
        with self._lock:
            self.slot = slot
            made = self.maker.transactions(slot)
            for each in self.maker.last:
                received = Received(each.transaction.cbor)
                if self._judge is not None and received.valid and received.seen.redeemers:
                    self._must_pass(each, received)
                self._apply(received)
                # Money at people's own addresses; what lies at scripts and what carries a script is for all.
                self._makers_own |= {
                    key for key, out in received.made().items() if not _is_script(out.address) and out.script is None
                }
            return made + self._take_submitted(slot)

    def run_scripts(self, judge: Judge) -> None:
        """From now on the scripts decide what becomes of the maker's transactions."""
        self._judge = judge
        self.maker.site.judge = lambda cbor: self._why_refused(Received(cbor))

    def _why_refused(self, received: Received) -> str:
        assert self._judge is not None
        self.judged += 1
        seen = received.seen
        # Money from before the first block is on no chain: its owner is whoever gets the change.
        unknown = Output(address=seen.outputs[-1].address, lovelace=0)
        named = (*seen.inputs, *seen.references)
        return self._judge(received, {reference: self.outputs.get(reference, unknown) for reference in named})

    def _must_pass(self, made: Made, received: Received) -> None:
        """Everybody here but those who submit readings knows the contracts."""
        if made.kind in _JUDGED_BEFORE or not self._is_ours(received):
            return
        why = self._why_refused(received)
        if why:
            raise MadeWrongly(f"the contracts refuse the {made.kind} transaction {received.id}: {why}")

    def _is_ours(self, received: Received) -> bool:
        """Whether a script of the deployment has a say."""
        hashes = {self.scripts.commitment, self.scripts.reporting, self.scripts.passport}
        spent = {self.outputs[key].address[1:29] for key in received.seen.inputs if key in self.outputs}
        return not hashes.isdisjoint(spent | received.seen.mint.keys())

    def _take_submitted(self, slot: int) -> list[BlockTransaction]:
        taken: list[BlockTransaction] = []
        for identity, received in list(self._mempool.items())[:_BLOCK_SUBMITTED]:
            seen = received.seen
            if seen.invalid_before is not None and slot < seen.invalid_before:
                continue
            del self._mempool[identity]
            late = seen.invalid_after is not None and slot >= seen.invalid_after
            if late or not self._is_there(received):
                continue  # dropped, as a node's mempool does it: silently
            self._apply(received)
            self._submitted[identity] = received
            plan = self.maker.plan
            taken.append(received.shown().in_block(plan.ogmios_version, include_cbor=plan.include_cbor))
        return taken

    def _is_there(self, received: Received) -> bool:
        """Whether what it spends is unspent on this branch."""
        return received.id in self._granted or all(key in self.outputs for key in received.spent())

    def _apply(self, received: Received) -> None:
        taken = {key: self.outputs.pop(key) for key in received.spent() if key in self.outputs}
        added = received.made()
        self.outputs.update(added)
        self._applied[received.id] = _Applied(taken, added)
        if len(self._applied) > _REMEMBERED:
            oldest, _ = self._applied.popitem(last=False)
            self._submitted.pop(oldest, None)

    def undo(self, transactions: Sequence[str]) -> None:
        with self._lock:
            for identity in transactions:
                done = self._applied.get(identity)
                if done is not None:
                    for key in done.added:
                        self.outputs.pop(key, None)
                    self.outputs.update(done.taken)
            self.maker.undo([identity for identity in transactions if identity not in self._submitted])

    def redo(self, transaction: str, slot: int) -> bool:
        with self._lock:
            submitted = self._submitted.get(transaction)
            if submitted is not None:
                if not self._is_there(submitted):
                    return False
                self._apply(submitted)
                return True
            if not self.maker.redo(transaction, slot):
                return False
            done = self._applied.get(transaction)
            if done is not None:
                for key in done.taken:
                    self.outputs.pop(key, None)
                self.outputs.update(done.added)
            return True


def _is_script(address: bytes) -> bool:
    """By the address's header (CIP-19)."""
    return bool(address[0] >> 4 & 1)
