import json
from hashlib import blake2b

import pytest

from deploy.devnet.blocks import make_block
from deploy.devnet.chain import Chain, Cursor
from indexer.chain import ORIGIN, Point, PointOrOrigin, Tip
from indexer.errors import ConfigurationError, InvalidChainData
from tests.deploy.devnet.client import empty_chain, ids, lively_chain


def read_all(chain: Chain, cursor: Cursor) -> tuple[list[PointOrOrigin], list[str]]:
    """What a client with this cursor still gets: points to go back to, and blocks."""
    back: list[PointOrOrigin] = []
    blocks: list[str] = []
    while True:
        point, found = chain.read(cursor, 7, 1 << 20)
        if point is None and not found:
            return back, blocks
        if point is not None:
            back.append(point)
        blocks += [json.loads(block)["id"] for block in found]


def test_blocks_name_their_parents_and_the_first_names_genesis() -> None:
    chain = empty_chain(30)
    blocks = [json.loads(block) for block in chain.read(Cursor(), 100, 1 << 20)[1]]
    assert blocks[0]["ancestor"] == "genesis"
    assert [block["ancestor"] for block in blocks[1:]] == [block["id"] for block in blocks[:-1]]
    assert [block["height"] for block in blocks] == list(range(30))
    slots = [block["slot"] for block in blocks]
    assert slots == sorted(set(slots))


def test_blocks_are_some_25_slots_apart() -> None:
    chain = empty_chain(2_000)
    assert isinstance(chain.tip, Tip)
    assert 22 < chain.tip.slot / 2_000 < 28


def test_a_block_id_depends_on_the_parent_the_slot_and_the_body() -> None:
    first, _ = make_block(parent=None, height=0, slot=5, transactions=[])
    second, _ = make_block(parent=first, height=1, slot=9, transactions=[])
    other_parent, _ = make_block(parent=second, height=1, slot=9, transactions=[])
    other_slot, _ = make_block(parent=first, height=1, slot=10, transactions=[])
    assert len({first.id, second.id, other_parent.id, other_slot.id}) == 4
    assert len(bytes.fromhex(first.id)) == blake2b(digest_size=32).digest_size


def test_the_same_seed_makes_the_same_chain_and_another_does_not() -> None:
    chains = [lively_chain(300, seed=seed)[0] for seed in (5, 5, 6)]
    assert ids(chains[0]) == ids(chains[1])
    assert ids(chains[0]) != ids(chains[2])


def test_a_block_that_does_not_link_is_refused() -> None:
    chain = empty_chain(3)
    stranger, text = make_block(parent=None, height=3, slot=10_000, transactions=[])
    with pytest.raises(InvalidChainData, match="parent"):
        chain.append(stranger, text)


@pytest.mark.parametrize("depth", [1, 5, 20, 60])
def test_a_fork_keeps_the_intersection_and_makes_a_longer_branch(depth: int) -> None:
    chain = empty_chain(60)
    before = ids(chain)
    fork = chain.fork(depth)
    after = ids(chain)
    assert after[: 60 - depth] == before[: 60 - depth]
    assert set(after[60 - depth :]).isdisjoint(before)
    assert len(after) == 61
    assert fork.depth == depth
    assert fork.new_tip == chain.tip
    assert fork.intersection == (ORIGIN if depth == 60 else chain.point(60 - depth))


def test_a_fork_deeper_than_the_chain_is_refused_and_changes_nothing() -> None:
    chain = empty_chain(10)
    before = ids(chain)
    for depth in (0, 11):
        with pytest.raises(ConfigurationError, match="1 to 10"):
            chain.fork(depth)
    assert ids(chain) == before
    assert chain.forks == 0


def test_a_client_on_an_abandoned_branch_goes_back_to_the_intersection_first() -> None:
    chain = empty_chain(50)
    cursor = Cursor()
    read_all(chain, cursor)
    chain.fork(5)
    back, blocks = read_all(chain, cursor)
    assert back == [chain.point(45)]
    assert blocks == ids(chain)[45:]


def test_a_client_below_the_intersection_never_hears_of_the_fork() -> None:
    chain = empty_chain(50)
    cursor = Cursor()
    chain.read(cursor, 40, 1 << 20)
    chain.fork(5)
    back, blocks = read_all(chain, cursor)
    assert back == []
    assert blocks == ids(chain)[40:]


def test_a_client_that_slept_through_forks_goes_back_to_the_deepest_once() -> None:
    chain = empty_chain(50)
    cursor = Cursor()
    read_all(chain, cursor)
    chain.fork(3)
    chain.fork(20)
    chain.fork(2)
    back, blocks = read_all(chain, cursor)
    assert back == [chain.point(51 - 20)]
    assert blocks == ids(chain)[31:]


def test_cursors_do_not_disturb_each_other() -> None:
    chain = empty_chain(30)
    behind, ahead = Cursor(), Cursor()
    chain.read(behind, 10, 1 << 20)
    read_all(chain, ahead)
    chain.fork(4)
    assert read_all(chain, behind) == ([], ids(chain)[10:])
    assert read_all(chain, ahead) == ([chain.point(26)], ids(chain)[26:])


def test_an_intersection_takes_the_first_point_that_the_branch_holds() -> None:
    chain = empty_chain(40)
    gone = chain.point(38)
    chain.fork(5)
    cursor = Cursor()
    assert chain.intersect(cursor, [gone, chain.point(20), chain.point(30)]) == chain.point(20)
    assert cursor.position == 20
    assert chain.intersect(cursor, [gone, Point(7, "00" * 32)]) is None
    assert cursor.position == 20


def test_a_fork_moves_most_transactions_and_loses_what_builds_on_lost_ones() -> None:
    chain, _ = lively_chain(1_500)
    fork = chain.fork(300)
    assert fork.moved > fork.dropped > 0
    seen: set[str] = set()
    cursor = Cursor()
    while blocks := chain.read(cursor, 64, 1 << 20)[1]:
        for block in map(json.loads, blocks):
            for tx in block.get("transactions", []):
                assert tx["id"] not in seen
                seen.add(tx["id"])
                interval = tx["validityInterval"]
                assert interval.get("invalidBefore", 0) <= block["slot"] < interval.get("invalidAfter", 1 << 62)
    assert len(seen) > fork.moved


def test_a_chain_goes_on_growing_on_the_new_branch_as_if_the_old_had_never_been() -> None:
    """What was lost is not built upon: each input was made on the branch that spends it, once."""
    chain, _ = lively_chain(600)
    for depth in (1, 40, 3, 120):
        chain.fork(depth)
        chain.grow(80)
    cursor = Cursor()
    made: set[tuple[str, int]] = set()
    spent: set[tuple[str, int]] = set()
    ever: set[str] = set()
    while blocks := chain.read(cursor, 64, 1 << 20)[1]:
        for block in map(json.loads, blocks):
            for tx in block.get("transactions", []):
                source = "inputs" if tx["spends"] == "inputs" else "collaterals"
                for item in tx[source]:
                    key = (item["transaction"]["id"], item["index"])
                    assert key not in spent
                    # Money from before the chain has index 0 and an id that no transaction ever had.
                    assert key in made or (key[1] == 0 and key[0] not in ever)
                    spent.add(key)
                ever.add(tx["id"])
                count = len(tx["outputs"])
                made |= {(tx["id"], index) for index in (range(count) if source == "inputs" else (count,))}
    assert len(spent) > 100
