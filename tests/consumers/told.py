"""What a short fold of a labelled chain's facts says: the other side of each comparison with a query."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from consumers.queries import QUERIES
from consumers.queries.model import NOW, Moment
from consumers.queries.run import run
from indexer.events import PassportEvent, ReadingRejected, ReadingSubmitted
from projections.database import Connection, connect
from projections.facts import Fact
from projections.verdicts.fold import Judged
from tests.consumers.labelled import Labelled


class Told(Struct, frozen=True):
    """A reading that took effect, with what was judged of it."""

    fact: Fact
    event: ReadingSubmitted
    judged: Judged
    key: str  # public key of the account

    @property
    def accepted(self) -> bool:
        verdicts = self.judged.verdicts
        return (
            verdicts is not None
            and not self.event.account_unproven
            and not self.judged.said.quarantined
            and verdicts.crypto.result == verdicts.binding.result == "passed"
        )

    def value(self, name: str) -> Any:
        return None if self.event.decoded.reading is None else getattr(self.event.decoded.reading, name)


def readings(frauds: Labelled) -> Iterator[Told]:
    """In the chain's order. A weak contract refuses none."""
    for fact, judged in frauds.made.facts:
        assert not isinstance(fact.event, ReadingRejected)
        if isinstance(fact.event, ReadingSubmitted):
            datum = fact.event.account_datum
            yield Told(fact, fact.event, judged, datum.bms_public_key if datum else "")


def passports(frauds: Labelled) -> dict[str, list[tuple[int, PassportEvent]]]:
    """By battery key, in the chain's order, with their slots."""
    found: dict[str, list[tuple[int, PassportEvent]]] = defaultdict(list)
    for fact, _ in frauds.made.facts:
        if isinstance(fact.event, PassportEvent):
            found[fact.event.battery_key].append((fact.slot, fact.event))
    return found


def models(frauds: Labelled) -> dict[str, str]:
    """Battery key -> model, as its newest passport says."""
    return {battery: str(stated[-1][1].metadata.get("model", "")) for battery, stated in passports(frauds).items()}


def answered(connection: Connection, name: str, moment: Moment = NOW, **parameters: Any) -> list[dict[str, Any]]:
    """A query's rows, by the columns' names."""
    answer = run(connection, QUERIES[name], parameters, moment)
    return [dict(zip([column.name for column in answer.columns], row, strict=True)) for row in answer.rows]


def rows_of(frauds: Labelled, name: str, **parameters: Any) -> list[dict[str, Any]]:
    with connect(frauds.url) as connection:
        return answered(connection, name, **parameters)
