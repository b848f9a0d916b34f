"""The outbox on a real PostgreSQL: what is planned once stays, in order, whatever happens to tables and sinks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import errors, sql

from consumers.alerting.ask import explain, give_up, list_held, list_sends, retry
from consumers.alerting.outbox import mark, next_message, take_lead
from consumers.alerting.routes import Route, Throttle
from consumers.alerting.watch import plan_once
from projections.database import Connection, connect
from projections.errors import SchemaMismatch
from projections.migrate import migrate
from projections.rebuild import Rebuild
from projections.roles import make_roles
from projections.run import Progress
from tests.consumers.alerting.desk import Desk, alerting, final, webhook
from tests.consumers.alerting.receivers import Receiver, hang, receiver, status
from tests.kafka import free_ports
from tests.postgres import database, postgres
from tests.projections.judged_chain import judging
from tests.projections.tables import project

__all__ = ["database", "postgres"]


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path / "log.db")


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def heard(hook: Receiver) -> dict[str, str]:
    return final(message for request in hook.requests for message in request.verified()["messages"])


def test_every_alert_that_stands_is_told_once_signed_and_in_whole(desk: Desk, hook: Receiver) -> None:
    given = alerting(ops=webhook(hook.url))
    assert desk.plan(given)
    assert desk.send(given) == len(desk.standing())
    assert desk.plan(given) == ()
    assert desk.send(given) == 0
    assert heard(hook) == {each.alert: "firing" for each in desk.standing()}
    assert desk.states() == {"sent": len(desk.standing())}


def test_what_the_chain_takes_back_is_resolved_with_the_reason(desk: Desk, hook: Receiver) -> None:
    given = alerting(ops=webhook(hook.url))
    desk.plan(given)
    desk.send(given)
    desk.chain.back(len(desk.chain.blocks) - 3)
    desk.project()
    desk.plan(given)
    desk.send(given)
    assert set(heard(hook).values()) == {"resolved"}
    last = hook.requests[-1].verified()["messages"][0]
    assert last["kind"] == "withdrawn"
    assert "rolled the chain back" in last["reason"]


def test_only_what_is_confirmed_is_told_unless_the_route_asks(desk: Desk, hook: Receiver) -> None:
    given = alerting(Route(name="patient", sinks=("ops",)), ops=webhook(hook.url))
    desk.plan(given)
    desk.send(given)
    deep = {each.alert for each in desk.standing() if each.stage != "provisional"}
    assert set(heard(hook)) == deep
    assert deep < {each.alert for each in desk.standing()}
    desk.chain.forward(desk.chain.make(40))
    desk.project()
    desk.plan(given)
    desk.send(given)
    assert {each.alert for each in desk.standing() if each.last_height < 40} <= set(heard(hook))


@pytest.mark.parametrize("how", ["beside", "dropped"])
def test_tables_that_are_built_anew_say_nothing_twice(desk: Desk, hook: Receiver, how: str) -> None:
    """Also while they are built, and pass through alerts that a fork took back since."""
    given = alerting(ops=webhook(hook.url))
    desk.plan(given)
    gone = desk.chain.back(10)
    desk.project()
    desk.plan(given)
    desk.chain.forward(desk.chain.reinclude(gone))
    desk.project()
    desk.plan(given)
    desk.send(given)
    believed, keys = heard(hook), [each.key for each in hook.requests]
    assert set(believed.values()) == {"firing", "resolved"}
    if how == "beside":
        with Rebuild(desk.chain.log, lambda schema: connect(desk.url, schema=schema), judging=judging()) as work:
            work.prepare()
            assert work.load()
            assert work.swap()
    else:
        with desk.connect() as connection:
            connection.execute("DROP SCHEMA cellwitness CASCADE")
            migrate(connection)
            assert plan_once(connection, given.routing()) is None  # nothing was projected yet
            steps = []

            def look(progress: Progress) -> None:
                made = plan_once(connection, given.routing())
                steps.append((progress.step, len(made.notices) if made else 0))

            project(desk.chain.log, desk.url, judging=judging(), batch_records=1, progress=look)
        assert len({step for step, _ in steps}) > 2
        assert {notices for _, notices in steps} == {0}
    assert desk.plan(given) == ()
    assert desk.send(given) == 0
    assert heard(hook) == believed
    assert {alert for alert, status in believed.items() if status == "firing"} == {a.alert for a in desk.standing()}
    assert [each.key for each in hook.requests] == keys


def test_an_attempt_that_failed_is_repeated_with_the_same_bytes_and_the_same_key(desk: Desk, hook: Receiver) -> None:
    given = alerting(ops=webhook(hook.url))
    desk.plan(given)
    hook.answers = [status(500), status(503), status(200)]
    for _ in range(3):
        desk.send(given)  # a sender that failed pauses: each call is a new one
        desk.make_due()
    first = [each for each in hook.requests if each.key == hook.requests[0].key]
    assert len({each.body for each in first}) == 1
    assert heard(hook) == {each.alert: "firing" for each in desk.standing()}
    assert {row["attempts"] for row in desk.rows("SELECT attempts FROM cellwitness_people.alert_sends")} == {1, 3}


def test_what_is_refused_waits_for_a_person_and_holds_up_its_alert_only(desk: Desk, hook: Receiver) -> None:
    given = alerting(ops=webhook(hook.url))
    first, *_ = desk.plan(given)
    hook.answers = [status(400, body="no such field"), status(200)]
    desk.send(given)
    assert desk.states() == {"failed": 1, "sent": len(desk.standing()) - 1}
    with desk.connect() as connection:
        (failed,) = list_sends(connection, ("failed",), "ops", 10)
        assert failed["last_error"] == "status 400: no such field"
        assert (failed["key"], failed["attempts"]) == (first.key, 1)
        for alert in desk.standing():
            desk.do("close", alert.alert, "seen")
    desk.plan(given)
    desk.send(given)
    (alert,) = failed["alerts"]
    assert heard(hook)[alert] == "firing"  # its resolution waits behind what was refused
    assert set(heard(hook).values()) == {"firing", "resolved"}
    with desk.connect() as connection:
        assert retry(connection, first.key[:6], None) == [first.key]
    desk.send(given)
    repeats = [each.body for each in hook.requests if each.key == first.key]
    assert len(repeats) == 2
    assert len(set(repeats)) == 1
    assert set(heard(hook).values()) == {"resolved"}
    assert desk.states() == {"sent": 2 * len(desk.standing())}


def test_what_is_given_up_lets_later_messages_pass(desk: Desk, hook: Receiver) -> None:
    given = alerting(ops=webhook(hook.url))
    first, *_ = desk.plan(given)
    hook.answers = [status(410), status(200)]
    desk.send(given)
    for alert in desk.standing():
        desk.do("close", alert.alert, "seen")
    with desk.connect() as connection:
        assert give_up(connection, first.key) == [first.key]
        assert give_up(connection, first.key) == []
    desk.plan(given)
    desk.send(given)
    assert set(heard(hook).values()) == {"resolved"}


def test_a_dead_sink_holds_up_no_other(desk: Desk, hook: Receiver) -> None:
    (port,) = free_ports(1)
    with receiver() as stuck:
        stuck.answers = [hang]
        given = alerting(ops=webhook(hook.url), gone=webhook(f"http://127.0.0.1:{port}/"), stuck=webhook(stuck.url))
        desk.plan(given)
        desk.send(given)
    assert heard(hook) == {each.alert: "firing" for each in desk.standing()}
    waiting = desk.rows("SELECT sink FROM cellwitness_people.alert_sends WHERE state = 'waiting'")
    assert {row["sink"] for row in waiting} == {"gone", "stuck"}
    tried = desk.rows("SELECT sink FROM cellwitness_people.alert_sends WHERE attempts > 0 AND state = 'waiting'")
    assert sorted(row["sink"] for row in tried) == ["gone", "stuck"]  # one try each: the sink is given a pause


@pytest.mark.parametrize("minutes", [60, 60.0, 0.5])
def test_a_throttled_route_holds_and_says_what_it_holds(desk: Desk, hook: Receiver, minutes: float) -> None:
    """Of any number of minutes: a file of routes gives each as a fraction."""
    route = Route(name="slow", sinks=("ops",), provisional=True, throttle=Throttle(messages=1, minutes=minutes))
    given = alerting(route, ops=webhook(hook.url))
    (message,) = desk.plan(given)
    assert len(message.notices) == len(desk.standing())
    for alert in desk.standing():
        desk.do("close", alert.alert, "seen")
    assert desk.plan(given) == ()
    with desk.connect() as connection:
        held = list_held(connection, "ops", 100)
    assert {each["kind"] for each in held} == {"closed"}
    assert len(held) == len(desk.standing())


def test_an_alert_is_explained_route_by_route(desk: Desk, hook: Receiver) -> None:
    given = alerting(
        Route(name="all", sinks=("ops",), provisional=True),
        Route(name="others", sinks=("ops",), model=("nothing like it",)),
        ops=webhook(hook.url),
    )
    alert = desk.standing()[0]
    with desk.connect() as connection:
        before = explain(connection, given.routing(), alert.alert)
    assert [(way.route, way.takes) for way in before.ways] == [("all", True), ("others", False)]
    assert before.ways[0].next in ("provisional", "confirmed")
    assert "nothing like it" in before.ways[1].why
    desk.plan(given)
    desk.send(given)
    with desk.connect() as connection:
        after = explain(connection, given.routing(), alert.alert)
    assert after.ways[0].next is None
    assert [each["state"] for each in after.story] == ["sent"]


def test_one_alerter_works_at_a_time(desk: Desk) -> None:
    with desk.connect() as first, desk.connect() as second:
        assert take_lead(first)
        assert not take_lead(second)
        first.close()
        for _ in range(100):
            if take_lead(second):
                return
    raise AssertionError("the lead was not given up")


def as_alerter(url: str) -> Connection:
    connection = connect(url)
    connection.execute("SET ROLE cellwitness_alerter")
    return connection


def test_the_alerters_role_is_enough_and_takes_nothing_back(desk: Desk, hook: Receiver) -> None:
    with desk.connect() as connection:
        make_roles(connection)
    given = alerting(ops=webhook(hook.url))
    with as_alerter(desk.url) as connection:
        assert plan_once(connection, given.routing())
        message = next_message(connection, "ops")
        assert message is not None
        mark(connection, message.key, "failed", "why not")
        assert retry(connection, None, "ops")
        assert list_sends(connection, (), None, 10)
        for table in ("alert_sends", "alert_notices"):
            name = sql.Identifier("cellwitness_people", table)
            for statement in ("DELETE FROM {}", "UPDATE {} SET key = key", "TRUNCATE {}"):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(sql.SQL(statement).format(name))
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("UPDATE cellwitness_people.alert_sends SET body = ''")


def test_a_database_without_the_outbox_is_told_what_to_run(database: str) -> None:
    with connect(database) as connection, pytest.raises(SchemaMismatch, match="cellwitness project"):
        plan_once(connection, alerting(ops=webhook("http://x/")).routing())
