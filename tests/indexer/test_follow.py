from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chain import (
    ORIGIN,
    Block,
    BoundaryBlock,
    ChainMessage,
    Point,
    PointOrOrigin,
    RollBackward,
    RollForward,
    Tip,
)
from indexer.errors import InvalidChainData
from indexer.follow import Append, ChainBroken, Cursor, Effect, NodeBehind, RollbackTooDeep, Undo, follow

K = 5


def block(height: int, branch: str = "a", parent: Block | None = None) -> Block:
    identity = f"{branch}{height}".encode().hex().ljust(64, "0")
    return Block(Point(height * 20, identity), height, parent.point.id if parent else "genesis")


def chain(length: int, branch: str = "a", after: Block | None = None) -> list[Block]:
    blocks: list[Block] = []
    start = after.height + 1 if after else 0
    for height in range(start, start + length):
        blocks.append(block(height, branch, blocks[-1] if blocks else after))
    return blocks


def tip(height: int) -> Tip:
    return Tip(height * 20, "f" * 64, height)


def forward(blocks: list[Block], tip_height: int = 10_000) -> list[ChainMessage]:
    return [RollForward(each, tip(tip_height)) for each in blocks]


def back(point: PointOrOrigin, tip_height: int = 10_000) -> RollBackward:
    return RollBackward(point, tip(tip_height))


def applied(effects: list[Effect], points: list[Point] | None = None) -> list[Point]:
    """The chain that a log has after these effects."""
    known = list(points or [])
    for effect in effects:
        match effect:
            case Append():
                known += [each.point for each in effect.blocks]
            case Undo():
                known = known[: known.index(effect.to) + 1]
    return known


def test_roll_backward_keeps_the_block_at_the_point() -> None:
    blocks = chain(4)
    cursor, effects = follow(Cursor(ORIGIN), [*forward(blocks), back(blocks[1].point)], K)
    assert cursor.point == blocks[1].point
    assert applied(effects) == [blocks[0].point, blocks[1].point]


def test_the_first_answer_after_an_intersection_at_the_cursor_is_nothing() -> None:
    blocks = chain(3)
    before, _ = follow(Cursor(ORIGIN), forward(blocks), K)
    after, effects = follow(before, [back(blocks[-1].point, tip_height=2)], K)
    assert after == before
    assert effects == []


def test_an_empty_log_meets_the_node_at_the_origin() -> None:
    assert follow(Cursor(ORIGIN), [RollBackward(ORIGIN, ORIGIN)], K) == (Cursor(ORIGIN), [])


def test_a_rollback_decided_while_forward_steps_are_queued_is_judged_against_them() -> None:
    blocks = chain(6)
    messages = [*forward(blocks), back(blocks[3].point), *forward(chain(4, "b", blocks[3]))]
    cursor, effects = follow(Cursor(ORIGIN), messages, K)
    kinds = [type(effect) for effect in effects]
    assert kinds == [Append, Undo, Append]
    assert isinstance(effects[1], Undo)
    assert effects[1].depth_blocks == 2
    assert effects[1].left.id == blocks[5].point.id
    assert cursor.height == 7


def test_two_rollbacks_to_one_point_undo_once() -> None:
    blocks = chain(4)
    cursor, effects = follow(Cursor(ORIGIN), [*forward(blocks), back(blocks[1].point), back(blocks[1].point)], K)
    assert [type(effect) for effect in effects] == [Append, Undo]
    assert cursor.point == blocks[1].point


def test_a_chain_left_and_taken_up_again_is_followed_both_times() -> None:
    blocks = chain(4)
    other = chain(3, "b", blocks[1])
    messages = [
        *forward(blocks),
        back(blocks[1].point),
        *forward(other),
        back(blocks[1].point),
        *forward(blocks[2:]),
    ]
    _, effects = follow(Cursor(ORIGIN), messages, K)
    assert applied(effects) == [each.point for each in blocks]


