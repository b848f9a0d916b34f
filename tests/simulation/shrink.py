"""The shortest walk that still fails in the same way."""

import time
from collections.abc import Callable

from tests.simulation.plan import Action, Plan
from tests.simulation.run import failure_of


def shrink(plan: Plan, *, seconds: float, fails: Callable[[Plan], str | None] = failure_of) -> tuple[Plan, str, bool]:
    """Takes actions away while the run still fails with the same error, first many at once, at last one by one.

    Returns the plan, how it fails, and whether no single action could be spared (False: the time was over first).
    """
    failure = fails(plan)
    if failure is None:
        raise ValueError("this plan does not fail")
    deadline = time.monotonic() + seconds
    actions = list(plan.actions)
    size = max(1, len(actions) // 2)
    while True:
        spared = False
        at = 0
        while at < len(actions):
            if time.monotonic() > deadline:
                return _with(plan, actions), failure, False
            fewer = actions[:at] + actions[at + size :]
            found = fails(_with(plan, fewer))
            if found is not None and _kind(found) == _kind(failure):
                actions, failure, spared = fewer, found, True
            else:
                at += size
        if size == 1 and not spared:
            return _with(plan, actions), failure, True
        size = max(1, size // 2)


def _with(plan: Plan, actions: list[Action]) -> Plan:
    return Plan(plan.settings, tuple(actions))


def _kind(failure: str) -> str:
    """The error's name and, of a broken invariant, which one."""
    return ":".join(failure.split(":")[:2]) if failure.startswith("InvariantBroken") else failure.partition(":")[0]
