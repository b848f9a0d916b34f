import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from deploy.devnet.chain import Chain
from deploy.devnet.network import Network
from deploy.devnet.recording import load
from deploy.devnet.server import serve
from indexer.chain import ORIGIN, Point, Tip
from indexer.errors import OperatorMustAct
from indexer.follow import ChainBroken, NodeBehind, RollbackTooDeep
from indexer.log.audit import verify
from indexer.log.kafka import KafkaLog
from indexer.log.port import LogBusy, LogDamaged, LogMismatch
from indexer.log.records import Forward, Rollback
from indexer.log.replay import replay
from indexer.log.urls import open_log
from indexer.nodes import NodeState
from indexer.ogmios.node import NodeRefused, inspect_node
from indexer.outside import OgmiosNodes
from indexer.refetch import refetch
from indexer.run import FollowOptions, run_follower
from indexer.session import Progress
from tests.indexer.log.test_kafka_damage import Topics, write_topics
from tests.indexer.nodes import MAGIC, PROFILE, K, ScriptedNode, backward, forward, scripted
from tests.indexer.test_follow import chain as linked
from tests.kafka import new_log
from tests.shared import shared


def devnet(blocks: int = 100, **network: Any) -> Chain:
    chain = Chain(Network(**({"k": K, "magic": MAGIC} | network)))
    chain.grow(blocks)
    made.append(chain)
    return chain


made: list[Chain] = []


@pytest.fixture(autouse=True)
def _chains_are_closed() -> Iterator[None]:
    yield
    while made:
        made.pop().close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'events.db'}"


def follow(url: str, *endpoints: str, profile: Any = PROFILE, **options: Any) -> list[Progress]:
    """Follows to the tip, as the command with --until-tip."""
    seen: list[Progress] = []
    log = open_log(url)
    try:
        run_follower(
            log,
            (profile,),
            FollowOptions(endpoints=endpoints, **({"until_tip": True} | options)),
            stop=lambda: False,
            pause=lambda seconds: time.sleep(min(seconds, 0.02)),
            on_progress=seen.append,
        )
    finally:
        log.close()
    return seen


@contextmanager
def following(
    url: str, *endpoints: str, on_nodes: Callable[[tuple[NodeState, ...]], None] = lambda _: None, **options: Any
) -> Iterator[list[Progress]]:
    """A follower at work in the background."""
    stopped = threading.Event()
    seen: list[Progress] = []
    failed: list[BaseException] = []

    def work() -> None:
        log = open_log(url)
        try:
            run_follower(
                log,
                (PROFILE,),
                FollowOptions(endpoints=endpoints, **options),
                stop=stopped.is_set,
                pause=lambda seconds: time.sleep(min(seconds, 0.02)),
                on_progress=seen.append,
                on_nodes=on_nodes,
            )
        except OperatorMustAct as error:
            failed.append(error)
        finally:
            log.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        stopped.set()
        thread.join(30)
        assert not thread.is_alive()
        assert not failed


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def points_in(url: str) -> list[Point]:
    """The chain as the log's spine tells it."""
    log = open_log(url)
    points: list[Point] = []
    for stored in log.spine():
        match stored.spine:
            case Forward(blocks=blocks):
                points += [Point(each.slot, each.id) for each in blocks]
            case Rollback(point=point):
                assert isinstance(point, Point)
                points = points[: points.index(point) + 1]
            case _:
                pass
    report = verify(log)
    log.close()
    assert report.fault is None, report.fault
    return points


def points_of(chain: Chain) -> list[Any]:
    return [chain.point(position) for position in range(1, len(chain) + 1)]


def last_step(url: str) -> int:
    log = open_log(url)
    end = log.end()
    log.close()
    return end.spine.step if end else -1


def test_a_chain_is_in_the_log_block_for_block(url: str) -> None:
    chain = devnet(500)
    with serve(chain) as node:
        follow(url, node.url)
    assert points_in(url) == points_of(chain)


def test_a_second_run_goes_on_where_the_first_ended_and_writes_nothing_twice(url: str) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url)
        steps = last_step(url)
        follow(url, node.url)
        assert last_step(url) == steps
        chain.grow(7)
        follow(url, node.url)
    assert points_in(url) == points_of(chain)