@pytest.mark.parametrize("depth", [1, K])
def test_a_rollback_of_up_to_k_blocks_is_followed(depth: int) -> None:
    blocks = chain(10)
    before, _ = follow(Cursor(ORIGIN), forward(blocks), K)
    after, effects = follow(before, [back(blocks[9 - depth].point)], K)
    assert after.point == blocks[9 - depth].point
    assert isinstance(effects[0], Undo)
    assert effects[0].depth_blocks == depth


def test_a_rollback_deeper_than_k_stops_the_follower() -> None:
    blocks = chain(10)
    before, _ = follow(Cursor(ORIGIN), forward(blocks), K)
    with pytest.raises(RollbackTooDeep, match="Nothing was written"):
        follow(before, [back(blocks[9 - K - 1].point)], K)


def test_a_rollback_deeper_than_k_stops_the_follower_where_its_blocks_came_with_it_too() -> None:
    """What the call itself brought is as final as what came before it."""
    blocks = chain(20)
    with pytest.raises(RollbackTooDeep):
        follow(Cursor(ORIGIN), [*forward(blocks), back(blocks[19 - K - 1].point)], K)


def test_what_was_final_once_stays_final_after_a_shallow_rollback() -> None:
    blocks = chain(10)
    cursor, _ = follow(Cursor(ORIGIN), [*forward(blocks), back(blocks[6].point)], K)
    with pytest.raises(RollbackTooDeep):
        follow(cursor, [back(blocks[3].point)], K)  # 3 blocks deep, but 6 below the highest block seen


def test_a_rollback_to_the_origin_stops_the_follower() -> None:
    before, _ = follow(Cursor(ORIGIN), forward(chain(3)), K)
    with pytest.raises(RollbackTooDeep):
        follow(before, [back(ORIGIN)], K)


def test_a_rollback_to_where_the_log_began_is_followed_while_in_reach() -> None:
    whole = chain(4)
    cursor, effects = follow(Cursor(whole[0].point), [*forward(whole[1:]), back(whole[0].point)], K)
    assert cursor.point == whole[0].point
    assert isinstance(effects[-1], Undo)
    assert effects[-1].to_height == 0


def test_a_node_whose_tip_is_below_ours_is_behind_and_nothing_is_undone() -> None:
    blocks = chain(10)
    before, _ = follow(Cursor(ORIGIN), forward(blocks), K)
    for point in (blocks[7].point, blocks[1].point, ORIGIN):
        with pytest.raises(NodeBehind):
            follow(before, [back(point, tip_height=8)], K)


def test_a_fork_of_the_same_length_is_a_rollback() -> None:
    blocks = chain(4)
    before, _ = follow(Cursor(ORIGIN), forward(blocks), K)
    _, effects = follow(before, [back(blocks[2].point, tip_height=3)], K)
    assert isinstance(effects[0], Undo)


def test_a_gap_stops_the_follower_and_says_why() -> None:
    blocks = chain(4)
    with pytest.raises(ChainBroken, match="left a gap"):
        follow(Cursor(ORIGIN), forward([blocks[0], blocks[1], blocks[3]]), K)


def test_a_height_that_does_not_follow_stops_the_follower() -> None:
    first = block(0)
    second = Block(Point(20, "b" * 64), 2, first.point.id)
    with pytest.raises(ChainBroken, match="height 2"):
        follow(Cursor(ORIGIN), forward([first, second]), K)


@pytest.mark.parametrize(("slot", "height"), [(2**63, 1), (10**400, 1), (1, 2**63)])
def test_a_block_beyond_what_a_table_can_hold_stops_the_follower(slot: int, height: int) -> None:
    with pytest.raises(ChainBroken, match="beyond all slots and heights"):
        follow(Cursor(Point(0, "9" * 64)), forward([Block(Point(slot, "a" * 64), height, "9" * 64)]), K)


