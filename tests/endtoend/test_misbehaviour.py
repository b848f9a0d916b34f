"""The follower and its log survive whatever the node does: in the end they say what an undisturbed run says."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.devnet.chain import Chain
from deploy.devnet.misbehaviour import KINDS, Kind, Misbehaviour, Mischief
from deploy.devnet.server import Node, serve
from indexer.log.urls import open_log
from indexer.protocol.profile import load_profile
from indexer.run import FollowOptions, run_follower
from tests.endtoend.pipeline import K, Pipeline, canonical_digest, devnet
from tests.endtoend.processes import Running, wait_until

STOPS_IT: dict[Kind, str] = {"double": "as its parent", "other-network": "is on the network with magic 42425"}
"""At these a follower ends with exit code 4 and says why, as it should, and goes on when it is started again."""

pytestmark = pytest.mark.long


@contextmanager
def misbehaving(folder: Path, chain: Chain) -> Iterator[tuple[Pipeline, Node]]:
    with closing(chain), serve(chain) as node, closing(Pipeline(folder, chain, node.url)) as run:
        yield run, node


def undisturbed(run: Pipeline) -> tuple[int, int, str]:
    url = f"sqlite:{run.folder / 'undisturbed.db'}"
    profile = load_profile(run.profile.read_text(), str(run.profile))
    options = FollowOptions(endpoints=(run.ogmios,), until_tip=True)
    with closing(open_log(url)) as log:
        run_follower(log, (profile,), options, stop=lambda: False, pause=time.sleep, on_progress=lambda _: None)
    return canonical_digest(url)


def grow_and_wait(run: Pipeline, follower: Running) -> Running:
    """Lets the chain go on and the follower catch up; one that ended rightly is started again, as by an operator."""

    def caught_up() -> bool:
        nonlocal follower
        if not follower.alive:
            assert follower.process.returncode == 4, follower.errors[-2000:]
            follower = run.follower()
        return run.at_tip()

    run.grow_slowly(30)
    wait_until(caught_up, "the follower to reach the tip")
    return follower


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_says_what_an_undisturbed_run_says(folder: Path, kind: Kind) -> None:
    with misbehaving(folder, devnet(blocks=200)) as (run, node):
        follower = first = run.follower()
        run.wait_for_tip()
        # A flip goes back over what grew meanwhile too, and that must not be more than k.
        for depth in (1, 5, 10) if kind == "flip" else (1, 7, K):
            done = node.misbehave_soon(Misbehaviour(kind=kind, blocks=depth, seconds=0.8, megabytes=3))
            assert done["kind"] == kind
            run.grow_slowly(5)
            time.sleep(0.9)  # until what lasts a while has ended
            follower = grow_and_wait(run, follower)
        assert (first.process.poll() == 4) == (kind in STOPS_IT), first.errors[-2000:]
        if kind in STOPS_IT:
            assert STOPS_IT[kind] in first.errors
        assert follower.terminate() == 0
        assert canonical_digest(run.log_url) == undisturbed(run)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_log_survives_a_row_of_misbehaviours_drawn_by_seed(folder: Path, seed: int) -> None:
    with misbehaving(folder, devnet(seed=seed, blocks=200)) as (run, node):
        follower = run.follower()
        mischief = Mischief(seed, K)
        done: list[dict[str, Any]] = []
        for _ in range(25):
            done.append(node.misbehave_soon(mischief.next()))
            run.grow_slowly(3, 0.1)
        time.sleep(3.2)
        run.grow_slowly(3 * K)
        wait_until(run.at_tip, "the follower to reach the tip")
        follower.must_live()
        assert follower.terminate() == 0
        assert len({each["kind"] for each in done}) > 5
        assert canonical_digest(run.log_url) == undisturbed(run)


def test_a_follower_with_another_node_leaves_the_one_that_changed_its_network(folder: Path) -> None:
    chain = devnet(blocks=200)
    with misbehaving(folder, chain) as (run, node), serve(chain) as other:
        follower = run.follower("--ogmios", other.url)
        run.wait_for_tip()
        node.misbehave_soon(Misbehaviour(kind="other-network", seconds=600))
        run.grow_slowly(10)
        run.wait_for_tip()
        follower.must_live()
        assert follower.terminate() == 0
