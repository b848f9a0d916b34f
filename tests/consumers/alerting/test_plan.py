"""What is planned: from each state of the alerts the right notices, and none twice."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.alerting.messages import RESOLVING
from consumers.alerting.notices import Notice
from consumers.alerting.routes import Route, Standing, Throttle
from consumers.alerts import State
from tests.consumers.alerting.made import START, Memory, kinds, minutes, routing, standing, where

STATES: st.SearchStrategy[State] = st.sampled_from(["open", "open", "acknowledged", "closed"])
SEVERITIES = st.sampled_from(["warning", "high", "critical"])


@st.composite
def worlds(draw: st.DrawFn) -> list[Standing]:
    """What may stand at some moment: any of three alerts, of any severity, confirmed or not, closed or not."""
    alerts = []
    for number in range(1, 4):
        if draw(st.booleans()):
            severity = draw(SEVERITIES)
            lower = ["warning", "high", "critical"][: ["warning", "high", "critical"].index(severity) + 1]
            confirmed = draw(st.sampled_from([None, *lower]))
            state = draw(STATES)
            alerts.append(standing(number, severity=severity, confirmed=confirmed, state=state))
    return alerts


@st.composite
def route_sets(draw: st.DrawFn) -> list[Route]:
    routes = []
    for name in ("one", "two"):
        severity = draw(st.lists(SEVERITIES, min_size=1, unique=True))
        options: dict[str, Any] = {
            "group_seconds": draw(st.sampled_from([0.0, 90.0])),
            "provisional": draw(st.booleans()),
            "throttle": draw(st.sampled_from([None, {"messages": 1, "minutes": 5.0}])),
            "quiet": draw(st.sampled_from([None, {"from": "12:03:00", "to": "12:09:00", "but": ["critical"]}])),
        }
        routes.append(_route(name=name, sinks=["ops", "chat"], severity=severity, **options))
    return routes


def _route(**values: Any) -> Route:
    import msgspec  # noqa: PLC0415 - as the file is read

    return msgspec.convert(values, Route)


def final_state(notices: list[Notice]) -> dict[tuple[str, str, str], tuple[str, str] | None]:
    """What receivers believe at the end: of each target its severity and episode's kind, or that it is over."""
    state: dict[tuple[str, str, str], tuple[str, str] | None] = {}
    for each in notices:
        state[each.target] = None if each.kind in RESOLVING else (each.severity, each.said.status)
    return state


@settings(deadline=None)
@given(st.lists(worlds(), min_size=1, max_size=8), route_sets())
def test_in_the_end_receivers_believe_what_stands(steps: list[list[Standing]], routes: list[Route]) -> None:
    """Whatever came before: an alert fires at a sink exactly where a route takes it, at its severity."""
    memory, routed = Memory(), routing(*routes)
    now, step = START, 100
    for world in steps:
        memory.plan(routed, world, now, where(step))
        now, step = now + minutes(1), step + 1
    end = steps[-1]
    for _ in range(40):  # quiet hours and throttles pass
        now += minutes(2)
        memory.plan(routed, end, now, where(step))
    assert not memory.outbox().held
    assert not memory.plan(routed, end, now, where(step)).notices
    believed = final_state(memory.sent())
    for route in routes:
        for each in end:
            for sink in route.sinks:
                fires = believed.get((each.alert.alert, route.name, sink))
                early = each.alert.severity if each.alert.severity in route.severity else None
                sure = each.confirmed_severity if each.confirmed_severity in route.severity else None
                due = early if route.provisional and early else sure
                if each.alert.state == "closed" or (early is None and sure is None):
                    assert fires is None
                elif due is not None:
                    assert fires == (due, "firing")
    known = {each.alert.alert for each in end}
    assert all(state is None for (alert, _, _), state in believed.items() if alert not in known)