def test_a_slot_that_does_not_grow_stops_the_follower() -> None:
    first = block(1)
    second = Block(Point(20, "b" * 64), 2, first.point.id)
    with pytest.raises(ChainBroken, match="later slot"):
        follow(Cursor(ORIGIN), forward([first, second]), K)


def test_a_rollback_to_a_block_never_seen_stops_the_follower() -> None:
    before, _ = follow(Cursor(ORIGIN), forward(chain(4)), K)
    with pytest.raises(InvalidChainData, match="never on the chain"):
        follow(before, [back(Point(41, "9" * 64))], K)


def test_the_first_block_must_follow_where_the_log_began() -> None:
    with pytest.raises(ChainBroken, match="the log begins after"):
        follow(Cursor(Point(5, "7" * 64)), forward(chain(1)), K)


def test_a_byron_boundary_block_links_its_neighbours_and_is_no_point() -> None:
    first = block(1)
    boundary = BoundaryBlock("e" * 64, 1, first.point.id)
    second = Block(Point(100, "b" * 64), 2, boundary.id)
    messages = [*forward([first]), RollForward(boundary, tip(9)), *forward([second])]
    cursor, effects = follow(Cursor(ORIGIN), messages, K)
    assert cursor.point == second.point
    assert isinstance(effects[0], Append)
    assert effects[0].boundaries == {second.point.id: boundary.id}
    again, nothing = follow(cursor, [back(second.point)], K)
    assert (again, nothing) == (cursor, [])


def test_the_cursor_keeps_no_more_than_k_blocks_and_the_one_below_them() -> None:
    cursor, _ = follow(Cursor(ORIGIN), forward(chain(1_000)), K)
    assert len(cursor.blocks) == K + 1
    assert not cursor.whole


@st.composite
def walks(draw: st.DrawFn) -> list[list[ChainMessage]]:
    """What an honest node sends over its life, cut into the batches in which it happens to arrive."""
    current: list[Block] = []
    highest = 0
    messages: list[ChainMessage] = [RollBackward(ORIGIN, ORIGIN)]
    for number in range(draw(st.integers(1, 12))):
        dropped = 0
        forked = draw(st.booleans())
        if current and forked:
            keep = draw(st.integers(max(0, highest - K), len(current) - 1))
            dropped = len(current) - 1 - keep
            current = current[: keep + 1]
        grown = chain(dropped + draw(st.integers(1, 4)), f"{number}", current[-1] if current else None)
        if dropped:
            messages.append(back(current[-1].point, grown[-1].height))
        messages += forward(grown, grown[-1].height)
        current += grown
        highest = max(highest, current[-1].height)
    batches: list[list[ChainMessage]] = []
    while messages:
        size = draw(st.integers(1, len(messages)))
        batches.append(messages[:size])
        messages = messages[size:]
    return batches


@settings(max_examples=300)
@given(walks())
def test_any_walk_over_forks_ends_as_the_chain_it_ends_on(batches: list[list[ChainMessage]]) -> None:
    """However the messages are batched: never a gap, nothing twice, and no retraction deeper than k (I1, I5)."""
    cursor = Cursor(ORIGIN)
    points: list[Point] = []
    for batch in batches:
        cursor, effects = follow(cursor, batch, K)
        assert all(effect.depth_blocks <= K for effect in effects if isinstance(effect, Undo))
        points = applied(effects, points)
    assert points == expected_chain(batches)
    assert [Point(entry.slot, entry.id) for entry in cursor.blocks] == points[-len(cursor.blocks) :]


def expected_chain(batches: list[list[ChainMessage]]) -> list[Point]:
    points: list[Point] = []
    for message in flattened(batches):
        if isinstance(message, RollForward):
            assert isinstance(message.block, Block)
            points.append(message.block.point)
        elif isinstance(message.point, Point):
            points = [point for point in points if point.slot <= message.point.slot]
    return points


def flattened(batches: list[list[ChainMessage]]) -> Iterator[ChainMessage]:
    for batch in batches:
        yield from batch
