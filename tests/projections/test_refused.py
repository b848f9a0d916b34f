"""What PostgreSQL refuses stops the battery whose value it is, at the event that brought it, and nothing else."""

from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from deploy.postgres import EmbeddedPostgres
from indexer.events import ChainEvent, PassportRegistered, PassportUpdated, ReportingAccountUpdated
from projections.database import connect
from projections.errors import DatabaseRefuses
from projections.parked import parked_totals, waiting_batteries
from projections.run import Worker
from projections.store import Store
from tests.postgres import database_url, fresh_database
from tests.projections.chain import Life, TestChain, key_of, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import Rows, all_records, expected_at, project, rows_at
from tests.projections.test_parking import digests, parked_rows


class ForeignLife(Life):
    """The passports of the first battery, but for the one it began with, name a model in letters from far away."""

    def registration(self, raw: bytes, common: dict[str, Any], *, update: bool) -> list[ChainEvent]:
        model = "电池" if update and raw == self.ids[0] else "M"
        return [
            replace(event, metadata={"model": model})
            if isinstance(event, PassportRegistered | PassportUpdated)
            else event
            for event in super().registration(raw, common, update=update)
        ]

    def transaction(self, raw: bytes, mine: list[ChainEvent], common: dict[str, Any]) -> list[ChainEvent]:
        if mine and raw == self.ids[0] and self.random.random() < 0.2:
            return self.registration(raw, common, update=True)
        return super().transaction(raw, mine, common)


class LavishLife(Life):
    """Now and then an account holds more lovelace than there are, as a node might say that lies."""

    def transaction(self, raw: bytes, mine: list[ChainEvent], common: dict[str, Any]) -> list[ChainEvent]:
        return [
            replace(event, output=replace(event.output, lovelace=1 << 63))
            if isinstance(event, ReportingAccountUpdated) and int(event.transaction, 16) % 3 == 0
            else event
            for event in super().transaction(raw, mine, common)
        ]


def western_database(server: EmbeddedPostgres) -> str:
    url = fresh_database(server)
    name = f"latin_{url.split('/test_')[1].split('?')[0]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    return database_url(server, name)


def expected_now(chain: TestChain, parked: list[tuple[Any, ...]]) -> Rows:
    """The short way: a fold of what the log holds now, without what waits."""
    waiting = {row[2].hex() for row in parked if row[6] is None}
    records = [each for each in all_records(chain.log) if each.id not in waiting]
    return expected_at(records, chain.end.spine.step)


@pytest.mark.parametrize("seed", range(3))
def test_a_battery_that_the_database_has_no_letters_for_parks_and_others_go_on_wherever_batches_end(
    postgres: EmbeddedPostgres, make_chain: MakeChain, seed: int
) -> None:
    """Its encoding is LATIN1. What a fork takes back waits no longer, and a rebuild parks what the live worker did."""
    chain = make_chain("log.db", ForeignLife(seed, 4))
    walk(chain, 40)
    urls = [western_database(postgres) for _ in range(3)]
    for url, size in zip(urls, (1, 7, 100_000), strict=True):
        project(chain.log, url, batch_records=size)
    parked = parked_rows(urls[0])
    assert any("LATIN1" in str(row[4]) for row in parked)
    with connect(urls[0]) as connection:
        assert {each.battery_key for each in waiting_batteries(connection)} <= {key_of(chain.life.ids[0])}
        assert rows_at(connection, None) == expected_now(chain, parked)
    assert parked == parked_rows(urls[1]) == parked_rows(urls[2])
    assert digests(urls[0]) == digests(urls[1]) == digests(urls[2])


def test_a_number_beyond_its_column_parks_and_others_go_on_wherever_batches_end(
    postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    chain = make_chain("log.db", LavishLife(4, 4))
    walk(chain, 60)
    urls = [fresh_database(postgres) for _ in range(3)]
    for url, size in zip(urls, (1, 7, 100_000), strict=True):
        project(chain.log, url, batch_records=size)
    parked = parked_rows(urls[0])
    assert any("not in its column's range" in str(row[4]) for row in parked)
    with connect(urls[0]) as connection:
        assert rows_at(connection, None) == expected_now(chain, parked)
    assert parked == parked_rows(urls[1]) == parked_rows(urls[2])
    assert digests(urls[0]) == digests(urls[1]) == digests(urls[2])


def test_what_was_refused_is_handled_once_the_table_takes_it(postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    """As after an operator's own constraint is gone. Tried before that, it waits on, and says why."""
    chain = make_chain("log.db", Life(5, 4))
    chain.forward(chain.make(1, 3))
    url, quiet = fresh_database(postgres), fresh_database(postgres)
    project(chain.log, url)
    with connect(url) as connection:
        connection.execute("ALTER TABLE commitments ADD CONSTRAINT ours CHECK (status <> 'consumed')")
    for _ in range(30):
        chain.forward(chain.make(1, 3))
    project(chain.log, url, batch_records=20)
    project(chain.log, quiet)
    assert digests(url) != digests(quiet)
    with connect(url) as connection:
        store = Store(connection, None)
        waiting = waiting_batteries(connection)
        assert waiting
        assert all("ours" in str(each.reason) and each.type == "reading_submitted" for each in waiting)
        assert all(store.retry((each.battery_key, each.deployment)) == (0, each.events) for each in waiting)
        assert waiting_batteries(connection) == waiting
        connection.execute("ALTER TABLE commitments DROP CONSTRAINT ours")
        assert all(store.retry((each.battery_key, each.deployment)) == (each.events, 0) for each in waiting)
        assert parked_totals(connection) == (0, 0.0)
    assert digests(url) == digests(quiet)


def test_a_refusal_that_is_no_batterys_stops_the_worker(database: str, make_chain: MakeChain) -> None:
    """Here of a step: no event of any battery could be set aside for it."""
    chain = make_chain("log.db", Life(5, 4))
    chain.forward(chain.make(1, 3))
    project(chain.log, database)
    with connect(database) as connection:
        connection.execute("ALTER TABLE steps ADD CONSTRAINT ours CHECK (step < 2)")
    chain.forward(chain.make(1, 3))
    with pytest.raises(DatabaseRefuses, match="ours"):
        Worker(chain.log, lambda: connect(database)).run(until_caught_up=True)