@settings(deadline=None)
@given(st.lists(worlds(), min_size=1, max_size=8), route_sets())
def test_each_sink_hears_of_an_alert_in_order_and_no_resolution_of_what_it_never_heard(
    steps: list[list[Standing]], routes: list[Route]
) -> None:
    memory, routed = Memory(), routing(*routes)
    now = START
    for number, world in enumerate([*steps, []]):
        memory.plan(routed, world, now, where(100 + number))
        now += minutes(3)
    for _ in range(20):
        now += minutes(3)
        memory.plan(routed, [], now, where(200))
    sent = memory.sent()
    assert len({each.key for each in sent}) == len(sent)
    for target in {each.target for each in sent}:
        mine = [each for each in sent if each.target == target]
        assert [each.turn for each in mine] == sorted(each.turn for each in mine)
        firing = False
        for each in mine:
            assert firing or each.kind not in RESOLVING
            firing = each.kind not in RESOLVING
        assert not firing, "something that is gone still fires"
        once = [(each.episode, each.kind) for each in mine if each.kind not in ("changed", "confirmed")]
        assert len(set(once)) == len(once), "a kind twice in one episode"
        assert all(each.kind != "changed" for each in mine[:1])
        for before, after in pairwise(mine):
            if after.kind == "changed":
                assert before.episode == after.episode
                assert after.said.before == before.severity != after.severity
            elif after.kind == "confirmed" and before.episode == after.episode:
                assert before.said.stage == "provisional", "confirmed twice"


@settings(deadline=None)
@given(worlds(), route_sets())
def test_what_was_planned_once_is_not_planned_again(world: list[Standing], routes: list[Route]) -> None:
    memory, routed = Memory(), routing(*routes)
    memory.plan(routed, world)
    again = memory.plan(routed, world)
    assert not again.notices
    assert not again.dropped


@settings(deadline=None)
@given(st.lists(worlds(), min_size=1, max_size=6), route_sets(), st.data())
def test_tables_that_are_built_anew_say_nothing_twice(
    steps: list[list[Standing]], routes: list[Route], data: st.DataObject
) -> None:
    """A rebuild passes through all that was ever known, from step 0 on: nothing of it is news."""
    memory, routed = Memory(), routing(*routes)
    for number, world in enumerate(steps):
        memory.plan(routed, world, START + minutes(30 * number), where(100 + number))
    told = {each.target for each in memory.notices}
    before = len(memory.notices)
    end = START + minutes(30 * len(steps))
    for number in range(len(steps) - 1):
        if data.draw(st.booleans()):
            memory.plan(routed, steps[number], end, where(100 + number, furthest_step=200))
    memory.plan(routed, [], end, where(5, furthest_step=5, fleet_step=None))
    # Only of what was never told, at any step, may a rebuild tell: routes see nothing else in it.
    assert all(each.target not in told for each in memory.notices[before:])


def test_a_withdrawn_alert_takes_back_what_was_sent_and_says_why() -> None:
    memory, routed = Memory(), routing()
    memory.plan(routed, [standing()])
    memory.plan(routed, [], withdrawn={standing().alert.alert: "step 7 rolled the chain back"})
    (said, back) = memory.sent()
    assert (said.kind, back.kind) == ("confirmed", "withdrawn")
    assert back.said.status == "resolved"
    assert back.said.reason == "step 7 rolled the chain back"
    assert back.said.began_at == said.said.began_at
    assert back.episode == said.episode


def test_an_alert_that_comes_back_on_the_other_fork_begins_a_new_episode_under_another_key() -> None:
    memory, routed = Memory(), routing()
    for world in ([standing()], [], [standing()], []):
        memory.plan(routed, world)
    assert kinds(memory) == ["confirmed", "withdrawn", "confirmed", "withdrawn"]
    assert [each.episode for each in memory.sent()] == [1, 1, 2, 2]
    assert len(set(memory.bound)) == 4


def test_what_is_provisional_is_said_only_where_the_route_asks_and_says_so() -> None:
    patient, eager = Route(name="patient", sinks=("ops",)), Route(name="eager", sinks=("chat",), provisional=True)
    memory, routed = Memory(), routing(patient, eager)
    memory.plan(routed, [standing(confirmed=None)])
    assert [(each.target[1], each.kind, each.said.stage) for each in memory.sent()] == [
        ("eager", "provisional", "provisional")
    ]
    memory.plan(routed, [standing()])
    assert kinds(memory, "chat") == ["provisional", "confirmed"]
    assert kinds(memory, "ops") == ["confirmed"]


def test_an_alert_that_was_never_confirmed_is_withdrawn_without_a_word_to_the_patient() -> None:
    memory, routed = Memory(), routing()
    memory.plan(routed, [standing(confirmed=None)])
    memory.plan(routed, [])
    assert memory.notices == []


def test_a_graver_finding_counts_when_it_is_confirmed() -> None:
    memory, routed = Memory(), routing()
    memory.plan(routed, [standing(severity="critical", confirmed="warning")])
    memory.plan(routed, [standing(severity="critical", confirmed="critical")])
    said = memory.sent()
    assert [(each.kind, each.severity, each.said.before) for each in said] == [
        ("confirmed", "warning", None),
        ("changed", "critical", "warning"),
    ]