@pytest.mark.parametrize("depth", [1, 5, K])
def test_a_fork_while_we_were_off_is_undone_at_the_next_start(url: str, depth: int) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url)
        chain.fork(depth)
        follow(url, node.url)
    assert points_in(url) == points_of(chain)


def test_a_fork_deeper_than_k_stops_with_a_message_and_writes_nothing(url: str) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url)
        steps = last_step(url)
        chain.fork(K + 1)
        with pytest.raises(RollbackTooDeep, match="Nothing was written"):
            follow(url, node.url)
    assert last_step(url) == steps


def test_another_chain_altogether_stops_with_a_message_and_writes_nothing(url: str) -> None:
    with serve(devnet()) as node:
        follow(url, node.url)
    steps = last_step(url)
    other = Chain(Network(k=K, magic=MAGIC), seed=99)
    other.grow(200)
    made.append(other)
    with serve(other) as node, pytest.raises(OperatorMustAct, match="knows none of the"):
        follow(url, node.url)
    assert last_step(url) == steps


def test_forks_that_arrive_live_are_followed_one_after_the_other(url: str) -> None:
    chain = devnet()
    with serve(chain) as node, following(url, node.url) as seen:
        for depth in (1, 3, 3, K, 2):
            wait_until(lambda: bool(seen) and isinstance(chain.tip, Tip) and seen[-1].slot == chain.tip.slot)
            chain.fork(depth)
        wait_until(lambda: isinstance(chain.tip, Tip) and seen[-1].slot == chain.tip.slot)
        assert seen[-1].rollbacks == 5
    assert points_in(url) == points_of(chain)


def test_every_close_is_survived_and_answers_of_the_old_connection_reach_nobody(url: str) -> None:
    chain = devnet(3_000)
    with serve(chain) as node, following(url, node.url) as seen:
        for _ in range(8):
            node.disconnect(reason='{"error":{"code":-32000,"message":"Connection with the node lost or failed."}}')
            time.sleep(0.05)
            chain.grow(50)
        wait_until(lambda: bool(seen) and isinstance(chain.tip, Tip) and seen[-1].slot == chain.tip.slot)
    assert points_in(url) == points_of(chain)


def test_a_node_that_dies_is_replaced_by_the_next(url: str) -> None:
    first, second = devnet(), devnet()
    with serve(second) as spare, ExitStack() as life:
        node = life.enter_context(serve(first))
        told: list[tuple[NodeState, ...]] = []
        with following(url, node.url, spare.url, on_nodes=told.append) as seen:
            wait_until(lambda: bool(seen) and seen[-1].height == 99)
            assert [(each.endpoint, each.state) for each in told[-1]] == [(node.url, "followed"), (spare.url, "sound")]
            assert {each.network for each in told[-1]} == {"devnet"}
            life.close()
            second.grow(10)
            wait_until(lambda: seen[-1].height == 109)
            gone, followed = told[-1]
            assert (gone.state, followed.state, followed.faults) == ("unwell", "followed", 0)
            assert gone.faults >= 1
            assert gone.last_fault
    assert points_in(url) == points_of(second)


def test_a_node_of_another_network_is_refused_with_the_reason(url: str) -> None:
    with serve(devnet(magic=7)) as node, pytest.raises(NodeRefused, match="magic 7, not 42424"):
        follow(url, node.url)
    assert last_step(url) == -1


def test_a_node_with_another_k_is_refused_once_the_log_has_one(url: str) -> None:
    with serve(devnet()) as node:
        follow(url, node.url)
    with serve(devnet(k=K + 1)) as node, pytest.raises(NodeRefused, match="k = 21"):
        follow(url, node.url)


@pytest.mark.parametrize("version", ["v5.6.0", "v6.0.3", "v8.0.0", "what"])
def test_an_ogmios_of_another_age_is_refused_with_the_reason(url: str, version: str) -> None:
    with scripted(ScriptedNode([], version=version)) as node, pytest.raises(NodeRefused, match=r"v6\.1 to v7"):
        follow(url, node)


