"""What a worker can't handle in a run: bodies of a later version in one battery, rows that the database refuses in
another. By fact, so it is the same on every fork and in every rebuild.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from indexer.log.port import Batch
from indexer.log.records import Record
from projections.batch import Battery, Folded
from projections.errors import ValueRefused
from projections.rows import COMMITMENTS
from tests.indexer.build import Battery as Built

UNREADABLE_KEY: Final = Built(0).key
REFUSED_KEY: Final = Built(1).key
ONE_IN: Final = 6
_LATER: Final = Raw(b'{"type":"battery_exploded"}')


def as_an_earlier_version_reads(batch: Batch) -> Batch:
    """The batch, with bodies that this version can't read."""
    records = tuple(replace(each, body=_LATER) if _unreadable(each) else each for each in batch.records)
    return replace(batch, records=records)


def refuse(folded: Iterable[Folded]) -> None:
    """As PostgreSQL: says what it refuses, and not whose it is."""
    for each in folded:
        for version in each.versions.inserts(COMMITMENTS):
            if version.row.battery_key == REFUSED_KEY and _chosen(version.row.fact):  # type: ignore[union-attr]
                raise ValueRefused("a value that the database has no place for")


def is_poison(record: Record) -> bool:
    refused = record.key == REFUSED_KEY and record.type == "commitment_minted" and _chosen(record.fact)
    return record.kind == "event" and (refused or _unreadable(record))


def waits_at_times(battery: Battery) -> bool:
    return battery[0] in (UNREADABLE_KEY, REFUSED_KEY)


def _unreadable(record: Record) -> bool:
    return record.key == UNREADABLE_KEY and record.kind == "event" and _chosen(record.fact)


def _chosen(fact: str) -> bool:
    return int(fact[:8], 16) % ONE_IN == 0
