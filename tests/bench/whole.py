"""Section 2: the whole follower, from the socket to the fsync of its SQLite log."""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from indexer.log.sqlite import SqliteLog
from indexer.protocol.profile import Profile
from indexer.run import FollowOptions, run_follower
from tests.bench.fed import Feed, fed
from tests.bench.plan import FrameSet, Plan, frame_sets
from tests.bench.readers import Read, follow_and_decode
from tests.bench.report import Section, Value, ratio

BLOCKS: Final = {"preview": 100_000, "47 kB": 6_000, "devnet": 8_000}
"""At most so many of each set: a second's worth, about."""


def measure(plan: Plan) -> Section:
    """The follower against following and decoding alone."""
    return Section(
        "whole",
        "The follower whole, into a SQLite log (medians)",
        tuple(_row(frames, plan) for frames in frame_sets() if frames.name in BLOCKS),
        (),
        (
            "From the intersection on; every step is on the disk before the next begins.",
            "share: of following and decoding alone, over the same frames in the same round.",
        ),
    )


def _row(frames: FrameSet, plan: Plan) -> dict[str, Value]:
    alone: list[float] = []
    whole: list[Read] = []
    steps = 0
    blocks = min(frames.frames(plan.set_bytes), BLOCKS[frames.name])
    with fed(frames.blocks, blocks, store=True) as feed:
        for _ in range(plan.rounds):
            alone.append(follow_and_decode((frames.profile,), prefilter=True)(feed, 60.0).rate)
            with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
                read, steps = follow_into_log(feed, frames.profile, Path(folder) / "events.db")
            whole.append(read)
    return {
        "frames": frames.name,
        "blocks": feed.frames,
        "blocks/s": median(read.rate for read in whole),
        "events/s": median(read.events / read.seconds for read in whole),
        "steps/s": median(steps / read.seconds for read in whole),
        "share": ratio([read.rate for read in whole], alone),
    }


def follow_into_log(feed: Feed, profile: Profile, path: Path) -> tuple[Read, int]:
    """What ``cellwitness follow --until-tip`` does with a new log. Also returns the steps that it wrote."""
    log = SqliteLog(path)
    reports: list[float] = []
    run_follower(
        log,
        (profile,),
        FollowOptions(endpoints=(feed.url,), until_tip=True),
        stop=lambda: False,
        pause=time.sleep,
        on_progress=lambda _: reports.append(time.perf_counter()),
    )
    spent = reports[-1] - reports[0]  # the first report comes with the intersection, the last with the tip
    end = log.end()
    assert end is not None
    assert end.spine.height == feed.frames - 1
    log.close()
    steps, partitions = end.spine.step, end.spine.partitions
    events = sum(each.last_seq - steps for each in partitions)  # numbers count from 0, and a marker a step
    return Read(feed.frames, spent, events), steps
