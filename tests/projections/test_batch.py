"""A batch that the log's rules forbid is damage, and never folded."""

import pytest
from msgspec import Raw
from msgspec.structs import replace

from indexer.log.port import LogDamaged
from indexer.log.records import Record
from projections.batch import Known, fold_batch
from tests.projections.chain import Life
from tests.projections.conftest import MakeChain
from tests.projections.tables import all_records

NOTHING_KNOWN = Known({}, {})


@pytest.fixture
def records(make_chain: MakeChain) -> list[Record]:
    """Whole steps of one partition, with several events of a battery."""
    chain = make_chain("log.db", Life(3, 1), partitions=1)
    for _ in range(4):
        chain.forward(chain.make(1, 3))
    return all_records(chain.log)


def test_an_event_that_does_not_come_after_the_last_in_the_chains_order_is_damage(records: list[Record]) -> None:
    """As where a record was written twice, or a retraction before it was lost."""
    first, *others = [each for each in records if each.kind == "event"]
    again = next(each for each in others if each.step > first.step)
    doubled = [replace(each, body=first.body, height=first.height) if each is again else each for each in records]
    fold_batch(records, NOTHING_KNOWN)
    with pytest.raises(LogDamaged, match="does not come after"):
        fold_batch(doubled, NOTHING_KNOWN)


def test_an_event_whose_body_is_of_another_battery_is_damage(records: list[Record]) -> None:
    event = next(each for each in records if each.kind == "event")
    body = Raw(bytes(event.body).replace(event.key.encode(), b"ab" * 28))
    with pytest.raises(LogDamaged, match="two batteries"):
        fold_batch([replace(each, body=body) if each is event else each for each in records], NOTHING_KNOWN)


def test_an_event_that_stands_in_another_step_or_behind_the_last_marker_is_damage(records: list[Record]) -> None:
    event = next(each for each in records if each.kind == "event")
    with pytest.raises(LogDamaged, match="stands in step"):
        fold_batch([replace(each, step=99) if each is event else each for each in records], NOTHING_KNOWN)
    with pytest.raises(LogDamaged, match="no marker"):
        fold_batch(records[:-1], NOTHING_KNOWN)
