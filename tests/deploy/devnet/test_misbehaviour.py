"""Each misbehaviour, seen by a plain client."""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from deploy.devnet.blocks import Header
from deploy.devnet.branch import transactions_of
from deploy.devnet.chain import Chain, Cursor
from deploy.devnet.misbehaviour import KINDS, NODE_LOST, Misbehaviour, Mischief
from deploy.devnet.monsters import POISON_LEVELS, huge, poison
from indexer.chain import UnreadableTransaction
from indexer.errors import ConfigurationError
from indexer.ogmios.messages import read_block
from tests.deploy.devnet.client import SMALL_K, Client, client, empty_chain, ids, lively_chain, served


def do(one: Client, kind: str, **rest: object) -> dict[str, object]:
    answer = one.call("devnet/misbehave", params={"kind": kind, **rest})
    result: dict[str, object] = answer["result"]
    return result


def transactions(chain: Chain) -> list[str]:
    cursor, found = Cursor(), []
    while blocks := chain.read(cursor, 64, 1 << 20)[1]:
        found += [tx.id for block in blocks for tx in transactions_of(block)]
    return found


@pytest.mark.parametrize("depth", [1, 7, 40])
def test_a_flip_comes_back_to_the_very_blocks_and_grows_beyond_the_other_branch(depth: int) -> None:
    chain, _ = lively_chain(300)
    before = ids(chain)
    chain.fork(depth)
    chain.grow(5)
    other = len(chain)
    fork = chain.restore()
    assert ids(chain)[:300] == before
    assert len(chain) > other
    assert fork.intersection == chain.point(300 - depth)
    chain.grow(200)
    found = transactions(chain)
    assert len(set(found)) == len(found)


def test_without_a_fork_there_is_nothing_to_come_back_to() -> None:
    chain = empty_chain(5)
    with pytest.raises(ConfigurationError, match="fork first"):
        chain.restore()


def test_a_client_is_told_of_both_turns_of_a_flip() -> None:
    chain = empty_chain(30)
    with served(chain) as (_, one):
        for _ in range(30):
            one.next()
        do(one, "flip", blocks=4, seconds=0.2)
        first = [one.next() for _ in range(6)]
        assert first[0]["direction"] == "backward"
        assert first[0]["point"] == first[0]["point"]
        second = one.next()  # waits for the second turn
        assert second["direction"] == "backward"
        assert second["point"] == first[0]["point"]
        again = [one.next()["block"]["id"] for _ in range(4)]
        assert again == ids(chain)[26:30]
        assert not set(again) & {each["block"]["id"] for each in first[1:]}


def test_a_node_behind_hides_its_newest_blocks_for_a_while() -> None:
    chain = empty_chain(30)
    with served(chain) as (node, one):
        do(one, "behind", blocks=10, seconds=600)
        with pytest.raises(ConnectionClosed):
            one.receive()
        with client(node) as other:
            newest = chain.point(30)
            assert not isinstance(newest, str)
            assert other.find({"slot": newest.slot, "id": newest.id})["error"]["code"] == 1000
            assert other.call("queryNetwork/blockHeight")["result"] == 19
            for _ in range(20):
                other.next()
            other.send("nextBlock")
            with pytest.raises(TimeoutError):
                other.receive(timeout=0.2)
            do_end = Misbehaviour(kind="behind", blocks=0, seconds=0.01)
            node.misbehave_soon(do_end)


def test_a_tip_that_goes_back_is_older_than_the_block_beside_it() -> None:
    chain = empty_chain(30)
    with served(chain) as (_, one):
        do(one, "tip-back", blocks=25, seconds=600)
        found = [one.next() for _ in range(10)][-1]
        assert found["tip"]["height"] == 4 < found["block"]["height"]


def test_a_drop_closes_with_code_and_reason() -> None:
    with served(empty_chain(3)) as (_, one):
        do(one, "drop", code=1012)
        with pytest.raises(ConnectionClosed) as closed:
            one.receive()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, NODE_LOST)


