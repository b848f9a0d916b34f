"""The rules over whole fleets, with their subjects, over what a scheduled query found. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from projections.rules.engine import fleet_findings
from projections.rules.fleet import (
    Committed,
    Hits,
    Trajectory,
    below_model_floor,
    cherry_pickers,
    expired_share,
    near_duplicates,
    rings,
    shared_keys,
    shared_submitters,
    unlike_the_others,
)
from projections.rules.model import Finding
from projections.rules.thresholds import ThresholdBook, Thresholds

Gap = tuple[str, str, int]
"""Submitter, model and the counter's step of a reading."""


class Fleet(Struct, frozen=True, kw_only=True):
    """One deployment at one step."""

    deployment: str
    registrations: Iterable[tuple[str, str]] = ()  # public key and battery
    courses: tuple[Trajectory, ...] = ()
    commitments: tuple[Committed, ...] = ()  # of late
    gaps: tuple[Gap, ...] = ()  # of late


class FleetFinding(Struct, frozen=True):
    """A finding about a subject."""

    deployment: str
    subject: str
    subject_kind: str
    number: int  # from 0, of one rule about one subject
    finding: Finding


def judge_fleet(fleet: Fleet, book: ThresholdBook) -> Iterator[FleetFinding]:
    """What the rules say of a deployment. Those that compare within a model take the model's thresholds."""
    everywhere = book.of(fleet.deployment, None)
    yield from _found(fleet, "R11", shared_keys(fleet.registrations), everywhere)
    models: dict[str, list[Trajectory]] = {}
    for course in fleet.courses:
        models.setdefault(course.model, []).append(course)
    for model, courses in models.items():
        thresholds = book.of(fleet.deployment, model)
        yield from _found(fleet, "R31", below_model_floor(courses, thresholds), thresholds)
        yield from _found(fleet, "R36", unlike_the_others(courses, thresholds), thresholds)
    yield from _found(fleet, "R37", near_duplicates(fleet.courses, everywhere), everywhere)
    yield from _found(fleet, "R38", shared_submitters(fleet.commitments, everywhere), everywhere)
    yield from _found(fleet, "R39", rings(fleet.commitments, everywhere), everywhere)
    yield from _found(fleet, "R40", cherry_pickers(fleet.gaps, everywhere), everywhere)
    yield from _found(fleet, "R43", expired_share(fleet.commitments, everywhere), everywhere)


_KINDS: Final[Mapping[str, str]] = {
    "R11": "public key",
    "R38": "submitter",
    "R39": "submitter",
    "R40": "submitter",
    "R43": "submitter",
}


def _found(fleet: Fleet, rule: str, hits: Hits, thresholds: Thresholds) -> Iterator[FleetFinding]:
    for subject, findings in fleet_findings(rule, hits, thresholds).items():
        kind = _KINDS.get(rule, "battery")
        for number, finding in enumerate(findings):
            yield FleetFinding(fleet.deployment, subject, kind, number, finding)
