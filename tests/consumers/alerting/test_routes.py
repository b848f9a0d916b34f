"""Which alerts a route takes, and when it may send: quiet hours by the wall clock, gathering, throttling."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.alerting.routes import WEEKDAYS, Quiet, Route, Throttle, why_not
from tests.consumers.alerting.made import START, Memory, kinds, minutes, routing, standing

NIGHT = Quiet(from_=time(22), to=time(7), zone="Europe/Berlin", but=("critical",))


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (Route(name="r", sinks=("s",)), None),
        (Route(name="r", sinks=("s",), severity=("critical",)), "severity high is none of critical"),
        (Route(name="r", sinks=("s",), rule=("R1?",)), "rule R09 is none of R1?"),
        (Route(name="r", sinks=("s",), rule=("R0*",)), None),
        (Route(name="r", sinks=("s",), model=("NMC-*", "LFP-*")), None),
        (Route(name="r", sinks=("s",), model=("nmc-*",)), "model NMC-1 is none of nmc-*"),
        (Route(name="r", sinks=("s",), deployment=("other",)), "deployment demo is none of other"),
    ],
)
def test_a_route_takes_what_fits_all_that_it_names_and_says_what_does_not(route: Route, said: str | None) -> None:
    assert why_not(route, standing(), "high") == said


def test_an_alert_about_no_battery_fits_no_model() -> None:
    route = Route(name="r", sinks=("s",), model=("*",))
    assert why_not(route, standing(model=None), "high") == "model (none) is none of *"


@pytest.mark.parametrize(
    ("local", "quiet"),
    [
        ("2026-03-02T21:59:59", False),
        ("2026-03-02T22:00:00", True),
        ("2026-03-03T06:59:59", True),
        ("2026-03-03T07:00:00", False),
        ("2026-03-29T06:30:00", True),  # the night in which summer time begins
        ("2026-10-25T06:59:59", True),  # and in which it ends
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall_and_over_midnight(local: str, quiet: bool) -> None:
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert NIGHT.is_quiet(now, "high") is quiet
    assert NIGHT.is_quiet(now, "critical") is False


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = Quiet(from_=time(22), to=time(7), days=("fri",))
    for day in range(7):
        evening = datetime(2026, 3, 2 + day, 23, tzinfo=UTC)
        assert friday.is_quiet(evening, "high") is (WEEKDAYS[day] == "fri")
        assert friday.is_quiet(evening + timedelta(hours=3), "high") is (WEEKDAYS[day] == "fri")


@settings(deadline=None)
@given(st.times(), st.times(), st.dates())
def test_every_quiet_hour_ends_at_the_moment_it_says(start: time, end: time, day: date) -> None:
    quiet = Quiet(from_=start, to=end)
    assert not quiet.is_quiet(datetime.combine(day, end, UTC), "high")
    assert quiet.is_quiet(datetime.combine(day, start, UTC), "high") is (start != end)


def test_what_quiet_hours_hold_is_sent_when_they_end_and_not_what_was_withdrawn_meanwhile() -> None:
    quiet = Quiet(from_=time(11), to=time(13), but=("critical",))
    memory, routed = Memory(), routing(Route(name="r", sinks=("ops",), quiet=quiet))
    one, two, grave = standing(1), standing(2), standing(3, severity="critical", confirmed="critical")
    memory.plan(routed, [one, two, grave])
    assert [each.said.alert for each in memory.sent()] == [grave.alert.alert]
    memory.plan(routed, [one, grave])
    memory.plan(routed, [one, grave], START + minutes(60))
    assert [each.said.alert for each in memory.sent()] == [grave.alert.alert, one.alert.alert]
    reasons = sorted(memory.dropped.values())
    assert reasons == ["the sink was never told of what this would take back", "withdrawn before it was sent"]


def test_a_resolution_waits_through_the_quiet_hours_of_its_own_route_only() -> None:
    quiet = Quiet(from_=time(13), to=time(14))
    memory = Memory()
    routed = routing(Route(name="r", sinks=("ops",), quiet=quiet), Route(name="machine", sinks=("chat",)))
    memory.plan(routed, [standing()])
    memory.plan(routed, [], START + minutes(61))
    assert kinds(memory, "chat") == ["confirmed", "withdrawn"]
    assert kinds(memory, "ops") == ["confirmed"]
    memory.plan(routed, [], START + minutes(121))
    assert kinds(memory, "ops") == ["confirmed", "withdrawn"]


def test_a_later_message_does_not_overtake_a_held_one_of_the_same_alert() -> None:
    quiet = Quiet(from_=time(13), to=time(14), but=("critical",))
    memory, routed = Memory(), routing(Route(name="r", sinks=("ops",), quiet=quiet))
    memory.plan(routed, [standing()])
    memory.plan(routed, [standing(state="closed")], START + minutes(61))
    memory.plan(routed, [standing(severity="critical", confirmed="critical")], START + minutes(62))
    assert kinds(memory) == ["confirmed"]
    memory.plan(routed, [standing(severity="critical", confirmed="critical")], START + minutes(121))
    assert kinds(memory) == ["confirmed", "closed", "confirmed"]


def test_what_is_gathered_goes_out_as_one_message_when_the_window_ends() -> None:
    memory, routed = Memory(), routing(Route(name="r", sinks=("ops",), group_seconds=60))
    memory.plan(routed, [standing(1)])
    memory.plan(routed, [standing(1), standing(2)], START + timedelta(seconds=30))
    assert memory.messages == []
    memory.plan(routed, [standing(1), standing(2)], START + timedelta(seconds=60))
    ((_, message),) = memory.messages
    assert len(message.notices) == 2


def test_a_throttled_route_sends_the_rest_as_one_when_it_may_again() -> None:
    route = Route(name="r", sinks=("ops",), throttle=Throttle(messages=2, minutes=10))
    memory, routed = Memory(), routing(route)
    first = [standing(number) for number in range(1, 3)]
    memory.plan(routed, first)
    assert len(memory.messages) == 2
    storm = [standing(number) for number in range(1, 60)]
    memory.plan(routed, storm, START + minutes(9))
    assert len(memory.messages) == 2
    memory.plan(routed, storm, START + minutes(10))
    assert [len(message.notices) for _, message in memory.messages] == [1, 1, 57]


def test_a_storm_is_told_in_messages_of_bounded_size_and_none_is_lost() -> None:
    route = Route(name="r", sinks=("ops",), throttle=Throttle(messages=2, minutes=10), group_seconds=1)
    memory, routed = Memory(), routing(route)
    storm = [standing(number) for number in range(1, 451)]
    for number in range(5):
        memory.plan(routed, storm, START + minutes(10 * number))
    assert [len(message.notices) for _, message in memory.messages] == [100, 100, 100, 100, 50]
    assert len(set(memory.bound)) == 450
