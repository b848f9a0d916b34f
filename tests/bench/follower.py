"""A follower in a process of its own that prints its size as it goes.

``python -m tests.bench.follower OGMIOS LOG PROFILE EVERY``: a line of JSON each EVERY blocks. Imports what
``cellwitness follow`` needs and nothing else, so that its memory is that command's.
"""

import re
import resource
import sys
import time
from pathlib import Path

import msgspec
import psutil
import structlog
from msgspec import Struct

from indexer.log.urls import open_log
from indexer.protocol.profile import load_profile
from indexer.run import FollowOptions, run_follower
from indexer.session import Progress


class Sample(Struct, frozen=True):
    """The follower's process at one moment. MB are 10^6 bytes."""

    blocks: int
    seconds: float
    mb: float
    peak_mb: float
    events: int


def _peak_mb() -> float:
    """The most that this process ever had in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts the parent's size before exec in ru_maxrss, but not here
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert match is not None
        return int(match[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(ogmios: str, log_url: str, profile: str, every: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    process = psutil.Process()
    began = time.perf_counter()
    due = 0
    last: Progress | None = None

    def sample(progress: Progress) -> None:
        mb = process.memory_info().rss / 1e6
        taken = Sample(progress.blocks, time.perf_counter() - began, mb, _peak_mb(), progress.events)
        sys.stdout.write(msgspec.json.encode(taken).decode() + "\n")

    def on_progress(progress: Progress) -> None:
        nonlocal due, last
        last = progress
        if progress.blocks >= due:
            due = progress.blocks // every * every + every
            sample(progress)

    log = open_log(log_url)
    run_follower(
        log,
        (load_profile(Path(profile).read_text(), profile),),
        FollowOptions(endpoints=(ogmios,), until_tip=True),
        stop=lambda: False,
        pause=time.sleep,
        on_progress=on_progress,
    )
    log.close()
    assert last is not None
    sample(last)


if __name__ == "__main__":
    url, log, profile_file, blocks = sys.argv[1:]
    main(url, log, profile_file, int(blocks))
