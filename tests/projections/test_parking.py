"""What the fold can't handle waits, in order, and nothing else does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from deploy.postgres import EmbeddedPostgres
from indexer.events import CommitmentMinted
from indexer.log.port import Batch
from indexer.log.records import Record
from projections import batch as batching
from projections.database import connect
from projections.digest import table_digests
from projections.errors import CannotFold
from projections.facts import Fact
from projections.folding import State, fold
from projections.judging import Judging
from projections.parked import parked_totals, waiting_batteries
from projections.rows import Put
from projections.store import Store
from tests.endtoend.processes import run
from tests.postgres import fresh_database
from tests.projections.chain import Life, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import Rows, all_records, expected_at, project, rows_at


@contextmanager
def a_fold_that_fails(condition: Any) -> Iterator[None]:
    """The product's fold, but for facts of which the condition is true."""

    def failing(state: State, fact: Fact, judging: Judging | None = None) -> tuple[State, list[Put]]:
        if condition(fact):
            raise CannotFold(fact.event_id, "the test says so")
        return fold(state, fact, judging)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "fold", failing)
        yield


def poisoned(fact: Fact) -> bool:
    """One fact of seven, the same on each fork."""
    return isinstance(fact.event, CommitmentMinted) and int(fact.fact, 16) % 7 == 0


def digests(url: str) -> Any:
    with connect(url) as connection:
        return table_digests(connection)


def parked_rows(url: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        query = "SELECT partition, seq, event_id, step, reason, record, ended_how FROM parked ORDER BY partition, seq"
        return connection.execute(query).fetchall()


def expected_with_parked(records: list[Record], step: int) -> Rows:
    """The short way: of each battery's live events, those before the step of the first that fails."""
    seen = [each for each in records if each.step <= step]
    taken_back = {each.retracts for each in seen if each.kind == "retraction"}
    live = [each for each in seen if each.kind == "event" and each.id not in taken_back]
    stops: dict[tuple[str, str], int] = {}
    for each in live:
        if each.type == "commitment_minted" and int(each.fact, 16) % 7 == 0:
            key = (each.key, each.deployment)
            stops[key] = min(stops.get(key, each.step), each.step)
    handled = {each.id for each in live if each.step < stops.get((each.key, each.deployment), step + 1)}
    return expected_at([each for each in seen if each.kind != "event" or each.id in handled], step)


@pytest.mark.parametrize("seed", range(3))
def test_a_battery_whose_event_fails_stops_there_and_others_go_on_wherever_batches_end(
    postgres: EmbeddedPostgres, make_chain: MakeChain, seed: int
) -> None:
    """Also through forks: an event that the chain takes back waits no longer. A rebuild parks what the live one did."""
    chain = make_chain("log.db", Life(seed, 3))
    walk(chain, 30)
    urls = [fresh_database(postgres) for _ in range(3)]
    with a_fold_that_fails(poisoned):
        for url, size in zip(urls, (1, 7, 100_000), strict=True):
            project(chain.log, url, batch_records=size)
    records = all_records(chain.log)
    with connect(urls[0]) as connection:
        assert rows_at(connection, None) == expected_with_parked(records, chain.end.spine.step)
    assert any(row[4] for row in parked_rows(urls[0])), "the seed parks something"
    assert parked_rows(urls[0]) == parked_rows(urls[1]) == parked_rows(urls[2])
    assert digests(urls[0]) == digests(urls[1]) == digests(urls[2])


def test_what_waits_is_handled_later_as_if_it_had_never_waited(
    postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    """All versions, too: no fork here, so none of what waited was taken back."""
    chain = make_chain("log.db", Life(5, 4))
    for _ in range(25):
        chain.forward(chain.make(1, 3))
    url, quiet = fresh_database(postgres), fresh_database(postgres)
    with a_fold_that_fails(poisoned):
        project(chain.log, url, batch_records=20)
    project(chain.log, quiet)
    assert digests(url) != digests(quiet)
    with connect(url) as connection:
        assert parked_totals(connection)[0] > 0
        store = Store(connection, None)
        with a_fold_that_fails(poisoned):
            assert all(
                store.retry((each.battery_key, each.deployment))[0] == 0 for each in waiting_batteries(connection)
            )
        for each in waiting_batteries(connection):
            assert store.retry((each.battery_key, each.deployment)) == (each.events, 0)
        assert parked_totals(connection) == (0, 0.0)
    assert digests(url) == digests(quiet)
    chain.forward(chain.make(2, 3))
    project(chain.log, url)
    project(chain.log, quiet)
    assert digests(url) == digests(quiet)


def test_an_event_of_unknown_kind_parks_with_its_reason(
    database: str, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As in a log that a later version writes."""
    chain = make_chain("log.db", Life(2, 2))
    walk(chain, 10)
    event = next(each for each in all_records(chain.log) if each.kind == "event")
    read = chain.log.read

    def read_of_a_later_version(partition: int, offset: int, limit: int) -> Batch:
        batch = read(partition, offset, limit)
        strange = Raw(b'{"type":"battery_exploded"}')
        records = [replace(each, body=strange) if each.id == event.id else each for each in batch.records]
        return replace(batch, records=tuple(records))

    monkeypatch.setattr(chain.log, "read", read_of_a_later_version)
    project(chain.log, database)
    with connect(database) as connection:
        (waiting,) = waiting_batteries(connection)
    folder = tmp_path_factory.mktemp("cwd")
    listed = run(folder, "parked", "ls", "--db", database)
    assert (listed.returncode, event.key in listed.stdout) == (1, True), listed.stderr
    shown = [run(folder, "parked", "show", event.key, "--db", database, *flag).stdout for flag in ((), ("--json",))]
    assert all("battery_exploded" in each for each in shown)
    assert len(shown[1].splitlines()) == waiting.events
    again = run(folder, "parked", "retry", "--all", "--db", database)
    assert (again.returncode, f"0 handled, {waiting.events} still wait" in again.stdout) == (1, True), again.stderr
    timeline = run(folder, "timeline", event.subject, "--db", database)
    assert timeline.returncode == 1 or "INCOMPLETE" in timeline.stderr
    assert waiting.battery_key == event.key
    assert "battery_exploded" in str(waiting.reason)
