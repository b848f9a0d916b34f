"""Facts: the log's events, each with its place on the chain. What folds read."""

from msgspec import DecodeError, Raw, Struct

from indexer.events import ChainEvent, decode_event
from indexer.log.port import LogDamaged
from indexer.log.records import Record
from projections.errors import CannotFold


class Fact(Struct, frozen=True, gc=False):
    """An event with its place on the chain and its identity."""

    event: ChainEvent
    fact: str
    event_id: str
    slot: int
    height: int
    block: str
    time: str  # RFC 3339, UTC

    @property
    def place(self) -> tuple[int, int, int]:
        """The chain's order within one fork: block height, index of the transaction, index of the event."""
        return (self.height, self.event.transaction_index, self.event.index)


def fact_of(record: Record) -> Fact:
    """The fact that an event's record states. Raises CannotFold where its body is no event known here."""
    try:
        event: ChainEvent = decode_event(record.body)
    except DecodeError as error:
        raise CannotFold(record.id, f"its body is no event that this version knows: {error}") from error
    return Fact(
        event,
        record.fact,
        record.id,
        record.slot,
        record.height,
        record.block,
        record.time,
    )


def decode_body(body: bytes | Raw, what: str) -> ChainEvent:
    """An event that was handled before. Raises LogDamaged."""
    try:
        event: ChainEvent = decode_event(body)
    except DecodeError as error:
        raise LogDamaged(f"{what} can't be read: {error}") from error
    return event
