"""Section 4: memory and time of a follower that catches up a million blocks."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.network import Network
from tests.bench.fed import fed
from tests.bench.follower import Sample
from tests.bench.frames import devnet_blocks, real_blocks
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value
from tests.shared import ROOT

LIMIT_MB: Final = 300
FLAT_MB: Final = 10
"""What memory may grow by over the second half of the run and still be called flat."""

EMPTY_FOR_EACH_FULL: Final = 49
SAMPLES: Final = 10


def measure(plan: Plan) -> Section:
    """A process that follows from nothing to the tip, and says how large it is on its way."""
    samples = follow_in_a_process(plan.memory_blocks)
    half = samples[len(samples) // 2 :]
    growth = half[-1].mb - half[0].mb
    millions = (half[-1].blocks - half[0].blocks) / 1e6
    rows: list[dict[str, Value]] = [
        {
            "blocks": each.blocks,
            "seconds": each.seconds,
            "blocks/s": each.blocks / each.seconds,
            "events": each.events,
            "MB": each.mb,
            "peak MB": each.peak_mb,
        }
        for each in samples
    ]
    return Section(
        "memory",
        f"Memory of the follower's process over {plan.memory_blocks:,} blocks",
        tuple(rows),
        (
            Goal("peak memory, MB", samples[-1].peak_mb, LIMIT_MB, "at most"),
            Goal("growth over the second half, MB", growth, FLAT_MB, "at most"),
        ),
        (
            f"Slope over the second half: {growth / millions:.2f} MB a million blocks.",
            f"One block in {EMPTY_FOR_EACH_FULL + 1} concerns the deployment, the others are empty; k is 2,160.",
        ),
    )


def follow_in_a_process(blocks: int) -> list[Sample]:
    empty = min(real_blocks(), key=len)
    turn = [each for full in devnet_blocks(10, 10) for each in (*[empty] * EMPTY_FOR_EACH_FULL, full)]
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder, fed(turn, blocks, store=False) as feed:
        log = Path(folder) / "events.db"
        every = max(1, blocks // SAMPLES)
        profile = Path(folder) / "profile.toml"
        profile.write_text(profile_toml(Network(), Terms()))
        command = [sys.executable, "-m", "tests.bench.follower", feed.url, f"sqlite:{log}", str(profile), str(every)]
        ran = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
    return [msgspec.json.decode(line, type=Sample) for line in ran.stdout.splitlines()]
