"""A made chain as files: the recording, and the labels of what was made."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from msgspec import Struct

from deploy.devnet.actors import Made
from deploy.devnet.battery import DAY_SLOTS
from deploy.devnet.blocks import Header
from deploy.devnet.desk import Desk
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from deploy.devnet.open_ledger import OpenLedger
from deploy.devnet.recording import Writer
from deploy.devnet.second_opinion import SecondOpinion

YEAR_SLOTS = 365.25 * DAY_SLOTS


class Written(Struct, kw_only=True):
    """What a chain consists of, while it is made and after."""

    blocks: int = 0
    empty_blocks: int = 0
    transactions: int = 0
    last_slot: int = 0
    kinds: Counter[str] = Counter()  # transactions by kind
    read_back: int = 0  # by pycardano, and found equal
    judged: int = 0  # by the contracts


def write_chain(  # noqa: PLR0913  # what, how long, where to, and who is told or asked
    plan: Plan,
    years: float,
    out: Path,
    labels_out: Path | None = None,
    *,
    progress: Callable[[Written], None] = lambda _: None,
    opinion: SecondOpinion | None = None,
    network: Network | None = None,
) -> Written:
    """Makes a chain and writes it, a block at a time: memory doesn't grow with the years.

    With a network, the contracts run on every transaction that touches them, at its slots' times; else what they would
    decide is foreseen (``attempt.refusal``), which is a thousand times faster.

    Raises MadeWrongly where the second opinion, if one is asked, differs, or where a script does.
    """
    maker = Maker(plan)
    ledger = _under_scripts(maker, network) if network else None
    written = Written(kinds=Counter())
    with ExitStack() as stack:
        writer = stack.enter_context(Writer(out))
        labels = stack.enter_context(Labels(labels_out))
        for block in blocks(maker, int(years * YEAR_SLOTS), ledger):
            writer.write(block.header, block.json)
            labels.write(block.header, maker.last)
            written.blocks += 1
            written.empty_blocks += not block.transactions
            written.transactions += len(block.transactions)
            written.last_slot = block.header.slot
            written.kinds.update(made.kind for made in maker.last)
            written.judged = ledger.judged if ledger else 0
            if opinion is not None:
                for made in maker.last:
                    opinion.consider(made)
                written.read_back = opinion.checked
            if written.blocks % 256 == 0:
                progress(written)
    progress(written)
    return written


def _under_scripts(maker: Maker, network: Network) -> OpenLedger:
    ledger = OpenLedger(maker)
    ledger.run_scripts(Desk(ledger, network).admission.why_refused)
    return ledger


class Labels:
    """What was made, as one JSON line for each transaction that concerns a battery: which events it must become, and
    which fraud it is part of, if any. For whoever judges the pipeline; the pipeline never sees it.

    A fork puts transactions into other blocks or into none: a label tells where its transaction stood first.
    """

    def __init__(self, path: Path | None) -> None:
        """Writes nothing without a path."""
        self._file = path.open("w", encoding="utf-8") if path else None

    def __enter__(self) -> Self:
        return self

    def write(self, header: Header, transactions: Sequence[Made]) -> None:
        if self._file is None:
            return
        for index, made in enumerate(transactions):
            if made.label is not None:
                place = {
                    "transaction": made.transaction.id,
                    "transaction_index": index,
                    "block": header.id,
                    "height": header.height,
                    "slot": header.slot,
                }
                self._file.write(json.dumps(place | made.label, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