def test_a_lagging_node_is_refused_with_the_reason_and_the_other_followed(url: str) -> None:
    ahead, behind = devnet(200), devnet(100)
    with serve(ahead) as good, serve(behind) as late, capture_logs() as logs:
        follow(url, late.url, good.url)
    assert points_in(url) == points_of(ahead)
    refusals = [entry["reason"] for entry in logs if entry["event"] == "endpoint_refused"]
    assert any("lags" in reason for reason in refusals)


def test_a_node_that_is_merely_behind_is_no_rollback(url: str) -> None:
    chain, behind = devnet(100), devnet(90)
    with serve(chain) as node:
        follow(url, node.url)
    steps = last_step(url)
    with serve(behind) as node:
        follow(url, node.url)  # nothing more is to be had for now
        assert last_step(url) == steps
        with following(url, node.url) as seen:
            time.sleep(0.2)
            assert last_step(url) == steps
            behind.grow(20)
            wait_until(lambda: bool(seen) and seen[-1].height == 109)
    assert points_in(url) == points_of(behind)


def test_a_gap_stops_the_follower_and_says_why(url: str) -> None:
    blocks = linked(5)
    frames = [backward(ORIGIN, blocks[-1]), *(forward(each, blocks[-1]) for each in (*blocks[:3], blocks[4]))]
    with scripted(ScriptedNode(frames)) as node, pytest.raises(ChainBroken, match="left a gap"):
        follow(url, node)


def test_a_frame_that_is_no_answer_sets_the_node_aside_and_the_next_one_is_followed(url: str) -> None:
    chain = devnet(20)  # so short that a node at the origin does not count as lagging
    bad = ScriptedNode([backward(ORIGIN, None).replace(b"origin", b"slot"), b"not json"])
    with scripted(bad) as first, serve(chain) as second, capture_logs() as logs:
        follow(url, first, second.url)
    assert points_in(url) == points_of(chain)
    assert any(entry["event"] == "node_set_aside" for entry in logs)


def test_origin_is_offered_by_an_empty_log_only(url: str) -> None:
    blocks = linked(3)
    frames = [backward(ORIGIN, blocks[-1]), *(forward(each, blocks[-1]) for each in blocks)]
    with scripted(first := ScriptedNode(frames)) as node:
        follow(url, node)
    assert first.offered == [["origin"]]
    with scripted(second := ScriptedNode([backward(blocks[-1].point, blocks[-1])])) as node:
        follow(url, node)
    assert second.offered[0][0] == {"slot": blocks[-1].point.slot, "id": blocks[-1].point.id}
    assert "origin" not in second.offered[0]


def test_requests_are_pipelined_and_each_is_the_same_bytes(url: str) -> None:
    blocks = linked(3)
    frames = [backward(ORIGIN, blocks[-1]), *(forward(each, blocks[-1]) for each in blocks)]
    with scripted(script := ScriptedNode(frames)) as node:
        follow(url, node, in_flight=100)
        wait_until(lambda: len(script.requests) >= 100)
    assert len(set(script.requests)) == 1


def test_a_new_log_may_begin_after_a_given_block(url: str) -> None:
    chain = devnet()
    start = chain.point(40)
    with serve(chain) as node:
        follow(url, node.url, since=start)
        follow(url, node.url, since=start)
    assert points_in(url) == points_of(chain)[40:]


def test_another_beginning_than_the_logs_is_refused(url: str) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url, since=chain.point(40))
        with pytest.raises(LogMismatch, match="begins after"):
            follow(url, node.url, since=chain.point(41))


def test_a_chain_that_begins_in_the_middle_is_followed_from_the_block_before_it(url: str) -> None:
    """The real preview run, block for block, with its parent links."""
    chain = Chain(Network(k=432, magic=MAGIC))
    made.append(chain)
    load(shared("chain/preview-01285.ndjson.zst"), chain)
    with serve(chain) as node:
        with pytest.raises(ChainBroken, match="--since"):
            follow(f"{url}-from-origin", node.url)
        follow(url, node.url, since=chain.root)
    assert points_in(url) == points_of(chain)
    assert len(chain) == 864


