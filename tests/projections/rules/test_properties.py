"""What holds for every rule: none raises, none says what it can't know, a laxer threshold finds no more."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from indexer.events import Reading
from projections.rules.catalogue import CATALOGUE, RULES
from projections.rules.engine import READING_RULES
from projections.rules.history import NEW, Sample
from projections.rules.model import SEVERITIES
from projections.rules.passport import Passport
from projections.rules.thresholds import DEFAULT, Thresholds
from tests.projections.rules.lives import PASSPORT, judged, life, steady

HUGE = st.one_of(
    st.none(),
    st.integers(-5, 12_000),
    st.sampled_from((2**64 - 1, -(2**64), 2**200, -(2**200), 2**2_000, 0)),
)
NUMBERS = [name for name in Reading.__struct_fields__ if name not in ("battery_id", "challenge", "cell_voltages_mv")]


@st.composite
def hostile(draw: st.DrawFn) -> list[Sample]:
    samples = []
    for number in range(draw(st.integers(1, 12))):
        values: dict[str, Any] = {name: draw(HUGE) for name in NUMBERS}
        cells = draw(st.one_of(st.none(), st.tuples(st.integers(0, 2**200), st.integers(0, 5_000)), st.just(())))
        slot = draw(st.sampled_from((0, number, number * 86_400, 2**63)))
        samples.append(Sample(slot, Reading(**values, cell_voltages_mv=cells), draw(st.sampled_from(("", "00", "01")))))
    return samples


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(hostile(), st.sampled_from((PASSPORT, Passport(), replace(PASSPORT, chemistry="NMC", soh_kind="soce"))))
def test_no_numbers_make_any_rule_raise(samples: list[Sample], passport: Passport) -> None:
    for said, history in judged(samples, passport=passport):
        assert len(history.recent) <= 6
        assert len(history.trail) <= 33
        assert len(history.seen) <= 32
        rules = {finding.rule for finding in said.findings}
        assert rules.isdisjoint(said.not_assessable)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([rule.id for rule in READING_RULES]))
def test_a_rule_without_any_input_is_not_assessable_and_never_passes(rule: str) -> None:
    said, _ = judged([Sample(0, Reading(), "")], passport=Passport())[-1]
    assert rule in said.not_assessable


# Threshold -> which way is laxer. Those not named only say when a rule begins to judge.
LAXER = {
    "counter_gap_warning": 1,
    "counter_per_hour": 1,
    "soh_max_bp": 1,
    "soc_max_bp": 1,
    "temp_hard_min_c": -1,
    "temp_hard_max_c": 1,
    "capacity_warning_bp": 1,
    "cell_sum_bp": 1,
    "cell_spread_mv": 1,
    "soh_increase_info_bp": 1,
    "soh_drop_warning_bp": 1,
    "cycles_per_day": 1,
    "power_percent": 1,
    "throughput_max_percent": 1,
    "throughput_min_percent": -1,
    "calendar_fade_bp_per_year": 1,
    "frozen_readings": 1,
    "min_interval_seconds": -1,
    "burst_readings": 1,
    "silent_days": 1,
    "passport_soh_bp": 1,
    "leapfrog_reversals": 1,
}


@pytest.mark.parametrize("name", LAXER)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(hostile(), st.integers(0, 1_000))
def test_a_laxer_threshold_finds_no_more(name: str, samples: list[Sample], by: int) -> None:
    passport = replace(PASSPORT, soh_bp=9_900)
    laxer = replace(DEFAULT, **{name: getattr(DEFAULT, name) + LAXER[name] * by})
    of = [rule.id for rule in READING_RULES if name in rule.thresholds]
    assert of
    for rule in of:
        strict = [finding for said, _ in judged(samples, passport=passport) for finding in said.findings]
        lax = [f for said, _ in judged(samples, passport=passport, thresholds=laxer) for f in said.findings]
        assert sum(f.rule == rule for f in lax) <= sum(f.rule == rule for f in strict)


def test_the_catalogue_is_whole_and_each_rule_explains_itself() -> None:
    assert [rule.id for rule in CATALOGUE] == [f"R{number:02}" for number in range(1, 56)]
    assert set(RULES) == {rule.id for rule in CATALOGUE}
    for rule in CATALOGUE:
        assert rule.meaning.endswith(".")
        assert rule.inputs
        assert rule.source
        assert set(rule.severities) <= set(SEVERITIES)
        rule.formula.format(**dict.fromkeys(Thresholds.__struct_fields__, 0))


def test_every_threshold_is_some_rule_s_or_the_reference_s() -> None:
    used = {name for rule in CATALOGUE for name in rule.thresholds}
    assert set(Thresholds.__struct_fields__) - used == {"outlier_bp", "outlier_agrees_bp", "outlier_readings"}


def test_findings_have_only_severities_that_their_rule_names() -> None:
    series = [*steady(6), {"soh_bp": 0, "voltage_mv": 0, "temp_min_c": 0, "temp_max_c": 0}, *steady(6, 10_600)]
    for said, _ in judged(life(series)):
        for finding in said.findings:
            assert finding.severity in RULES[finding.rule].severities


def test_judging_does_not_depend_on_what_came_before_it_in_the_process() -> None:
    samples = life(steady(12))
    assert judged(samples) == judged(samples)
    assert type(NEW)() == NEW
