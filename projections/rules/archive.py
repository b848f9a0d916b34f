"""The catalogue over an archive of readings, without a chain: each one in turn, then the fleet. Pure.

An archive is taken at its word: nothing in it is signed. Memory grows with its batteries, not with its readings.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import astuple, replace

from indexer.errors import ConfigurationError
from indexer.events import Reading
from projections.rules import fleet
from projections.rules.catalogue import CATALOGUE
from projections.rules.engine import READING_RULES, fleet_findings, judge_reading, taken_up
from projections.rules.history import NEW, History, Sample, epoch_opened
from projections.rules.model import ALERTING, Finding, Severity
from projections.rules.passport import Passport
from projections.rules.thresholds import ThresholdBook

TUPLES: Final = 64
"""Readings of each battery that are compared with other batteries' (R37)."""

EXAMPLES: Final = 3
FLEET_RULES: Final = ("R11", "R31", "R36", "R37")
NEED_CHAIN: Final = tuple(
    rule.id for rule in CATALOGUE if rule.scope in ("verdict", "commitment") or rule.id in ("R38", "R39", "R40")
)


class Row(Struct, frozen=True, gc=False):
    """One reading of an archive. ``number`` is its place in the file, from 1."""

    number: int
    battery: str
    time: str  # as the archive writes it
    slot: int  # seconds, whatever their beginning
    reading: Reading
    passport: Passport
    key: str | None = None
    owner: str | None = None


class Tally(Struct):
    """What one rule said of the archive so far."""

    findings: int = 0
    readings: int = 0  # with a finding
    severities: Counter[Severity] = Counter()
    examples: list[dict[str, Any]] = []


class _Battery(Struct):
    history: History
    passport: Passport
    slot: int
    owner: str | None
    first_slot: int
    tuples: set[tuple[int, int, int]]


class Archive:
    """Takes rows, each battery's in the order of time, and gives what the rules find in each."""

    def __init__(self, book: ThresholdBook) -> None:
        self._book = book
        self._batteries: dict[str, _Battery] = {}
        self._keys: set[tuple[str, str]] = set()
        self._missing: Counter[tuple[str, ...]] = Counter()  # rules that could not be assessed, together
        self.tallies: dict[str, Tally] = {}
        self.readings = 0
        self.alerting = 0  # readings with a finding at warning or above
        self.quarantined = 0

    @property
    def batteries(self) -> int:
        return len(self._batteries)

    def judge(self, row: Row) -> tuple[Finding, ...]:
        """What is found in one reading. Raises ConfigurationError where it is older than its battery's last one."""
        battery = self._known(row)
        thresholds = self._book.of("", row.passport.model)
        sample = Sample(row.slot, row.reading, _payload(row.reading))
        history = battery.history
        if row.key is not None and row.key != history.key:
            history = replace(history, key=row.key) if history.key is None else epoch_opened(history, row.key)
        if row.owner is not None and row.owner != battery.owner:
            history = history if battery.owner is None else replace(history, sold_at=row.slot - 1)
            battery.owner = row.owner
        found = judge_reading(history, sample, row.passport, thresholds)
        battery.history = taken_up(history, sample, row.passport, thresholds)
        battery.slot, battery.passport = row.slot, row.passport
        self._count(row, found.findings, found.not_assessable)
        self.quarantined += found.quarantined
        self._remember(row, battery)
        return found.findings

    def fleet(self) -> Iterator[tuple[str, Finding]]:
        """What is found across batteries, at the archive's end; each with its subject."""
        trajectories = [
            fleet.Trajectory(
                battery=name,
                model=each.passport.model or "",
                age_seconds=each.slot - each.first_slot,
                points=each.history.trail,
                tuples=frozenset(each.tuples),
            )
            for name, each in self._batteries.items()
        ]
        thresholds = self._book.of("", None)
        found = {
            "R11": fleet.shared_keys(self._keys),
            "R31": fleet.below_model_floor(trajectories, thresholds),
            "R36": fleet.unlike_the_others(trajectories, thresholds),
            "R37": fleet.near_duplicates(trajectories, thresholds),
        }
        for rule, hits in found.items():
            for subject, findings in fleet_findings(rule, hits, thresholds).items():
                tally = self._tally(rule)
                for each in findings:
                    self._add(tally, each, {"battery": subject})
                    yield subject, each

    def not_assessable(self) -> Counter[str]:
        """In how many readings each rule lacked an input."""
        counted: Counter[str] = Counter()
        for rules, readings in self._missing.items():
            for rule in rules:
                counted[rule] += readings
        return counted

    def _known(self, row: Row) -> _Battery:
        battery = self._batteries.get(row.battery)
        if battery is None:
            battery = _Battery(NEW, row.passport, row.slot, row.owner, row.slot, set())
            self._batteries[row.battery] = battery
        elif row.slot < battery.slot:
            raise ConfigurationError(
                f"row {row.number}: battery {row.battery[:80]!r} goes back in time, to {row.time}: each battery's "
                "readings have to come in the order of time; sort the file by it, or give --sort"
            )
        return battery

    def _count(self, row: Row, findings: tuple[Finding, ...], missing: tuple[str, ...]) -> None:
        self.readings += 1
        self.alerting += any(each.severity in ALERTING for each in findings)
        self._missing[missing] += 1
        for rule in {each.rule for each in findings}:
            self._tally(rule).readings += 1
        for each in findings:
            self._add(self._tally(each.rule), each, {"battery": row.battery, "time": row.time, "row": row.number})

    def _tally(self, rule: str) -> Tally:
        if rule not in self.tallies:
            self.tallies[rule] = Tally(severities=Counter(), examples=[])
        return self.tallies[rule]

    def _add(self, tally: Tally, finding: Finding, where: dict[str, Any]) -> None:
        tally.findings += 1
        tally.severities[finding.severity] += 1
        if len(tally.examples) < EXAMPLES:
            tally.examples.append({**where, "severity": finding.severity, "values": finding.values})

    def _remember(self, row: Row, battery: _Battery) -> None:
        reading = row.reading
        if row.key is not None:
            self._keys.add((row.key, row.battery))
        values = (reading.soh_bp, reading.cycle_count, reading.energy_throughput_wh)
        if len(battery.tuples) < TUPLES and None not in values:
            battery.tuples.add((values[0] or 0, values[1] or 0, values[2] or 0))


def _payload(reading: Reading) -> str:
    """What tells one reading from another where there is no signed payload; only counters ask for it."""
    if reading.counter is None:
        return ""
    return blake2b(repr(astuple(reading)).encode(), digest_size=16).hexdigest()


def by_severity(archive: Archive) -> dict[str, int]:
    """Findings of all rules, by how grave they are."""
    total: dict[str, int] = defaultdict(int)
    for tally in archive.tallies.values():
        for severity, count in tally.severities.items():
            total[severity] += count
    return dict(total)


READING_RULE_IDS: Final = tuple(rule.id for rule in READING_RULES)
