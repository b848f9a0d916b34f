"""A made chain is as the recorded run of preview is: how many transactions a block has, of what kinds, how large."""

import json
from collections import Counter
from itertools import pairwise
from statistics import mean, median

from deploy.devnet import preview
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.recording import read_lines
from tests.shared import shared


def test_the_constants_are_those_of_the_recording() -> None:
    counts: Counter[int] = Counter()
    slots = []
    for _, line in read_lines(shared("chain/preview-01285.ndjson.zst")):
        block = json.loads(line)["result"]["block"]
        counts[len(block.get("transactions", []))] += 1
        slots.append(block["slot"])
    assert abs((slots[-1] - slots[0]) / (len(slots) - 1) - preview.MEAN_INTERVAL_SLOTS) < 0.01
    assert (counts.total() - counts[0]) / counts.total() == preview.FULL_SHARE
    seen = {count: times for count, times in counts.items() if count}
    assert seen == dict(zip(preview._TRANSACTIONS, preview._TRANSACTIONS_SEEN, strict=True))


def test_a_chain_of_every_block_is_as_full_and_as_heavy() -> None:
    maker = Maker(Plan(batteries=1, reading_interval_slots=10**9, every_block=True))
    made = list(blocks(maker, 150_000))
    full = [block for block in made if block.transactions]
    intervals = [b.header.slot - a.header.slot for a, b in pairwise(made)]
    assert 0.18 < len(full) / len(made) < 0.23
    assert 23 < mean(intervals) < 27
    assert 1.2 < mean(len(block.transactions) for block in full) < 1.5
    sizes = [transaction.size for block in full[1:] for transaction in block.transactions]
    assert 1_000 < median(sizes) < 3_500
    assert max(sizes) > 6_000
    assert all(json.loads(block.json)["size"]["bytes"] == 4 for block in made if not block.transactions)
