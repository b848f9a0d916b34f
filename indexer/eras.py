"""Slots and wall-clock time. Pure. Slot lengths changed between eras (20 s in Byron, 1 s since Shelley)."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from indexer.errors import NOT_JSON, InvalidChainData


class Bound(Struct, frozen=True):
    """Where an era begins or ends. ``time`` counts from the network's start."""

    time: dict[str, float]  # {"seconds": n}
    slot: int
    epoch: int


class SlotLength(Struct, frozen=True):
    """How long a slot lasts."""

    milliseconds: float


class EraParameters(Struct, frozen=True, rename="camel"):
    """What holds within an era."""

    epoch_length: int  # slots
    slot_length: SlotLength


class Era(Struct, frozen=True):
    """One era of the chain's history, as ``queryLedgerState/eraSummaries`` tells it. ``end`` may lie in the future."""

    start: Bound
    parameters: EraParameters
    end: Bound | None = None


class EraHistory(Struct, frozen=True):
    """Converts slots to times, as far as the node can foresee."""

    start_time: datetime  # of slot 0, UTC
    eras: tuple[Era, ...]  # oldest first, at least one

    def covers(self, slot: int) -> bool:
        """Whether the node's forecast reaches this slot. Beyond, an era with other slots may begin."""
        end = self.eras[-1].end
        return end is None or slot <= end.slot

    def seconds(self, slot: int) -> float:
        """From the network's start to the beginning of a slot."""
        era = self.eras[max(0, bisect_right(self.eras, slot, key=_start_slot) - 1)]
        return era.start.time["seconds"] + (slot - era.start.slot) * era.parameters.slot_length.milliseconds / 1000

    def time(self, slot: int) -> str:
        """When a slot begins: RFC 3339, UTC, milliseconds only where there are any."""
        try:
            moment = self.start_time + timedelta(seconds=self.seconds(slot))
        except OverflowError as error:
            raise InvalidChainData(f"slot {slot} lies beyond the year 9999") from error
        text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
        return text.replace("+00:00", "Z")


def _start_slot(era: Era) -> int:
    return era.start.slot


def read_era_history(start_time: bytes, summaries: bytes) -> EraHistory:
    """From the JSON results of queryNetwork/startTime and queryLedgerState/eraSummaries. Raises InvalidChainData."""
    try:
        start = msgspec.json.decode(start_time, type=datetime)
        eras = msgspec.json.decode(summaries, type=tuple[Era, ...])
    except NOT_JSON as error:
        raise InvalidChainData(f"the node's era history can't be read: {error}") from error
    if not eras or any("seconds" not in era.start.time for era in eras):
        raise InvalidChainData("the node's era history is empty or gives no start in seconds")
    return EraHistory(start.astimezone(UTC), tuple(sorted(eras, key=_start_slot)))
