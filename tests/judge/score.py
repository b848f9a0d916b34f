"""What was done, case by case, against what is said of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from deploy.devnet.battery import DAY_SLOTS
from deploy.devnet.schemes import CATALOGUE
from indexer.events import ReadingEvent
from projections.rules.catalogue import RULES
from projections.rules.model import ALERTING, SEVERITIES, Severity
from projections.verdicts.model import TWELVE
from projections.verdicts.words import CHECKS, REASONS
from tests.judge.fleet import fleet_hits
from tests.judge.made import Chain, Done
from tests.judge.meant import MEANT, Meant

READINGS: Final = {fraud.name: fraud.readings for fraud in CATALOGUE}
AFTER: Final = 3
_ENDS: Final = ("submit", "rejected", "reclaim")
_SUBJECTS: Final = {"R11": "public_key", "R38": "user_pkh", "R39": "user_pkh", "R40": "user_pkh", "R43": "user_pkh"}


class Case(Struct):
    """One fraud carried out once, over all of its transactions with one battery."""

    name: str
    battery: str
    labels: list[dict[str, Any]]
    done: list[Done]
    finished: bool = False  # not cut off by the end of the chain

    @property
    def tries(self) -> int:
        return sum(label["kind"] in ("submit", "rejected", "replace_key") for label in self.labels)


class Caught(Struct, frozen=True):
    """What was said of a case."""

    case: Case
    by: tuple[str, ...]  # the checks and rules meant for it that caught it
    explained: bool  # each of these says why, in words
    also: tuple[str, ...]  # others that failed or found something at warning or above


def cases(chain: Chain) -> Iterator[Case]:
    """A case ends with the last of its readings, or where its battery goes on to something else."""
    events: dict[str, list[Done]] = defaultdict(list)
    for done in chain.done():
        events[done.label["transaction"]].append(done)
    current: dict[str, Case] = {}
    for label in chain.labels:
        battery, name = label["battery_id"], label.get("fraud")
        case = current.get(battery)
        ends = label["kind"] in _ENDS
        if case is not None and case.name != name and (name is not None or (ends and label["kind"] != "reclaim")):
            case.finished = True
            yield current.pop(battery)
            case = None
        if case is None and (name is None or label["honest"]):
            continue
        if case is None:
            assert name is not None
            case = current[battery] = Case(name, battery, [], [])
        case.labels.append(label)
        case.done += events[label["transaction"]]
        if sum(each["kind"] in _ENDS for each in case.labels) >= READINGS[case.name]:
            case.finished = True
            yield current.pop(battery)
    yield from current.values()


def frauds(chain: Chain) -> list[Caught]:
    """Every fraud that was carried out and not cut off by the chain's end."""
    hits = fleet_hits(chain)
    carried_out = [
        case
        for case in cases(chain)
        if case.name == "cloned_key" or (case.finished and (case.tries or case.name == "discarding"))
    ]
    return [_caught(case, MEANT[case.name], hits) for case in list(_rings_as_one(carried_out))]


def _rings_as_one(carried_out: list[Case]) -> Iterator[Case]:
    """A ring is one fraud with many batteries: those of its cases that begin within a day of each other."""
    ring: Case | None = None
    for case in sorted(carried_out, key=lambda each: each.labels[0]["slot"]):
        if case.name != "ring":
            yield case
        elif ring is None or case.labels[0]["slot"] - ring.labels[0]["slot"] > DAY_SLOTS:
            ring = case
            yield ring
        else:
            ring.labels += case.labels
            ring.done += case.done


def _caught(case: Case, meant: Meant, fleet: dict[str, Any]) -> Caught:
    by: dict[str, bool] = {}  # -> explained
    also: dict[str, None] = {}
    for done in case.done:
        for check in done.judged.verdicts.checks if done.judged.verdicts else ():
            if check.result == "failed":
                name = f"check {check.number}" if check.number else check.name
                told = check.name in CHECKS and bool(check.reasons) and all(code in REASONS for code in check.reasons)
                if check.number and check.number in meant.checks:
                    by[name] = by.get(name, False) or told
                elif check.name != "scripts":
                    also[name] = None
        for found in done.judged.said.findings:
            if _grave(found.severity) >= _grave(meant.rules.get(found.rule, "critical")) and found.rule in meant.rules:
                by[found.rule] = by.get(found.rule, False) or bool(found.values and RULES[found.rule].meaning)
            elif found.severity in ALERTING:
                also[found.rule] = None
    for rule, subject in _SUBJECTS.items():
        subjects = {label.get(subject) for label in case.labels}
        if rule in meant.rules and subjects & fleet[rule].keys():
            by[rule] = True
    return Caught(case, tuple(sorted(by)), all(by.values()) and bool(by), tuple(k for k in also if k not in by))


def _grave(severity: Severity) -> int:
    return SEVERITIES.index(severity)


class Alarms(Struct):
    """Honest readings, and how many of them raise something at warning or above."""

    readings: int = 0
    alarming: int = 0
    rules: Counter[str] = Counter()

    @property
    def share(self) -> float:
        return self.alarming / self.readings if self.readings else 0.0


def false_alarms(chain: Chain) -> dict[str, Alarms]:
    """By honest behaviour: readings of nobody's fraud, by name; ``plain`` where nothing of the kind was done.

    What follows a fraud of the same battery stands apart, as ``after a fraud``: its history is a lie.
    """
    found: dict[str, Alarms] = defaultdict(lambda: Alarms(rules=Counter()))
    lied: set[str] = set()
    after: dict[str, tuple[str, int]] = {}
    for done in chain.done():
        label, battery = done.label, done.label["battery_id"]
        name = label.get("fraud")
        if name is not None and not label["honest"]:
            lied.add(battery)
            continue
        if label["kind"] == "replace_key" and name is not None:
            after[battery] = (name, AFTER)
            lied.discard(battery)  # a new key opens an epoch
            continue
        if not isinstance(done.fact.event, ReadingEvent):
            continue
        if name is None and battery in after:
            name, left = after.pop(battery)
            if left > 1:
                after[battery] = (name, left - 1)
        counted = found["after a fraud" if name is None and battery in lied else name or "plain"]
        rules = {each.rule for each in done.judged.said.findings if each.severity in ALERTING}
        counted.readings += 1
        counted.alarming += bool(rules)
        counted.rules.update(rules)
    return dict(found)


def checks_of(done: Done) -> dict[int, str]:
    """Number -> result, of the twelve."""
    assert done.judged.verdicts is not None
    return {check.number: check.result for check in done.judged.verdicts.checks[:TWELVE]}
