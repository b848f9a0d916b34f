"""The simulator in the suite: runs of many seeds, and walks that once found something."""

from collections import Counter

import msgspec
import pytest
from msgspec.structs import replace

from tests.simulation.engine import Outcome
from tests.simulation.faults import Process
from tests.simulation.plan import LONG, OUTCOMES, STORM, Action, Plan, Weights, make_plan
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.run import Result, failure_of, nothing, simulate
from tests.simulation.shrink import shrink

SEEDS = [f"suite/{number}" for number in range(8)]


def run(seeds: list[str], blocks: int, weights: Weights) -> Result:
    total = nothing()
    for seed in seeds:
        total.add(simulate(make_plan(seed, blocks, weights=weights)))
    return total


@pytest.mark.parametrize("part", range(4))
def test_no_storm_of_faults_loses_doubles_or_hides_a_fact(part: int) -> None:
    """Invariants I1 to I9, I12 and I13, in runs where no fault is rare."""
    total = run([f"storm/{part}/{number}" for number in range(15)], 400, STORM)
    assert total.rollbacks > 60
    for happened in (
        "follower killed",
        "follower fenced off",
        "append: hang",
        "append: tear",
        "lie noticed: ChainBroken",
    ):
        assert total.faults[happened] > 0, f"no run had: {happened}"


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_no_long_walk_over_forks_loses_doubles_or_hides_a_fact(part: int) -> None:
    """With the storms, a hundred thousand blocks."""
    total = nothing()
    number = 0
    while total.blocks < 25_000:
        total.add(simulate(make_plan(f"long/{part}/{number}", 6_000, weights=LONG), rival=number == 0))
        number += 1
    assert total.rollbacks > 1_000


@pytest.mark.parametrize("name", [*REGRESSIONS])
def test_a_walk_that_once_found_a_fault_finds_none(name: str) -> None:
    plan = msgspec.json.decode(REGRESSIONS[name], type=Plan)
    assert failure_of(plan) is None


def test_one_seed_is_one_run() -> None:
    plan = make_plan("same", 300)
    assert make_plan("same", 300) == plan
    first, second = simulate(plan), simulate(plan)
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


def test_a_failing_walk_is_shortened_to_what_it_fails_by() -> None:
    """Here: three grows, of which the last but one comes after a fork."""

    def fails(plan: Plan) -> str | None:
        kinds = [action.kind for action in plan.actions]
        wrong = "fork" in kinds and kinds[kinds.index("fork") :].count("grow") >= 2
        return "InvariantBroken: I1: made up" if wrong else None

    plan = make_plan("shrink", 500)
    short, failure, least = shrink(plan, seconds=30, fails=fails)
    assert [action.kind for action in short.actions] == ["fork", "grow", "grow"]
    assert failure.startswith("InvariantBroken: I1")
    assert least
    assert msgspec.json.decode(msgspec.json.encode(short), type=Plan) == short


def test_a_plan_without_actions_ends_at_the_tip() -> None:
    settings = make_plan("none", 1).settings
    assert simulate(Plan(settings, (Action("silence"),))).blocks == 1


def test_the_only_node_is_asked_again_after_any_reply_that_failed() -> None:
    """I12: an error in place of an answer is no reason to leave a node for good."""
    settings = replace(make_plan("failed", 1).settings, nodes=1)
    plan = Plan(settings, (Action("grow", 0, 9), Action("fork", 0, 2, 1), Action("grow", 0, 3)))
    failed: Counter[str] = Counter()
    for at in range(1, 40):
        failed += simulate(plan, first_process=Process("follower 0", fail_at=(at, "instead")), rival=False).faults
    assert failed["another reply instead: receive"] > 5


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_step_that_failed_is_written_again_and_nothing_after_it_is_lost(outcome: Outcome) -> None:
    """I12: whatever became of the append, and though nothing else goes wrong after it."""
    # One node only: no other is asked after a while, which would mend what the session itself does not.
    settings = replace(make_plan("failed", 1).settings, nodes=1)
    actions = (Action("grow", 0, 9), Action("append fault", OUTCOMES.index(outcome), 1), Action("grow", 0, 3))
    result = simulate(Plan(settings, (*actions, Action("silence"), Action("grow", 0, 2))), rival=False)
    assert result.faults[f"append: {outcome}"] == 1
