"""How much a run of the bench measures."""

from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from indexer.protocol.profile import Profile
from tests.bench.frames import composed, devnet_blocks, devnet_profile, heaviest, real_blocks


class Plan(Struct, frozen=True):
    """Sizes and times of one run. The full one takes some minutes, the quick one seconds."""

    rounds: int = 3
    seconds: float = 0.7  # of one measurement
    opponent_seconds: float = 1.5
    set_bytes: int = 250_000_000  # of frames in the server's memory
    memory_blocks: int = 1_000_000
    log_steps: int = 400  # of 500 events each
    projection_days: int = 600
    rebuild_events: int = 1_000_000
    rebuild_seconds: float = 900.0  # no more than this, however slow the machine
    timeline_readings: int = 10_000_000
    kafka_events: int = 100_000  # of a log that takes several transactions: only then there is something to read ahead
    rollback_days: int = 70
    rollbacks: tuple[tuple[int, int], ...] = ((1, 200), (432, 20), (2_160, 8))  # depth, and how often
    page_readings: int = 1_000_000
    live_seconds: float = 60.0
    drawn_points: int = 100_000  # of a battery's course
    may_install: bool = True


QUICK = Plan(
    rounds=1,
    seconds=0.1,
    opponent_seconds=0.3,
    set_bytes=4_000_000,
    memory_blocks=20_000,
    log_steps=4,
    projection_days=5,
    rebuild_events=500,
    timeline_readings=2_000,
    kafka_events=500,
    rollback_days=5,
    rollbacks=((1, 3), (20, 1)),
    page_readings=1_000,
    live_seconds=3.0,
    drawn_points=2_000,
    may_install=False,
)


class FrameSet(Struct, frozen=True):
    """Blocks that are served round and round, linked into one chain."""

    name: str
    blocks: Sequence[bytes]
    profile: Profile
    note: str

    @property
    def mean_bytes(self) -> float:
        return sum(map(len, self.blocks)) / len(self.blocks)

    def frames(self, set_bytes: int) -> int:
        """How many of its frames fit, at most 100,000."""
        return min(100_000, max(20, int(set_bytes / (self.mean_bytes + 200))))


@cache
def frame_sets() -> tuple[FrameSet, ...]:
    """Blocks of others from a real network, and a devnet's, each of which concerns the deployment."""
    real = real_blocks()
    profile = devnet_profile()  # its hashes are real ones: made-up ones with a pattern are found faster
    return (
        FrameSet("preview", real, profile, "the recorded run, 688 of its 864 blocks empty"),
        FrameSet("preview, heavy", heaviest(real, 100), profile, "its 100 largest"),
        FrameSet("30 kB", composed(real, 30_000, 16), profile, "made of its transactions"),
        FrameSet("47 kB", composed(real, 47_000, 16), profile, "made of its transactions"),
        FrameSet("300 kB", composed(real, 300_000, 8), profile, "made of its transactions"),
        FrameSet("devnet", devnet_blocks(40, 40), profile, "every block concerns the deployment"),
    )
