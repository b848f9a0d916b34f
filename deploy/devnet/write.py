"""A made chain as files: the recording, and the labels of what was made."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from deploy.devnet.battery import DAY_SLOTS
from deploy.devnet.make import MadeBlock, blocks
from deploy.devnet.maker import Maker, Plan
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


def write_chain(  # noqa: PLR0913  # what, how long, where to, and who is told or asked
    plan: Plan,
    years: float,
    out: Path,
    labels_out: Path | None = None,
    *,
    progress: Callable[[Written], None] = lambda _: None,
    opinion: SecondOpinion | None = None,
) -> Written:
    """Makes a chain and writes it, a block at a time: memory doesn't grow with the years.

    Raises MadeWrongly where the second opinion, if one is asked, differs.
    """
    maker = Maker(plan)
    written = Written(kinds=Counter())
    with ExitStack() as stack:
        writer = stack.enter_context(Writer(out))
        labels = stack.enter_context(labels_out.open("w", encoding="utf-8")) if labels_out else None
        for block in blocks(maker, int(years * YEAR_SLOTS)):
            writer.write(block.header, block.json)
            if labels is not None:
                write_labels(labels, maker, block)
            written.blocks += 1
            written.empty_blocks += not block.transactions
            written.transactions += len(block.transactions)
            written.last_slot = block.header.slot
            written.kinds.update(made.kind for made in maker.last)
            if opinion is not None:
                for made in maker.last:
                    opinion.consider(made)
                written.read_back = opinion.checked
            if written.blocks % 256 == 0:
                progress(written)
    progress(written)
    return written


def write_labels(file: TextIO, maker: Maker, block: MadeBlock) -> None:
    """One JSON line for each transaction that concerns a battery: what it is and which events it must become."""
    for index, made in enumerate(maker.last):
        if made.label is not None:
            place = {
                "transaction": made.transaction.id,
                "transaction_index": index,
                "block": block.header.id,
                "height": block.header.height,
                "slot": block.header.slot,
            }
            file.write(json.dumps(place | made.label, separators=(",", ":")) + "\n")
