"""Section 1: following and decoding, against bare readers and other clients, in the same run."""

from collections.abc import Callable
from statistics import median
from typing import Final

from msgspec import Struct

from tests.bench.fed import Feed, fed
from tests.bench.opponents import Missing, Played, pyogmios, pypi_ogmios
from tests.bench.plan import FrameSet, Plan, frame_sets
from tests.bench.readers import Reader, bare_library, bare_library_batched, follow_and_decode, undecoded
from tests.bench.report import Goal, Section, Value, ratio
from tests.bench.typescript import typescript_client

BARE_RATIO: Final = 0.6
PYTHON_RATIO: Final = 20
TYPESCRIPT_RATIO: Final = 8
TYPESCRIPT_SETS: Final = ("preview", "preview, heavy")  # those that the goal was set on
BLOCKS_OF_47_KB: Final = 10_000
OTHERS: Final = {"ogmios (PyPI)": PYTHON_RATIO, "pyogmios": PYTHON_RATIO, "TypeScript": TYPESCRIPT_RATIO}

Opponent = Callable[[Feed, float], Played]


class Rates(Struct, frozen=True):
    """Blocks a second by reader, round by round. All take part in each round."""

    frames: FrameSet
    feed: Feed
    of: dict[str, list[float]]
    notes: tuple[str, ...]

    @property
    def bare(self) -> list[float]:
        """The faster of the two bare readers in each round."""
        return [max(pair) for pair in zip(self.of["bare"], self.of["bare, batched"], strict=True)]


def measure(plan: Plan) -> tuple[Section, Section]:
    """Ours against bare readers; ours against other clients."""
    found = []
    for frames in frame_sets():
        with fed(frames.blocks, frames.frames(plan.set_bytes), store=True) as feed:
            found.append(_rates(feed, frames, plan))
    goals = [goal for rates in found if rates.frames.name != "devnet" for goal in _bare_goals(rates)]
    other_goals = [goal for rates in found if rates.frames.name != "devnet" for goal in _other_goals(rates)]
    return (
        Section(
            "follow",
            "Follow and decode, 100 in flight (blocks/s; medians)",
            tuple(map(_bare_row, found)),
            tuple(goals),
            (
                "bare: `websockets`' synchronous client, nothing decoded, a request an answer.",
                "batched: the same with its requests written 32 at a time past it. Our share is of the faster.",
                "undecoded: our connection alone, the limit of whatever stands on it.",
                "unfiltered: ours with every frame read whole.",
                *(f"{frames.name}: {frames.note}" for frames in frame_sets()),
            ),
        ),
        Section(
            "clients",
            "Other clients on the same frames (blocks/s; medians)",
            tuple(map(_other_row, found)),
            tuple(other_goals),
            tuple(dict.fromkeys(note for rates in found for note in rates.notes)),
        ),
    )


def _rates(feed: Feed, frames: FrameSet, plan: Plan) -> Rates:
    readers: dict[str, Reader] = {
        "bare": bare_library,
        "bare, batched": bare_library_batched,
        "undecoded": undecoded,
        "unfiltered": follow_and_decode((frames.profile,), prefilter=False),
        "ours": follow_and_decode((frames.profile,), prefilter=True),
    }
    opponents: dict[str, Opponent] = {
        "ogmios (PyPI)": pypi_ogmios,
        "pyogmios": pyogmios,
        "TypeScript": lambda served, seconds: typescript_client(served, seconds, may_install=plan.may_install),
    }
    rates: dict[str, list[float]] = {name: [] for name in (*readers, *opponents)}
    notes = []
    for _ in range(plan.rounds):
        for name, read in readers.items():
            rates[name].append(read(feed, plan.seconds).rate)
        for other, play in opponents.items():
            try:
                played = play(feed, plan.opponent_seconds)
            except Missing as missing:
                notes.append(f"{other}: left out, {missing}")
                continue
            rates[other].append(played.rate)
            if played.failed:
                notes.append(f"{other} refused {played.failed} of {played.frames} of {frames.name}: {played.why}")
    return Rates(frames, feed, rates, tuple(notes))


def _bare_row(rates: Rates) -> dict[str, Value]:
    of = rates.of
    ours = median(of["ours"])
    return {
        "frames": rates.frames.name,
        "kB": rates.feed.mean_bytes / 1000,
        **{name: median(of[name]) for name in ("bare", "bare, batched", "undecoded", "unfiltered", "ours")},
        "ours MB/s": ours * rates.feed.mean_bytes / 1e6,
        "ours / bare": ratio(of["ours"], rates.bare),
        "ours / undecoded": ratio(of["ours"], of["undecoded"]),
        "ours / unfiltered": ratio(of["ours"], of["unfiltered"]),
    }


def _bare_goals(rates: Rates) -> list[Goal]:
    name, ours = rates.frames.name, rates.of["ours"]
    goals = [Goal(f"{name}: share of the bare reader", ratio(ours, rates.bare), BARE_RATIO)]
    if name == "47 kB":
        goals.append(Goal("blocks/s of 47 kB", median(ours), BLOCKS_OF_47_KB))
    return goals


def _other_row(rates: Rates) -> dict[str, Value]:
    row: dict[str, Value] = {"frames": rates.frames.name, "ours": median(rates.of["ours"])}
    for other in OTHERS:
        theirs = rates.of[other]
        row[other] = median(theirs) if theirs else None
        row[f"ours / {other}"] = ratio(rates.of["ours"], theirs) if theirs else None
    return row


def _other_goals(rates: Rates) -> list[Goal]:
    name, ours = rates.frames.name, rates.of["ours"]
    return [
        Goal(f"{name}: times {other}", ratio(ours, rates.of[other]), wanted)
        for other, wanted in OTHERS.items()
        if rates.of[other] and (other != "TypeScript" or name in TYPESCRIPT_SETS)
    ]
