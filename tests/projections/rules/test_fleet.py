import random

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.rules import fleet
from projections.rules.fleet import Committed, Trajectory
from projections.rules.history import DAY, Point
from projections.rules.thresholds import DEFAULT


def course(number: int, fade: int = 140, cycles: int = 1_000, start: int = 10_000) -> Trajectory:
    points = tuple(Point(at, start - fade * at // 100) for at in range(0, cycles + 1, 100))
    values = frozenset((p.soh_bp, p.cycles + number, p.cycles * 9_000 + number) for p in points)
    return Trajectory(battery=f"b{number}", model="M", age_seconds=0, points=points, tuples=values)


def population(count: int = 60) -> list[Trajectory]:
    chance = random.Random(5)
    return [course(number, fade=chance.randint(130, 150)) for number in range(count)]


def test_a_key_of_two_batteries_is_critical_and_one_registered_twice_is_not() -> None:
    hits = fleet.shared_keys([("k1", "a"), ("k1", "b"), ("k2", "a"), ("k2", "a")])
    assert list(hits) == ["k1"]
    assert hits["k1"][0].values == {"batteries": ["a", "b"]}


def test_the_worst_of_a_model_is_found_if_it_is_far_off_and_only_in_a_fleet() -> None:
    weak = course(99, fade=400)
    assert list(fleet.below_model_floor([*population(), weak], DEFAULT)) == ["b99"]
    assert fleet.below_model_floor(population(), DEFAULT) == {}
    assert fleet.below_model_floor([*population(20), weak], DEFAULT) == {}


def test_a_fade_unlike_the_others_is_found_both_ways() -> None:
    found = fleet.unlike_the_others([*population(), course(98, fade=0), course(99, fade=400)], DEFAULT)
    assert {name: hits[0].severity for name, hits in found.items()} == {"b98": "high", "b99": "high"}
    assert fleet.unlike_the_others(population(), DEFAULT) == {}


def test_equal_fades_have_no_outliers() -> None:
    assert fleet.unlike_the_others([course(n) for n in range(40)], DEFAULT) == {}


def test_a_copied_course_is_found_and_new_batteries_are_no_copies() -> None:
    copy = Trajectory(battery="copy", model="M", age_seconds=0, points=(), tuples=population()[1].tuples)
    assert set(fleet.near_duplicates([*population(), copy], DEFAULT)) == {"b1", "copy"}
    new = [
        Trajectory(battery=f"n{n}", model="M", age_seconds=0, points=(), tuples=frozenset({(10_000, 0, 0)}))
        for n in range(50)
    ]
    assert fleet.near_duplicates(new, DEFAULT) == {}
    assert fleet.near_duplicates(population(), DEFAULT) == {}


def made(submitter: str, battery: str, slot: int = 0, *, expired: bool = False) -> Committed:
    return Committed(submitter=submitter, battery=battery, slot=slot, expired=expired)


def test_many_batteries_in_a_day_are_noticed_and_a_fleet_can_be_allowed() -> None:
    day = [made("s", f"b{n}", n * 3_600) for n in range(6)]
    assert list(fleet.shared_submitters(day, DEFAULT)) == ["s"]
    assert fleet.shared_submitters(day, DEFAULT, frozenset({"s"})) == {}
    spread = [made("s", f"b{n}", n * DAY) for n in range(60)]
    assert fleet.shared_submitters(spread, DEFAULT) == {}
    assert fleet.shared_submitters([made("s", "b", n) for n in range(60)], DEFAULT) == {}


def test_a_closed_group_is_a_ring_and_a_market_is_none() -> None:
    ring = [made(f"s{s}", f"b{b}") for s in range(3) for b in range(10)]
    (hits,) = fleet.rings(ring, DEFAULT).values()
    assert (len(hits[0].values["submitters"]), len(hits[0].values["batteries"])) == (3, 10)
    later = [made(f"s{s}", f"b{b}", DAY - 300 + 60 * b) for s in range(3) for b in range(10)]
    market = [made(f"owner{n}", f"b{n % 10}", (2 + n) * DAY) for n in range(200)]
    assert list(fleet.rings(later + market, DEFAULT)) == ["s0"], "over midnight, and among all who ever owned them"
    pairs = [made(f"s{n}", f"b{n}") for n in range(100)]
    assert fleet.rings(pairs, DEFAULT) == {}
    thin = [made(f"s{n % 5}", f"b{n}") for n in range(20)] + [made(f"s{n}", f"b{n + 1}") for n in range(4)]
    assert fleet.rings(thin, DEFAULT) == {}


def test_whoever_leaves_out_more_than_others_picks_cherries() -> None:
    gaps = [(f"s{n}", "M", 1) for n in range(40)] + [("picker", "M", 9)] * 6 + [("rare", "M", 50)] * 2
    assert list(fleet.cherry_pickers(gaps, DEFAULT)) == ["picker"]


def test_a_submitter_who_lets_most_expire_is_noticed() -> None:
    made_ = [made("s", "b", n, expired=n < 3) for n in range(5)] + [made("t", "b", n, expired=n < 2) for n in range(5)]
    assert list(fleet.expired_share(made_, DEFAULT)) == ["s"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.tuples(st.integers(-(2**200), 2**200), st.integers(-(2**64), 2**64)))),
        max_size=50,
    )
)
def test_no_numbers_make_a_fleet_rule_raise(courses: list[tuple[int, list[tuple[int, int]]]]) -> None:
    trajectories = [
        Trajectory(
            battery=f"b{n}",
            model=f"m{model}",
            age_seconds=n,
            points=tuple(Point(c, s) for c, s in points),
            tuples=frozenset((s, c, c) for c, s in points),
        )
        for n, (model, points) in enumerate(courses)
    ]
    lax = DEFAULT
    for judge in (fleet.below_model_floor, fleet.unlike_the_others, fleet.near_duplicates):
        judge(trajectories, lax)
