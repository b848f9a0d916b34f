"""Section 1: following and decoding, against bare readers and other clients, in the same run."""

from collections.abc import Callable
from statistics import median

from tests.bench.fed import Feed, fed
from tests.bench.opponents import Missing, Played, pyogmios, pypi_ogmios
from tests.bench.plan import FrameSet, Plan, frame_sets
from tests.bench.readers import Reader, bare_library, bare_library_batched, follow_and_decode, undecoded
from tests.bench.report import Goal, Section, Value, ratio
from tests.bench.typescript import typescript_client

BARE_RATIO = 0.6
PYTHON_RATIO = 20
TYPESCRIPT_RATIO = 8
TYPESCRIPT_SETS = ("preview", "preview, heavy")
BLOCKS_OF_47_KB = 10_000

Opponent = Callable[[Feed, float], Played]


def measure(plan: Plan) -> tuple[Section, Section]:
    """Ours against bare readers; ours against other clients."""
    bare: list[dict[str, Value]] = []
    others: list[dict[str, Value]] = []
    bare_goals: list[Goal] = []
    other_goals: list[Goal] = []
    notes: list[str] = []
    for frames in frame_sets():
        with fed(frames.blocks, frames.frames(plan.set_bytes), store=True) as feed:
            rates = _rounds(feed, frames, plan)
            ours = median(rates["ours"])
            bare.append(_bare_row(frames, feed, rates))
            best = [max(pair) for pair in zip(rates["bare"], rates["bare, batched"], strict=True)]
            if frames.name != "devnet":
                bare_goals.append(
                    Goal(f"{frames.name}: share of the bare reader", ratio(rates["ours"], best), BARE_RATIO)
                )
            if frames.name == "47 kB":
                bare_goals.append(Goal("blocks/s of 47 kB", ours, BLOCKS_OF_47_KB))
            row, goals, said = _against_others(frames, feed, ours, plan)
        others.append(row)
        other_goals += goals
        notes += [each for each in said if each not in notes]
    return (
        Section(
            "follow",
            "Follow and decode, 100 in flight (blocks/s; medians)",
            tuple(bare),
            tuple(bare_goals),
            (
                "bare: `websockets`' synchronous client, nothing decoded, a request an answer.",
                "batched: the same with its requests written 32 at a time past it. Our share is of the faster.",
                "undecoded: our connection alone, the limit of whatever stands on it.",
                "unfiltered: ours with every frame read whole.",
                *(f"{frames.name}: {frames.note}" for frames in frame_sets()),
            ),
        ),
        Section(
            "clients", "Other clients on the same frames (blocks/s)", tuple(others), tuple(other_goals), tuple(notes)
        ),
    )


def _rounds(feed: Feed, frames: FrameSet, plan: Plan) -> dict[str, list[float]]:
    """Blocks a second of each reader, round by round. All take part in each round."""
    readers: dict[str, Reader] = {
        "bare": bare_library,
        "bare, batched": bare_library_batched,
        "undecoded": undecoded,
        "ours": follow_and_decode((frames.profile,), prefilter=True),
        "unfiltered": follow_and_decode((frames.profile,), prefilter=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(plan.rounds):
        for name, read in readers.items():
            rates[name].append(read(feed, plan.seconds).rate)
    return rates


def _bare_row(frames: FrameSet, feed: Feed, rates: dict[str, list[float]]) -> dict[str, Value]:
    best = [max(pair) for pair in zip(rates["bare"], rates["bare, batched"], strict=True)]
    ours = median(rates["ours"])
    return {
        "frames": frames.name,
        "kB": feed.mean_bytes / 1000,
        **{name: median(each) for name, each in rates.items()},
        "ours MB/s": ours * feed.mean_bytes / 1e6,
        "ours / bare": ratio(rates["ours"], best),
        "ours / undecoded": ratio(rates["ours"], rates["undecoded"]),
        "ours / unfiltered": ratio(rates["ours"], rates["unfiltered"]),
    }


def _against_others(
    frames: FrameSet, feed: Feed, ours: float, plan: Plan
) -> tuple[dict[str, Value], list[Goal], list[str]]:
    opponents: dict[str, tuple[Opponent, float]] = {
        "ogmios (PyPI)": (pypi_ogmios, PYTHON_RATIO),
        "pyogmios": (pyogmios, PYTHON_RATIO),
        "TypeScript": (lambda f, s: typescript_client(f, s, may_install=plan.may_install), TYPESCRIPT_RATIO),
    }
    row: dict[str, Value] = {"frames": frames.name, "ours": ours}
    goals: list[Goal] = []
    notes: list[str] = []
    for name, (play, wanted) in opponents.items():
        try:
            played = play(feed, plan.opponent_seconds)
        except Missing as missing:
            notes.append(f"{name}: left out, {missing}")
            row |= {name: None, f"ours / {name}": None}
            continue
        if played.failed:
            notes.append(f"{name} refused {played.failed} of {played.frames} frames of {frames.name}: {played.why}")
        row |= {name: played.rate, f"ours / {name}": ours / played.rate}
        if frames.name != "devnet" and (name != "TypeScript" or frames.name in TYPESCRIPT_SETS):
            goals.append(Goal(f"{frames.name}: times {name}", ours / played.rate, wanted))
    return row, goals, notes
