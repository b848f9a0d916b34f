"""Verdicts, findings and alerts in the tables, over forks, on a real PostgreSQL."""

import itertools

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deploy.postgres import EmbeddedPostgres
from indexer.errors import ConfigurationError
from projections.database import Connection, connect
from projections.digest import table_digests
from projections.errors import SchemaMismatch
from projections.judging import Judging
from projections.rules.thresholds import ThresholdBook
from tests.postgres import fresh_database
from tests.projections.chain import Life, walk
from tests.projections.conftest import MakeChain
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import all_records, expected_at, project, rows_at
from tests.projections.verdicts.devnet import profile

_FILES = itertools.count()
JUDGED = ("verdicts", "findings", "alerts")


@settings(
    max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), batch=st.sampled_from([1, 7, 100_000]))
def test_verdicts_at_every_step_equal_the_fold_of_the_log_up_to_it(
    postgres: EmbeddedPostgres, make_chain: MakeChain, seed: int, batch: int
) -> None:
    """Invariant I8 with verdicts; what is written step by step, forks undone, is what a rebuild writes (I9)."""
    chain = make_chain(f"{next(_FILES)}.db", DevnetLife(seed))
    chain.forward(chain.make(25))
    walk(chain, 14)
    live, rebuilt = fresh_database(postgres), fresh_database(postgres)
    project(chain.log, live, judging=judging(), batch_records=batch)
    project(chain.log, rebuilt, judging=judging())
    records = all_records(chain.log)
    with connect(live) as connection, connect(rebuilt) as other:
        for step in range(chain.end.spine.step + 1):
            assert rows_at(connection, step) == expected_at(records, step, judging())
        now = rows_at(connection, None)
        assert all(now[table] for table in JUDGED), "nothing was judged: the test shows nothing"
        assert table_digests(connection) == table_digests(other)


@pytest.mark.parametrize("seed", range(4))
def test_an_alert_is_withdrawn_if_and_only_if_its_cause_is(
    postgres: EmbeddedPostgres, make_chain: MakeChain, seed: int
) -> None:
    """Invariant I10: at every step there is an alert for exactly those batteries and rules that alarming findings
    stand under, and never two.
    """
    chain = make_chain(f"{next(_FILES)}.db", DevnetLife(seed))
    chain.forward(chain.make(8))
    for _ in range(8):  # the first alerts of a battery are raised and withdrawn again
        chain.back(6)
        chain.forward(chain.make(7))
    walk(chain, 10)
    url = fresh_database(postgres)
    project(chain.log, url, judging=judging())
    withdrawn = 0
    with connect(url) as connection:
        before: set[tuple[object, ...]] = set()
        for step in range(chain.end.spine.step + 1):
            alerts = _at(connection, "SELECT battery_key, rule, findings, severity FROM alerts", step)
            causes = _at(
                connection,
                "SELECT battery_key, rule, count(*), CASE max(array_position(ARRAY['warning', 'high', 'critical'],"
                " severity)) WHEN 1 THEN 'warning' WHEN 2 THEN 'high' ELSE 'critical' END FROM findings",
                step,
                "AND severity IN ('warning', 'high', 'critical') GROUP BY battery_key, rule",
            )
            assert alerts == causes
            named = {each[:2] for each in alerts}
            withdrawn += len(before - named)
            before = named
    assert before
    assert withdrawn


def _at(connection: Connection, query: str, step: int, rest: str = "") -> set[tuple[object, ...]]:
    held = "known_from_step <= %(step)s AND (known_until_step IS NULL OR known_until_step > %(step)s)"
    return set(connection.execute(f"{query} WHERE {held} {rest}".encode(), {"step": step}))


def test_an_alert_has_one_name_whatever_forks_the_chain_takes(
    postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    """What people did about it is kept by that name."""
    names = []
    for forks in (False, True):
        chain = make_chain(f"{forks}.db", DevnetLife(7))
        chain.life.random.seed(1)
        chain.forward(chain.make(30))
        if forks:
            chain.forward(chain.reinclude(chain.back(1)))
            gone = chain.back(5)
            chain.forward(gone)
        url = fresh_database(postgres)
        project(chain.log, url, judging=judging())
        with connect(url) as connection:
            found = connection.execute("SELECT encode(alert, 'hex') FROM alerts WHERE known_until_step IS NULL")
            names.append(sorted(name for (name,) in found))
    assert names[0] == names[1] != []


def test_profiles_that_are_not_the_logs_are_refused_with_what_to_do(database: str, make_chain: MakeChain) -> None:
    chain = make_chain("log.db", DevnetLife(1))
    chain.forward(chain.make(2))
    other = replace(profile(), reporting_script="99" * 28)
    with pytest.raises(ConfigurationError, match="not the one that the log was written with"):
        project(chain.log, database, judging=Judging({other.name: other}))
    with pytest.raises(ConfigurationError, match="no profile given is of that name"):
        project(chain.log, database, judging=Judging({"x": replace(profile(), name="x")}))
    with pytest.raises(ConfigurationError, match="leave that profile out"):
        project(chain.log, database, judging=Judging(judging().profiles | {"x": replace(profile(), name="x")}))


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (judging(), None, "hold verdicts: give the profiles"),
        (None, judging(), "built without verdicts"),
        (judging(), Judging(judging().profiles, ThresholdBook({"soh_max_bp": 1})), "other thresholds"),
        (
            judging(),
            Judging({profile().name: replace(profile(), soh_tolerance_bp=1)}),
            "other profiles",
        ),
    ],
)
def test_tables_are_judged_by_one_thing_for_their_life(
    database: str, make_chain: MakeChain, first: Judging | None, then: Judging | None, message: str
) -> None:
    chain = make_chain("log.db", DevnetLife(1))
    chain.forward(chain.make(2))
    project(chain.log, database, judging=first)
    with pytest.raises(SchemaMismatch, match=message):
        project(chain.log, database, judging=then)
    project(chain.log, database, judging=first)


def test_hostile_events_are_judged_too(postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    """Names, numbers and texts that PostgreSQL refuses reach verdicts and findings."""
    life = Life(5, 3, hostile=True)
    chain = make_chain("log.db", life)
    walk(chain, 30)
    url = fresh_database(postgres)
    by = Judging({life.profile.name: life.profile})
    project(chain.log, url, judging=by)
    with connect(url) as connection:
        now = rows_at(connection, None)
    assert now == expected_at(all_records(chain.log), chain.end.spine.step, by)
    assert now["verdicts"]
