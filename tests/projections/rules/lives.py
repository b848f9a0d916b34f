"""Lives of a battery, reading by reading: what the tests of rules judge."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from indexer.events import Reading
from projections.rules.engine import Said, judge_reading, taken_up
from projections.rules.history import DAY, NEW, History, Sample
from projections.rules.model import Severity
from projections.rules.passport import Passport
from projections.rules.thresholds import DEFAULT, Thresholds

PASSPORT = Passport(
    chemistry="LFP",
    model="M-1",
    category="ev",
    cell_count=16,
    nominal_capacity_mah=100_000,
    nominal_voltage_mv=51_200,
    max_current_ma=200_000,
    max_power_w=10_000,
    soh_kind="capacity",
    status="original",
    registered_slot=0,
)


def reading(**changes: Any) -> Reading:
    """A plain one; capacity and throughput follow from state of health and cycles unless they are given."""
    soh, cycles = changes.get("soh_bp", 9_500), changes.get("cycle_count", 200)
    values: dict[str, Any] = {
        "counter": 0,
        "soh_bp": soh,
        "soc_bp": 5_000,
        "cycle_count": cycles,
        "full_charge_capacity_mah": None if soh is None else 10 * soh,
        "voltage_mv": 52_640,
        "current_ma": 0,
        "temp_min_c": 15,
        "temp_max_c": 20,
        "energy_throughput_wh": None if cycles is None else 9_000 * cycles,
        "cell_count": 16,
    }
    return Reading(**values | changes)


def life(changes: Iterable[dict[str, Any]], days: float = 7, first_cycles: int = 200) -> list[Sample]:
    """One reading after the other, ``days`` apart; cycles, counter and voltage go on unless they are said."""
    samples = []
    for number, change in enumerate(changes):
        said = dict(change)
        slot = said.pop("slot", int(number * days * DAY))
        moving = {"counter": number, "cycle_count": first_cycles + 2 * number, "voltage_mv": 52_640 + number % 7}
        found = reading(**moving | said)
        samples.append(Sample(slot, found, f"{number:032x}"))
    return samples


def steady(count: int, soh_bp: int = 9_500) -> list[dict[str, Any]]:
    return [{"soh_bp": soh_bp - number} for number in range(count)]


def judged(
    samples: Iterable[Sample],
    passport: Passport = PASSPORT,
    thresholds: Thresholds = DEFAULT,
    history: History = NEW,
) -> list[tuple[Said, History]]:
    """What is said of each, and the history after it."""
    found = []
    for sample in samples:
        said = judge_reading(history, sample, passport, thresholds)
        history = taken_up(history, sample, passport, thresholds)
        found.append((said, history))
    return found


def found(said: Said, rule: str) -> list[Severity]:
    return [finding.severity for finding in said.findings if finding.rule == rule]


def last(samples: Iterable[Sample], rule: str, **known: Any) -> list[Severity] | None:
    """What a rule says of the last one: severities, or None where it can't be assessed."""
    said = judged(samples, **known)[-1][0]
    return None if rule in said.not_assessable else found(said, rule)


def all_of(samples: Iterable[Sample], rule: str, **known: Any) -> list[Severity]:
    """What a rule says of all of them together."""
    return [severity for said, _ in judged(samples, **known) for severity in found(said, rule)]


def alerts(samples: Iterable[Sample], **known: Any) -> list[tuple[str, Severity]]:
    """Every finding at warning or above."""
    return [
        (finding.rule, finding.severity)
        for said, _ in judged(samples, **known)
        for finding in said.findings
        if finding.severity != "info"
    ]


def passport(**changes: Any) -> Passport:
    return replace(PASSPORT, **changes)
