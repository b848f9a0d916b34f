"""Runs the catalogue's rules over one reading, or one commitment, and keeps what led to each finding. Pure."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from projections.rules.catalogue import CATALOGUE, RULES
from projections.rules.history import History, Sample, accept, epoch_opened, noted, null_frame, outlier
from projections.rules.life import beside_passport, opens_epoch
from projections.rules.model import Finding, Hit, Outcome, Rule, Scope
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds


class Said(Struct, frozen=True, omit_defaults=True):
    """What rules said: findings, and the rules that had not all of their inputs."""

    findings: tuple[Finding, ...] = ()
    not_assessable: tuple[str, ...] = ()
    quarantined: bool = False  # put aside: the reading moves no reference

    def and_then(self, other: "Said") -> "Said":
        return Said(
            self.findings + other.findings,
            self.not_assessable + other.not_assessable,
            self.quarantined or other.quarantined,
        )


def rules_of(scope: Scope) -> tuple[Rule, ...]:
    return tuple(rule for rule in CATALOGUE if rule.scope == scope)


READING_RULES: Final = rules_of("reading")
SINGLE_RULES: Final = tuple(rule for rule in READING_RULES if "R15" <= rule.id <= "R23")
"""Those that ask for nothing but the reading and its passport."""
UNBOUND_RULES: Final = tuple(rule for rule in READING_RULES if rule in SINGLE_RULES or rule.id in ("R09", "R10"))
"""Those that hold for a signed reading whenever it was said: anybody can submit an old one again."""
_OF_VALUES: Final = frozenset(
    rule.id
    for rule in READING_RULES
    if (rule.id in ("R13", "R41", "R53", "R55") or "R15" <= rule.id <= "R35") and rule.id != "R22"
)
"""Those that ask what was measured: of a null frame, in which nothing was, they can't be assessed."""


def judge_reading(
    history: History,
    sample: Sample,
    passport: Passport,
    thresholds: Thresholds,
    rules: Iterable[Rule] = READING_RULES,
) -> Said:
    """What the rules of scope "reading" say of one. ``history`` is the one before it."""
    findings: list[Finding] = []
    missing: list[str] = []
    nothing_measured = null_frame(sample.reading)
    for rule in rules:
        unasked = nothing_measured and rule.id in _OF_VALUES
        outcome = None if unasked else rule.judge(history, sample, passport, thresholds)
        if outcome is None:
            missing.append(rule.id)
        elif outcome:
            findings += (finding(rule, hit, thresholds) for hit in outcome)
    aside = nothing_measured or (
        outlier(history, sample.reading, thresholds) and not opens_epoch(history, sample, thresholds)
    )
    return Said(tuple(findings), tuple(missing), aside)


def said(outcomes: Iterable[tuple[Rule, Outcome]], thresholds: Thresholds) -> Said:
    """Outcomes as findings; rules that could not be assessed by id."""
    findings: list[Finding] = []
    missing: list[str] = []
    for rule, outcome in outcomes:
        if outcome is None:
            missing.append(rule.id)
        elif outcome:
            findings += (finding(rule, hit, thresholds) for hit in outcome)
    return Said(tuple(findings), tuple(missing))


def finding(rule: Rule, hit: Hit, thresholds: Thresholds) -> Finding:
    return Finding(
        rule=rule.id,
        version=rule.version,
        severity=hit.severity,
        values=hit.values,
        thresholds={name: getattr(thresholds, name) for name in rule.thresholds},
    )


def fleet_findings(rule_id: str, hits: dict[str, tuple[Hit, ...]], thresholds: Thresholds) -> dict[str, list[Finding]]:
    """What a fleet rule said, by subject."""
    return {subject: [finding(RULES[rule_id], hit, thresholds) for hit in found] for subject, found in hits.items()}


def taken_up(history: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> History:
    """The history after a reading that is signed, bound and in effect."""
    if opens_epoch(history, sample, thresholds):
        history = epoch_opened(history, history.key)
    accepted = accept(history, sample, thresholds)
    if accepted.accepted > history.accepted:
        accepted = beside_passport(accepted, sample, passport, thresholds)
    return noted(accepted, sample, bound=True)
