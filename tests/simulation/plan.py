"""A run's plan: its settings and its walk, a list of actions. All chance is here; what follows from a plan is fixed."""

from itertools import accumulate
from random import Random
from typing import Final, Literal, get_args

from msgspec import Struct

from tests.simulation.blocks import Mix
from tests.simulation.engine import Outcome
from tests.simulation.faults import FAILURES, MOMENTS
from tests.simulation.tables import BATCHES

Kind = Literal[
    "grow", "sync", "fork", "return", "lag", "down", "up", "drop", "freeze", "silence", "garbage", "lie",
    "kill", "pause", "reply fault", "late", "append fault", "read fault", "copy", "project", "reassign",
]  # fmt: skip
LIES: Final = ("gap", "height", "slot", "deep")
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
DEATHS: Final = ("", "", "", "", "", "", "before commit", "after commit", "in commit")


class Action(Struct, frozen=True, array_like=True):
    """One thing that happens. ``hasty``: while the follower still has answers to take, not only when it has none."""

    kind: Kind
    a: int = 0
    b: int = 0
    c: int = 0
    hasty: bool = False


class Settings(Struct, frozen=True):
    """What stays the same through a run."""

    k: int
    partitions: int
    nodes: int
    batch: int  # answers that arrive together, at most
    mix: Mix
    audited_steps: int = 500
    standby: bool = False  # one that was fenced off waits for its turn again


class Plan(Struct, frozen=True):
    """All that a run depends on."""

    settings: Settings
    actions: tuple[Action, ...]


class Weights(Struct, frozen=True):
    """How often each kind of action comes, and how much a chain grows in one."""

    growth: int  # blocks, on average
    weights: dict[str, int]
    longer: tuple[int, ...] = (0, 0, 1, 1, 2, 5)  # by how many blocks a fork is longer than what it takes over


# A tenth of the blocks end in a rollback, and no fault is rare.
STORM: Final = Weights(
    8,
    {
        "grow": 300, "fork": 160, "return": 60, "sync": 60, "silence": 60, "lag": 8, "down": 8, "up": 20, "drop": 30,
        "freeze": 3, "garbage": 2, "lie": 6, "late": 20, "kill": 25, "pause": 8, "append fault": 25, "read fault": 8,
        "copy": 10, "project": 90, "reassign": 8, "reply fault": 30,
    },
)  # fmt: skip
# What 10^6 blocks with 10^5 rollbacks are made of: faults a hundredth of the actions, blocks as on the preview testnet.
LONG: Final = Weights(
    10,
    {
        "grow": 120, "fork": 620, "return": 60, "sync": 80, "silence": 10, "lag": 1, "down": 1, "up": 4, "drop": 4,
        "freeze": 1, "garbage": 1, "lie": 1, "late": 3, "kill": 4, "pause": 1, "append fault": 4, "read fault": 1,
        "copy": 1, "project": 24, "reassign": 1, "reply fault": 3,
    },
    longer=(0, 0, 1, 1, 2, 5, 12, 16),
)  # fmt: skip

# As a follower at the tip of a real chain, and its restarts: a rollback for some thirty blocks, a block or two deep.
LIVE: Final = Weights(
    16,
    {
        "grow": 900, "fork": 500, "return": 20, "sync": 60, "silence": 10, "lag": 1, "down": 1, "up": 4, "drop": 4,
        "freeze": 1, "garbage": 1, "lie": 1, "late": 3, "kill": 4, "pause": 1, "append fault": 4, "read fault": 1,
        "copy": 1, "project": 24, "reassign": 1, "reply fault": 3,
    },
)  # fmt: skip
# As a follower that catches up: a rollback in a thousand blocks.
CALM: Final = Weights(
    200, {"grow": 1000, "fork": 200, "sync": 5, "kill": 2, "append fault": 2, "drop": 2, "up": 4, "project": 15}
)

PREVIEW: Final = Mix(ours=3, foreign=49)
"""Of 864 recorded blocks of the preview testnet 688 are empty; one in a hundred concerns us here."""
DENSE: Final = Mix(ours=90, foreign=20)


