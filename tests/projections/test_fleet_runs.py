"""Rules over fleets as scheduled runs, on a real PostgreSQL."""

from contextlib import closing

import pytest

from consumers.alerts import Act, Selection, count_open, do_act, find_alert, list_alerts, read_story
from indexer.errors import ConfigurationError
from projections.alone import FleetBusy
from projections.database import connect
from projections.digest import table_digests
from projections.errors import SchemaMismatch
from projections.fleet import FleetRun, run_fleet
from projections.judging import Judging
from projections.rebuild import Rebuild
from projections.rules.thresholds import ThresholdBook
from tests.projections.chain import TestChain
from tests.projections.conftest import MakeChain
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import project

EAGER = Judging(judging().profiles, ThresholdBook({"expired_share_of": 1, "expired_share_percent": -1}))
"""Thresholds by which rule R43 finds every submitter."""


def run(url: str, by: Judging = EAGER) -> FleetRun:
    with connect(url) as connection:
        found = run_fleet(connection, by)
    assert found is not None
    return found


@pytest.fixture
def chain(database: str, make_chain: MakeChain) -> TestChain:
    chain = make_chain("log.db", DevnetLife(4))
    chain.forward(chain.make(60))
    project(chain.log, database, judging=EAGER)
    return chain


def test_a_run_that_finds_the_same_again_changes_nothing(database: str, chain: TestChain) -> None:
    first, second = run(database), run(database)
    assert first.step == chain.end.spine.step
    assert first.new == first.findings > 0
    assert (second.findings, second.new, second.ended) == (first.findings, 0, 0)


def test_what_a_fleet_shows_no_more_is_withdrawn(database: str, chain: TestChain) -> None:
    run(database)
    with connect(database) as connection:
        before = [each for each in list_alerts(connection, Selection())[1] if each.subject_kind == "submitter"]
        assert before
        chain.back(len(chain.blocks) - 2)
        project(chain.log, database, judging=EAGER)
        after = run(database)
        assert (after.findings, after.ended) == (0, len(before))
        withdrawn = list_alerts(connection, Selection(withdrawn=True, name=before[0].alert))[1]
        assert "found it no more" in (withdrawn[0].withdrawn or "")
        holds, (found,) = find_alert(connection, before[0].alert)
        assert read_story(connection, holds, found).findings


def test_a_fleets_alert_that_a_person_closed_stays_closed_while_it_is_no_graver(
    database: str, chain: TestChain
) -> None:
    run(database)
    with connect(database) as connection:
        holds, listed = list_alerts(connection, Selection())
        alert = next(each for each in listed if each.rule == "R43")
        counted = sum(count_open(connection).values())
        do_act(connection, holds, alert, Act("close", "Ada", "our own workshop"))
        assert sum(count_open(connection).values()) == counted - 1
        chain.forward(chain.make(20))
        project(chain.log, database, judging=EAGER)
        run(database)
        (again,) = list_alerts(connection, Selection(name=alert.alert))[1]
    assert again.state == "closed"


def test_runs_leave_the_tables_of_the_fold_as_they_are(database: str, chain: TestChain) -> None:
    """What is compared after a rebuild must not depend on when somebody ran a rule."""
    del chain
    with connect(database) as connection:
        before = table_digests(connection)
        run(database)
        assert table_digests(connection) == before


def test_of_several_at_once_one_runs_and_not_before_its_time(database: str, chain: TestChain) -> None:
    del chain
    with closing(connect(database)) as other, connect(database) as connection:
        with other.transaction():
            other.execute("SELECT pg_advisory_lock(%s)", (0x63656C6C666C6565,))
            with pytest.raises(FleetBusy):
                run_fleet(connection, EAGER)
            other.execute("SELECT pg_advisory_unlock_all()")
        assert run_fleet(connection, EAGER, unless_within_seconds=3_600) is not None
        assert run_fleet(connection, EAGER, unless_within_seconds=3_600) is None


def test_tables_that_were_judged_by_something_else_are_refused(database: str, chain: TestChain) -> None:
    del chain
    with pytest.raises(SchemaMismatch, match="other thresholds"):
        run(database, judging())
    with pytest.raises(ConfigurationError, match="no profile given"):
        run(database, Judging({}))


def test_a_rebuild_keeps_what_stood_with_its_time_and_judges_fleets_before_it_is_put_in_place(
    database: str, chain: TestChain
) -> None:
    """Here nothing that stood is found any more, and something is found that no run had seen."""
    run(database)
    with connect(database) as connection:
        before = connection.execute(STANDING).fetchall()
        assert before
        rebuild(chain, database, EAGER)
        assert connection.execute(STANDING).fetchall() == before
        never = Judging(judging().profiles, ThresholdBook({"expired_share_of": 10_000}))
        rebuild(chain, database, never)
        assert connection.execute(STANDING).fetchall() == []
        withdrawn = connection.execute("SELECT count(*) FROM fleet_findings WHERE known_until_step IS NOT NULL")
        assert withdrawn.fetchone() == (len(before),), "and it is told that they once stood"
        rebuild(chain, database, EAGER)
        assert [row[:3] for row in connection.execute(STANDING).fetchall()] == [row[:3] for row in before]


STANDING = (
    "SELECT alert, number, severity, slot, found_at FROM fleet_findings WHERE known_until_step IS NULL"
    " AND rule = 'R43' ORDER BY alert, number"
)


def rebuild(chain: TestChain, url: str, by: Judging) -> None:
    with Rebuild(chain.log, lambda schema: connect(url, schema=schema), judging=by) as work:
        work.prepare()
        assert work.load()
        assert work.swap()