def test_a_stalled_node_neither_answers_nor_closes_and_then_goes_on() -> None:
    with served(empty_chain(9)) as (node, one):
        node.misbehave_soon(Misbehaviour(kind="stall", seconds=0.5))
        one.send("nextBlock").send("queryNetwork/tip")
        with pytest.raises(TimeoutError):
            one.receive(timeout=0.2)
        assert {one.receive()["method"], one.receive()["method"]} == {"nextBlock", "queryNetwork/tip"}


def test_doubled_answers_come_twice() -> None:
    with served(empty_chain(9)) as (_, one):
        do(one, "double", blocks=2)
        heights = [one.next()["block"]["height"], one.receive()["result"]["block"]["height"]]
        heights += [one.next()["block"]["height"], one.receive()["result"]["block"]["height"]]
        assert heights == [0, 0, 1, 1]
        assert one.next()["block"]["height"] == 2


def test_a_slow_node_says_the_same_in_pieces() -> None:
    chain, _ = lively_chain(40)
    with served(chain) as (node, one):
        node.misbehave_soon(Misbehaviour(kind="slow", seconds=600))
        assert [one.next()["block"]["id"] for _ in range(40)] == ids(chain)


def test_monsters_are_on_the_chain_and_a_fork_carries_them_over() -> None:
    chain, _ = lively_chain(30)
    with served(chain) as (_, one):
        made = [do(one, "huge", megabytes=2), do(one, "poison")]
        chain.fork(4, drop_share=0.0)
        assert {each["transaction"] for each in made} <= set(transactions(chain))
        sizes = []
        for _ in range(len(chain)):
            one.send("nextBlock")
            sizes.append(len(one._connection.recv(timeout=10)))
        assert max(sizes) > 2 << 20


def test_poison_is_what_the_recorded_poison_is() -> None:
    """Nested as deep, and our own reader takes all but its script from it."""
    block = poison(1)
    with pytest.raises(RecursionError):
        json.loads(block.json)
    text = b'{"jsonrpc":"2.0","result":{"direction":"forward","block":%s,"tip":"origin"},"id":null}'
    chain = Chain()
    header = chain.add(20, [huge(1, 40_000), block])
    assert isinstance(header, Header)
    read = read_block(text % chain.read(Cursor(), 1, 1 << 30)[1][0])
    found = read.block.transactions  # type: ignore[union-attr]
    assert [getattr(tx, "id", "") for tx in found if not isinstance(tx, UnreadableTransaction)]
    assert POISON_LEVELS == 5_383


def test_another_network_answers_for_a_while() -> None:
    chain = empty_chain(9)
    with served(chain) as (node, one):
        do(one, "other-network", seconds=600)
        with client(node) as other:
            genesis = other.call("queryNetwork/genesisConfiguration", params={"era": "shelley"})["result"]
            assert genesis["networkMagic"] == chain.network.magic + 1
            assert other.next()["block"]["id"] != ids(chain)[0]


def test_what_the_chain_is_too_short_for_is_refused() -> None:
    with served(empty_chain(3)) as (_, one):
        assert one.call("devnet/misbehave", params={"kind": "fork", "blocks": 99})["error"]["code"] == -32000
        assert one.call("devnet/misbehave", params={"kind": "sneeze"})["error"]["code"] == -32602


def test_mischief_follows_from_its_seed_and_knows_every_kind_but_those_that_stop_a_follower() -> None:
    def row(seed: int) -> list[Misbehaviour]:
        mischief = Mischief(seed, SMALL_K)
        return [mischief.next() for _ in range(300)]

    assert row(1) == row(1) != row(2)
    assert {each.kind for each in row(1)} == set(KINDS) - {"double", "other-network"}
    assert all(0 < each.blocks <= SMALL_K for each in row(1))