def make_plan(seed: str, blocks: int, *, weights: Weights = STORM, mix: Mix | None = None) -> Plan:
    """The plan of a seed, with chains growing by about so many blocks in all."""
    random = Random(seed)
    settings = Settings(
        k=random.choice((3, 5, 8, 12, 20, 40)),
        partitions=random.choice((1, 2, 3, 5)),
        nodes=random.choice((1, 2, 2, 3, 3)),
        batch=random.choice((1, 7, 50, 100)),
        mix=mix or random.choice((DENSE, Mix(30, 60), PREVIEW)),
        standby=random.random() < 0.3,
    )
    if weights is not STORM:
        settings = Settings(
            k=random.choice((12, 20, 40)), partitions=2, nodes=3, batch=100, mix=mix or PREVIEW, audited_steps=20
        )
    kinds, shares = list(weights.weights), list(accumulate(weights.weights.values()))
    actions: list[Action] = [Action("grow", 0, 1 + random.randrange(30))]
    left = blocks
    while left > 0:
        action = _action(random.choices(kinds, cum_weights=shares)[0], random, settings, weights)
        actions.append(action)
        if action.kind == "grow":
            left -= action.b
        if action.kind == "fork":
            left -= action.c + action.b
    return Plan(settings, tuple(actions))


def _action(kind: str, random: Random, settings: Settings, weights: Weights) -> Action:
    hasty = random.random() < 0.4
    # Half of what happens to nodes happens to the one that is followed, whichever that is then.
    node = random.randrange(settings.nodes) if random.random() < 0.5 else settings.nodes
    match kind:
        case "grow":
            burst = random.random() < 0.02
            count = random.randrange(1, 2 * weights.growth) if not burst else random.randrange(1, 20 * weights.growth)
            return Action("grow", node, count if random.random() < 0.8 else 1, 0, hasty)
        case "fork":
            deep = random.random() < 0.05
            depth = min(settings.k, random.randrange(1, settings.k + 1) if deep else _shallow(random))
            return Action("fork", node, depth, random.choice(weights.longer), hasty)
        case "lag":
            return Action("lag", node, random.randrange(1, settings.k * 2), 0, hasty)
        case "sync":
            return Action("sync", node, random.choice((0, 0, 1, 5)), 0, hasty)
        case "lie":
            return Action("lie", node, random.randrange(len(LIES)), 0, hasty)
        case "kill":
            return Action("kill", random.randrange(1, 60), random.randrange(len(MOMENTS)), random.randrange(2), hasty)
        case "pause":
            return Action("pause", random.randrange(1, 40), random.randrange(1, 30), 0, hasty)
        case "reply fault":
            return Action("reply fault", random.randrange(1, 60), random.randrange(len(FAILURES)), 0, hasty)
        case "late":
            return Action("late", random.randrange(1, 6), 0, 0, hasty)
        case "append fault":
            return Action(
                "append fault", random.randrange(len(OUTCOMES)), random.randrange(1, 2**settings.partitions), 0, hasty
            )
        case "read fault":
            return Action("read fault", random.randrange(1, 20), 0, 0, hasty)
        case "copy":
            return Action("copy", random.randrange(settings.partitions), random.randrange(1, 6), 0, hasty)
        case "project":
            limit = random.choice(BATCHES[1:])
            return Action("project", random.randrange(2), limit, random.randrange(len(DEATHS) + 1), hasty)
        case "reassign":
            return Action("reassign", random.randrange(2), random.randrange(settings.partitions), 0, hasty)
        case "drop":
            return Action("drop", node, random.randrange(2), 0, hasty)
        case _:
            return Action(kind, node, 0, 0, hasty)  # type: ignore[arg-type]  # the kinds without more to say


def _shallow(random: Random) -> int:
    """Most forks are a block or two deep."""
    depth = 1
    while random.random() < 0.45:
        depth += 1
    return depth
