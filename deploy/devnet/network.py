"""What a network is to a client before its first block: magic, start, slots, security parameter. Plain values."""

from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

OgmiosVersion = Literal["6.14", "7"]

SLOT_MILLISECONDS: Final = 1_000
SLOTS_PER_BLOCK: Final = 20
"""The mean distance of two blocks: active slots coefficient 1/20."""

VERSION_TEXT: Final[dict[OgmiosVersion, str]] = {"6.14": "v6.14.0 (00000000)", "7": "v7.0.0 (00000000)"}
"""As ``/health`` shows a version: semantic version and eight digits of a commit."""


class Network(Struct, frozen=True, kw_only=True):
    """The facts of one network that its Shelley genesis states."""

    name: str = "devnet"
    magic: int = 42424
    k: int = 432  # security parameter, blocks: no honest rollback is deeper
    start_time: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    epoch_slots: int = 86_400
    kind: Literal["mainnet", "testnet"] = "testnet"

    @property
    def start_text(self) -> str:
        """The start as Ogmios writes times, such as ``2024-01-01T00:00:00Z``."""
        return self.start_time.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def safe_zone_slots(self) -> int:
        """3k/f: slots from the tip within which no hard fork can come."""
        return 3 * self.k * SLOTS_PER_BLOCK

    def time_of(self, slot: int) -> datetime:
        """The moment at which a slot begins."""
        return datetime.fromtimestamp(self.start_time.timestamp() + slot * SLOT_MILLISECONDS / 1_000, UTC)


NETWORKS: Final = {
    "devnet": Network(),
    "preview": Network(name="preview", magic=2, start_time=datetime(2022, 10, 25, tzinfo=UTC)),
    "preprod": Network(
        name="preprod", magic=1, k=2160, start_time=datetime(2022, 6, 1, tzinfo=UTC), epoch_slots=432_000
    ),
}