def test_a_graver_finding_is_told_at_once_as_provisional_and_again_when_it_is_confirmed() -> None:
    memory, routed = Memory(), routing(Route(name="eager", sinks=("ops",), provisional=True))
    memory.plan(routed, [standing(severity="warning", confirmed="warning")])
    memory.plan(routed, [standing(severity="critical", confirmed="warning")])
    memory.plan(routed, [standing(severity="critical", confirmed="critical")])
    assert [(each.kind, each.severity, each.said.stage) for each in memory.sent()] == [
        ("confirmed", "warning", "confirmed"),
        ("changed", "critical", "provisional"),
        ("confirmed", "critical", "confirmed"),
    ]


def test_a_resolution_names_the_severity_that_the_sink_knows() -> None:
    route = Route(name="r", sinks=("ops",), throttle=Throttle(messages=1, minutes=10))
    memory, routed = Memory(), routing(route)
    memory.plan(routed, [standing(severity="warning", confirmed="warning")])
    memory.plan(routed, [standing(severity="critical", confirmed="critical")])
    memory.plan(routed, [])
    memory.plan(routed, [], START + minutes(10))
    assert [(each.kind, each.severity) for each in memory.sent()] == [
        ("confirmed", "warning"),
        ("withdrawn", "warning"),
    ]


def test_a_change_that_was_undone_while_it_was_held_is_not_told() -> None:
    route = Route(name="r", sinks=("ops",), throttle=Throttle(messages=1, minutes=10))
    memory, routed = Memory(), routing(route)
    for severity in ("warning", "critical", "warning"):
        memory.plan(routed, [standing(severity=severity, confirmed=severity)])
    memory.plan(routed, [standing(severity="warning", confirmed="warning")], START + minutes(10))
    assert kinds(memory) == ["confirmed"]
    assert not memory.outbox().held
    assert sorted(memory.dropped.values()) == ["the sink knows that already", "undone before it was sent"]


def test_a_person_closing_it_resolves_it_with_the_name_and_the_reason() -> None:
    memory, routed = Memory(), routing()
    memory.plan(routed, [standing()])
    memory.plan(routed, [standing(state="closed")])
    closed = memory.sent()[-1]
    assert (closed.kind, closed.said.reason, closed.said.by) == ("closed", "papers seen", "Ada")
    memory.plan(routed, [standing()])
    assert kinds(memory) == ["confirmed", "closed", "confirmed"]


def test_what_no_route_takes_any_more_is_resolved() -> None:
    memory = Memory()
    memory.plan(routing(Route(name="a", sinks=("ops",))), [standing()])
    memory.plan(routing(Route(name="b", sinks=("ops",), severity=("critical",))), [standing()])
    assert kinds(memory) == ["confirmed", "unrouted"]


def test_absence_counts_only_when_the_tables_are_as_far_as_they_were() -> None:
    memory, routed = Memory(), routing()
    memory.plan(routed, [standing()], at=where(100, furthest_step=105))
    for step in (-1, 50, 104):
        memory.plan(routed, [], at=where(step))
    memory.plan(routed, [], at=where(500, log="another log", height=99))
    assert kinds(memory) == ["confirmed"]
    memory.plan(routed, [], at=where(105))
    assert kinds(memory) == ["confirmed", "withdrawn"]


def test_a_fleets_alert_is_withdrawn_by_a_judgement_and_not_by_tables_that_know_of_none() -> None:
    memory, routed = Memory(), routing()
    memory.plan(routed, [standing(rule="R38")], at=where(100, fleet_step=90))
    memory.plan(routed, [], at=where(200, fleet_step=None))
    memory.plan(routed, [], at=where(200, fleet_step=80))
    assert kinds(memory) == ["confirmed"]
    memory.plan(routed, [], at=where(200, fleet_step=150))
    assert kinds(memory) == ["confirmed", "withdrawn"]


def test_old_alerts_are_left_out_at_a_first_start_and_go_on_if_they_find_something_new() -> None:
    since = datetime.fromisoformat("2026-02-15T00:00:00Z")
    memory, routed = Memory(), routing(Route(name="a", sinks=("ops",), since=since))
    memory.plan(routed, [standing()])
    assert memory.notices == []
    memory.plan(routed, [standing(last_time="2026-02-16T00:00:00Z")])
    memory.plan(routed, [standing()])  # that finding was retracted; the alert stands
    assert kinds(memory) == ["confirmed"]
