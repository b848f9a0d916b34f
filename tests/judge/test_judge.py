"""Frauds are caught by what is meant for them, honest people are left alone, and the yardstick can fail."""

from functools import lru_cache

import pytest
from msgspec.structs import replace

from deploy.devnet.schemes import CATALOGUE
from projections.rules.catalogue import RULES
from projections.rules.model import SEVERITIES
from projections.verdicts.fold import NOTHING
from tests.judge.made import KINDS, Chain, Kind, Sizes, make
from tests.judge.meant import HONEST, MEANT
from tests.judge.report import CAUGHT_GOAL, FIELD_GOAL, LABORATORY_GOAL, as_json, markdown, measured, tables
from tests.judge.score import false_alarms, frauds

SMALL = Sizes(seed=3, batteries=12, days=14, reading_hours=8, fraud_share=0.45, honest_days=150)


@lru_cache
def chain(kind: Kind) -> Chain:
    return make(kind, SMALL)


def test_every_kind_of_the_catalogue_has_what_is_meant_for_it() -> None:
    assert set(MEANT) == {fraud.name for fraud in CATALOGUE if not fraud.honest}
    assert set(HONEST) == {fraud.name for fraud in CATALOGUE if fraud.honest}
    for name, meant in MEANT.items():
        assert meant.checks or meant.rules, name
        for rule, severity in meant.rules.items():
            least = min(SEVERITIES.index(each) for each in RULES[rule].severities)
            assert SEVERITIES.index(severity) >= least, (name, rule)


@pytest.mark.long
def test_the_goals_are_met() -> None:
    run = measured(chain(kind) for kind in KINDS)
    done = {each.case.name for found in run.caught.values() for each in found}
    assert done == set(MEANT)
    assert run.caught_share >= CAUGHT_GOAL
    assert run.field_share <= FIELD_GOAL
    assert run.laboratory_share <= LABORATORY_GOAL
    assert run.met
    assert f"Seed {SMALL.seed}" in markdown(run, SMALL.seed)
    assert len(tables(run)[0].rows) == len(MEANT)
    assert as_json(run, SMALL.seed)["met"] is True


@pytest.mark.parametrize("kind", ["contracts", "weak"])
def test_each_kind_is_caught_more_often_than_not(kind: Kind) -> None:
    for name in MEANT:
        found = [bool(each.by) for each in frauds(chain(kind)) if each.case.name == name]
        assert 2 * sum(found) >= len(found), name


def test_nothing_is_caught_by_a_fold_that_says_nothing() -> None:
    made = chain("weak")
    silent = replace(made, facts=tuple((fact, NOTHING) for fact, _ in made.facts))
    by_the_fleet = {each.case.name for each in frauds(silent) if each.by}
    assert by_the_fleet <= {"ring", "cloned_key", "discarding"}


def test_an_honest_reading_that_alarms_is_counted() -> None:
    """The same chain with the labels of one kind of fraud taken away: what was a catch is a false alarm."""
    made = chain("contracts")
    innocent = [
        {name: value for name, value in label.items() if name not in ("fraud", "honest")}
        if label.get("fraud") == "wrong_signer"
        else label
        for label in made.labels
    ]
    before, after = false_alarms(made), false_alarms(replace(made, labels=tuple(innocent)))
    assert sum(each.alarming for each in after.values()) > sum(each.alarming for each in before.values())
