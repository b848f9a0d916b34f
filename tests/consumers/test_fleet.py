"""A fleet's numbers against the tables' own rows and the devnet's labels, now and in the past."""

from collections.abc import Iterator

import pytest

from consumers.alerts import Selection, count_alerts, list_alerts
from consumers.alerts_then import list_alerts_then, read_story_then
from consumers.batteries import Wanted, list_batteries
from consumers.beliefs import read_beliefs, read_evidence
from consumers.fleet import Fleet, read_fleet
from consumers.timeline import StepNotReached, read_timeline
from deploy.postgres import EmbeddedPostgres
from projections.database import Connection, connect
from projections.judging import Judging
from tests.consumers.labelled import Labelled, labelled, profile_of
from tests.postgres import postgres
from tests.projections.tables import project

__all__ = ["postgres"]


@pytest.fixture(scope="module")
def tables(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labelled]:
    with labelled(postgres, tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture
def connection(tables: Labelled) -> Iterator[Connection]:
    with connect(tables.url, read_only=True) as connection:
        yield connection


def numbers(fleet: Fleet) -> tuple[object, ...]:
    return fleet.models, fleet.tenths, fleet.newest, fleet.days, fleet.mix, fleet.accused, fleet.readings


def test_a_fleets_numbers_add_up(connection: Connection) -> None:
    fleet = read_fleet(connection)
    assert sum(day.readings for day in fleet.days) == fleet.readings
    for verdict in ("ledger", "crypto", "binding", "plausibility"):
        assert sum(each.readings for each in fleet.mix if each.verdict == verdict) == fleet.readings
    assert sum(each.batteries_read for each in fleet.models) >= len(fleet.newest) > 0
    for each in fleet.tenths:
        assert list(each.soh_bp) == sorted(each.soh_bp)
        assert each.cycles_low <= each.cycles <= each.cycles_high
    _, alerts = list_alerts(connection, Selection(limit=10_000))
    assert sum(each.alerts for each in fleet.raised) == len([each for each in alerts if each.state != "closed"])


def test_frauds_stand_in_the_fleet_and_are_found_by_their_battery(tables: Labelled, connection: Connection) -> None:
    accused = {each.battery_key for each in read_fleet(connection).accused if "R04" in each.rules}
    found = list_batteries(connection, Wanted(verdict="crypto", result="failed")).batteries
    assert accused <= {each.battery_key for each in found}
    tampered = {label["battery_id"] for label in tables.labels("tampered_payload")}
    assert tampered
    assert tampered <= {each.battery_id_text for each in found}


def test_the_past_of_a_fleet_never_changes_with_what_came_later(tables: Labelled, connection: Connection) -> None:
    step, slot = tables.chain.end.spine.step, tables.last_slot // 2
    now, half = read_fleet(connection), read_fleet(connection, as_of_slot=slot)
    assert numbers(read_fleet(connection, step)) == numbers(now)
    assert half.readings < now.readings
    assert all(each.slot <= slot for each in half.newest)
    early = read_fleet(connection, 1)
    assert early.readings < now.readings
    assert early.holds.step == 1
    with pytest.raises(StepNotReached):
        read_fleet(connection, step + 1)


def test_alerts_of_the_past_are_those_of_the_tables_then(tables: Labelled, connection: Connection) -> None:
    step = tables.chain.end.spine.step
    _, now = list_alerts(connection, Selection(limit=10_000))
    holds, then = list_alerts_then(connection, Selection(), step, None)
    assert {each.alert: each.findings for each in now} == {each.alert: each.findings for each in then}
    story = read_story_then(connection, holds, then[0], step, None)
    assert len(story.findings) == then[0].findings
    _, half = list_alerts_then(connection, Selection(), None, tables.last_slot // 2)
    assert 0 < len(half) < len(then)
    assert all(each.last_slot <= tables.last_slot // 2 for each in half)


def test_alerts_are_searched_by_battery_rule_and_name(connection: Connection) -> None:
    holds, everything = list_alerts(connection, Selection(limit=10_000))
    one = next(each for each in everything if each.battery)
    for search in ((one.battery or "")[-6:].upper(), one.name, one.alert[:8], one.subject[:12]):
        found = list_alerts(connection, Selection(search=search, limit=10_000))[1]
        assert one.alert in {each.alert for each in found}, search
    assert list_alerts(connection, Selection(search="%"))[1] == []
    counts = count_alerts(connection, holds, Selection())
    assert sum(each.alerts for each in counts) == len(everything)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(severity="critical"),
        Wanted(rule="R04"),
        Wanted(worth="failed"),
        Wanted(cycles_from=0, cycles_to=10**9),
        Wanted(read_from=0, read_to=10**12),
        Wanted(silent_days=(0, 10**6)),
        Wanted(search="urn:"),
    ],
)
def test_batteries_are_narrowed_and_never_invented(connection: Connection, wanted: Wanted) -> None:
    everything = {each.battery_key for each in list_batteries(connection, Wanted(), limit=1000).batteries}
    found = list_batteries(connection, wanted, limit=1000)
    assert 0 < found.total == len(found.batteries)
    assert {each.battery_key for each in found.batteries} <= everything
    part = list_batteries(connection, wanted, limit=1, offset=found.total - 1)
    assert part.batteries == found.batteries[-1:]


def test_what_a_rollback_took_back_is_told_with_its_span_and_its_evidence(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with labelled(postgres, tmp_path_factory.mktemp("beliefs")) as made, connect(made.url) as connection:
        last = next(block for block in reversed(made.chain.blocks) if "ReadingSubmitted" in str(block.events))
        gone = made.chain.back(len(made.chain.blocks) - made.chain.blocks.index(last))
        judging = Judging({profile_of("weak").name: profile_of("weak")})
        believed = made.chain.end.spine.step - 1
        project(made.chain.log, made.url, judging=judging)
        event = next(each.event for each in gone[0].events if each.event.battery_key)
        deployment, key = event.deployment, event.battery_key
        beliefs = read_beliefs(connection, deployment, key)
        assert beliefs
        assert all(each.stands_as is None and each.taken_back_at_step == believed + 1 for each in beliefs)
        assert read_beliefs(connection, deployment, key, believed) == []
        evidence = read_evidence(connection, deployment, key, beliefs[0].event_id)
        assert evidence is not None
        assert evidence.until_step == believed + 1
        before = read_timeline(connection, deployment, key, believed)
        assert before is not None
        assert beliefs[0].event_id in {line.event_id for line in before.lines}
        made.chain.forward(gone)
        project(made.chain.log, made.url, judging=judging)
        again = read_beliefs(connection, deployment, key)
        assert all(each.stands_as is not None for each in again)
        assert read_evidence(connection, deployment, key, "00" * 32) is None