def test_a_beginning_that_the_node_does_not_know_stops_with_a_message(url: str) -> None:
    with serve(devnet()) as node, pytest.raises(OperatorMustAct, match="knows none of the 1 points"):
        follow(url, node.url, since=Point(5, "9" * 64))


def test_other_profiles_than_the_logs_are_refused(url: str) -> None:
    with serve(devnet()) as node:
        follow(url, node.url)
        with pytest.raises(LogMismatch, match="test"):
            follow(url, node.url, profile=replace(PROFILE, passport_policy="bb" * 28))


def test_a_second_follower_of_one_log_is_refused_while_the_first_lives(url: str) -> None:
    with serve(devnet()) as node, following(url, node.url) as seen:
        wait_until(lambda: bool(seen))
        with pytest.raises(LogBusy):
            follow(url, node.url)


def test_a_standby_waits_and_takes_over_when_the_other_is_gone(url: str) -> None:
    chain = devnet()
    first = open_log(url)
    with serve(chain) as node, ExitStack() as stack:
        with first.lease():
            seen = stack.enter_context(following(url, node.url, standby=True))
            time.sleep(0.3)
            assert not seen
        wait_until(lambda: bool(seen) and seen[-1].height >= len(chain) - 1)
    first.close()


def test_a_follower_on_kafka_mends_a_torn_step_before_it_goes_on(url: str, kafka_servers: str) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url, partitions=3)
        source = open_log(url)
        topics = Topics(list(replay(source, 0, last_step(url))))
        source.close()
        topics.groups[-1][1] = []
        kafka_url = new_log(kafka_servers, "devnet")
        log = open_log(kafka_url)
        assert isinstance(log, KafkaLog)
        write_topics(log, topics, kafka_servers)
        assert verify(log).fault is not None
        log.close()
        chain.grow(5)
        follow(kafka_url, node.url, partitions=3)
        follow(url, node.url)
        assert points_in(kafka_url) == points_in(url) == points_of(chain)


def test_blocks_of_a_step_are_read_again_while_the_chain_has_them(url: str) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url)
        log = open_log(url)
        before, stored = list(log.spine())[-2:]
        log.close()
        assert isinstance(stored.spine, Forward)
        eras = inspect_node(node.url).eras
        assert refetch((OgmiosNodes(), node.url), eras, (PROFILE,), MAGIC, (before, stored.spine)) == []
    another = devnet(3)
    with serve(another) as other:
        with pytest.raises(NodeBehind):
            refetch((OgmiosNodes(), other.url), eras, (PROFILE,), MAGIC, (stored, stored.spine))
        another.grow(stored.spine.height)
        with pytest.raises(LogDamaged, match="no longer has its blocks"):
            refetch((OgmiosNodes(), other.url), eras, (PROFILE,), MAGIC, (stored, stored.spine))


def test_nobody_listening_is_tried_a_few_times_and_then_left_to_the_caller(url: str) -> None:
    with serve(devnet()) as node:
        dead = node.url
    with pytest.raises(Exception, match=r"can't connect") as failed:
        follow(url, dead)
    assert getattr(failed.value, "exit_code", None) == 3


def test_a_log_whose_tail_was_damaged_is_not_written_on(url: str) -> None:
    chain = devnet()
    with serve(chain) as node:
        follow(url, node.url)
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as file, file:
            file.execute("DELETE FROM records WHERE position = (SELECT max(position) FROM records)")
        chain.grow(1)
        with pytest.raises(LogDamaged):
            follow(url, node.url)


def test_each_block_at_the_tip_is_a_step_of_its_own_and_catching_up_takes_few(url: str) -> None:
    chain = devnet(2_000)
    with serve(chain) as node, following(url, node.url) as seen:
        wait_until(lambda: bool(seen) and seen[-1].height == 1_999)
        caught_up = last_step(url)
        assert caught_up < 200
        for _ in range(5):
            chain.grow(1)
            wait_until(lambda: isinstance(chain.tip, Tip) and seen[-1].height == chain.tip.height)
        assert last_step(url) == caught_up + 5
