"""A follower's death at every one of its effects, each before it, after it, and in the middle of it."""

import pytest

from tests.simulation.blocks import Mix
from tests.simulation.faults import FAILURES, MOMENTS, How, Moment, Process
from tests.simulation.plan import Action, Plan, Settings
from tests.simulation.run import simulate
from tests.simulation.world import World

# Forward by many and by one, a fork while blocks are queued, A -> B -> A, another node, a dropped connection.
WALK = Plan(
    Settings(k=5, partitions=2, nodes=2, batch=4, mix=Mix(ours=200, foreign=20)),
    (
        Action("grow", 0, 6),
        Action("grow", 0, 1),
        Action("fork", 0, 2, 1, hasty=True),
        Action("grow", 0, 2, 0, hasty=True),
        Action("return", 0),
        Action("append fault", 1),
        Action("grow", 0, 1),
        Action("drop", 0, 1),
        Action("fork", 1, 1, 1),
        Action("down", 0),
        Action("grow", 1, 3),
        Action("project", 0, 60, 0),
        Action("project", 1, 60, 0),
        Action("append fault", 3, 1),
        Action("grow", 1, 1),
    ),
)


def effects() -> int:
    """How many effects the first follower of an undisturbed walk has."""
    process = Process("follower 0")
    World(WALK, first_process=process).run()
    return process.effects


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_crash_at_any_effect_leaves_no_trace(moment: Moment) -> None:
    count = effects()
    assert count > 100
    for at in range(1, count + 1):
        simulate(WALK, first_process=Process("follower 0", kill_at=(at, moment)), rival=False)


@pytest.mark.parametrize("how", FAILURES)
def test_a_reply_that_fails_at_any_effect_leaves_no_trace(how: How) -> None:
    """The request never arrives, or it is served and its reply lost, or another reply comes in its place."""
    for at in range(1, effects() + 1):
        simulate(WALK, first_process=Process("follower 0", fail_at=(at, how)), rival=False)


def test_a_zombie_that_wakes_at_any_effect_writes_nothing() -> None:
    """It stands still at that effect while another follower takes the log over and follows on."""
    fenced = 0
    for at in range(2, effects() + 1):
        result = simulate(WALK, first_process=Process("follower 0", pause_at=at), rival=False)
        fenced += result.faults["zombie fenced"]
    assert fenced > 10
