"""Runs a plan and says how it ended."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from msgspec import Struct

from indexer.errors import CellwitnessError
from tests.simulation.checks import check_end
from tests.simulation.faults import InvariantBroken, Process
from tests.simulation.plan import Plan
from tests.simulation.world import World

FAILURES: Final = (
    InvariantBroken,
    CellwitnessError,
    AssertionError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)
"""What a run fails with: a broken invariant, an error that no part of the product should have raised, a crash of it."""


class Result(Struct, kw_only=True):
    """What one or more runs came to."""

    blocks: int = 0  # written to logs, those that were undone again too
    steps: int = 0
    events: int = 0
    retractions: int = 0
    rollbacks: int = 0
    effects: int = 0
    faults: Counter[str]
    depths: Counter[int]

    def add(self, other: "Result") -> None:
        for name in ("blocks", "steps", "events", "retractions", "rollbacks", "effects"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults.update(other.faults)
        self.depths.update(other.depths)


def nothing() -> Result:
    return Result(faults=Counter(), depths=Counter())


def simulate(plan: Plan, *, first_process: Process | None = None, rival: bool = True) -> Result:
    """One whole run with all checks. Raises one of FAILURES."""
    with _quiet():
        world = World(plan, first_process=first_process)
        world.run()
        check_end(world, rival=rival)
    oracle = world.oracle
    result = Result(
        blocks=oracle.counts["blocks"],
        steps=oracle.steps,
        events=oracle.counts["events"],
        retractions=oracle.counts["retractions"],
        rollbacks=sum(oracle.depths.values()),
        faults=world.counts,
        depths=oracle.depths,
    )
    world.let_go()
    return result


def failure_of(plan: Plan) -> str | None:
    """How a plan's run fails, in words; None where it does not."""
    outcome = outcome_of(plan)
    return outcome if isinstance(outcome, str) else None


def outcome_of(plan: Plan, *, rival: bool = True) -> Result | str:
    """What a plan's run came to, or how it fails, in words."""
    try:
        return simulate(plan, rival=rival)
    except FAILURES as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Thousands of reconnections would be logged."""
    before: dict[str, Any] = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
