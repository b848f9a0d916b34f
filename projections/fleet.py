"""Runs the fleet's rules at the consistent step: reads whole sets, judges, writes what is new and ends what is gone."""

import time
from typing import Any, Final

from msgspec import Struct
from psycopg.types.json import Jsonb

from indexer.events import PassportRegistered, PassportUpdated
from projections.alerts import alert_name
from projections.alone import FleetBusy, alone
from projections.database import Connection, load_queries
from projections.errors import SchemaMismatch, translated
from projections.facts import decode_body
from projections.fleet_rules import Fleet, FleetFinding, judge_fleet
from projections.judging import Judging, require_same_judging
from projections.packing import storable_json
from projections.rules.fleet import Committed, Trajectory
from projections.rules.history import DAY, Point
from projections.status import consistent_step
from projections.verdicts.model import RULE_SET

WINDOW_DAYS: Final = 90
"""How far back commitments and counter gaps are looked at: what people did long ago says little of what they do."""

NEWEST: Final = 100
"""Readings of a battery that are compared, beside its first."""

_LOCK: Final = 0x63656C6C666C6565
_QUERIES: Final = load_queries("projections", "fleet.sql")


class FleetRun(Struct, frozen=True, kw_only=True):
    """What one run found."""

    step: int
    batteries: int
    findings: int  # that stand after it
    new: int
    ended: int
    seconds: float


def run_fleet(connection: Connection, judging: Judging, *, unless_within_seconds: float = 0.0) -> FleetRun | None:
    """One run, in one transaction; None where the last one is younger than asked.

    Memory grows with the batteries. Raises FleetBusy, DatabaseUnwell, SchemaMismatch, ConfigurationError.
    """
    with translated(), alone(connection, _LOCK, "runs the fleet's rules"), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        require_judged(connection, judging)
        since = _value(connection, "seconds_since_run", {})
        return None if since is not None and since < unless_within_seconds else _run(connection, judging)


def _run(connection: Connection, judging: Judging) -> FleetRun:
    began = time.monotonic()
    step = consistent_step(connection)
    position = connection.execute(_QUERIES["read_step"], {"step": step}).fetchone()
    if position is None:
        raise FleetBusy("nothing is projected in all partitions yet")
    fleets = _fleets(connection, judging, step, position[0])
    found = [each for fleet in fleets for each in judge_fleet(fleet, judging.book)]
    new, ended = _write(connection, found, step, (position[0], position[1]))
    run = FleetRun(
        step=step,
        batteries=sum(len(fleet.courses) for fleet in fleets),
        findings=len(found),
        new=new,
        ended=ended,
        seconds=time.monotonic() - began,
    )
    connection.execute(_QUERIES["add_run"], {"step": step, "seconds": run.seconds, "findings": run.findings})
    return run


def require_judged(connection: Connection, judging: Judging) -> None:
    """Refuses tables that hold no verdicts, or others. Raises SchemaMismatch, ConfigurationError."""
    row = connection.execute(_QUERIES["read_bound"]).fetchone()
    if row is None:
        raise SchemaMismatch("nothing is projected yet: run `cellwitness project` first")
    judging.check(row[0])
    require_same_judging(row[1], judging.identity())


def _value(connection: Connection, query: str, parameters: dict[str, Any]) -> Any:
    row = connection.execute(_QUERIES[query], parameters).fetchone()
    assert row is not None
    return row[0]


def _fleets(connection: Connection, judging: Judging, step: int, slot: int) -> list[Fleet]:
    """A fleet for each deployment."""
    asked = {"step": step, "newest": NEWEST, "since_slot": slot - WINDOW_DAYS * DAY}

    def rows(name: str) -> list[tuple[Any, ...]]:
        return connection.execute(_QUERIES[name], asked).fetchall()

    registrations: dict[str, list[tuple[str, str]]] = {}
    for deployment, battery, body in rows("passports"):
        event = decode_body(body, "a passport in the tables")
        if isinstance(event, PassportRegistered | PassportUpdated) and event.bms_public_key:
            registrations.setdefault(deployment, []).append((event.bms_public_key, battery))
    courses = _courses(rows("courses"), slot)
    commitments: dict[str, list[Committed]] = {}
    for deployment, submitter, battery, minted, greatest, ended in rows("commitments"):
        profile = judging.profiles.get(deployment)
        if profile is not None:
            until = minted + (profile.max_age_slots if greatest is None else int(greatest))
            expired = until < (slot if ended is None else ended)
            commitments.setdefault(deployment, []).append(
                Committed(submitter=submitter, battery=battery, slot=minted, expired=expired)
            )
    gaps: dict[str, list[tuple[str, str, int]]] = {}
    for deployment, submitter, model, delta in rows("gaps"):
        gaps.setdefault(deployment, []).append((submitter, model or "", int(delta)))
    return [
        Fleet(
            deployment=name,
            registrations=registrations.get(name, []),
            courses=tuple(courses.get(name, ())),
            commitments=tuple(commitments.get(name, ())),
            gaps=tuple(gaps.get(name, ())),
        )
        for name in sorted(judging.profiles)
    ]


def _courses(rows: list[tuple[Any, ...]], slot: int) -> dict[str, list[Trajectory]]:
    """``rows`` come battery by battery, each in the chain's order."""
    points: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    known: dict[tuple[str, str], tuple[str, int]] = {}
    for deployment, battery, model, registered, soh, cycles, throughput in rows:
        key = (deployment, battery)
        points.setdefault(key, []).append((int(soh), int(cycles), int(throughput or 0)))
        known[key] = (model or "", slot - (slot if registered is None else registered))
    found: dict[str, list[Trajectory]] = {}
    for (deployment, battery), of_battery in points.items():
        model, age = known[deployment, battery]
        course = Trajectory(
            battery=battery,
            model=model,
            age_seconds=age,
            points=tuple(Point(cycles, soh) for soh, cycles, _ in of_battery),
            tuples=frozenset(of_battery),
        )
        found.setdefault(deployment, []).append(course)
    return found


def _write(connection: Connection, found: list[FleetFinding], step: int, position: tuple[int, int]) -> tuple[int, int]:
    """Adds what is new or has other numbers, ends what is gone; what is as before stays as it is."""
    standing = {(row[0], row[1]): row[2:] for row in connection.execute(_QUERIES["standing"]).fetchall()}
    gone, new = dict(standing), []
    for each in found:
        finding = each.finding
        name = alert_name(each.deployment, each.subject, finding.rule)
        before = gone.pop((name, each.number), None)
        says = (finding.severity, finding.version, RULE_SET, storable_json(finding.values), finding.thresholds)
        if before is not None and before[:5] == says:
            continue
        if before is not None:
            gone[name, each.number] = before
        slot, height, found_at = before[5:] if before is not None else (*position, None)
        new.append(
            {
                "alert": bytes.fromhex(name),
                "deployment": each.deployment,
                "subject": each.subject,
                "subject_kind": each.subject_kind,
                "rule": finding.rule,
                "number": each.number,
                "rule_version": finding.version,
                "rule_set": RULE_SET,
                "severity": finding.severity,
                "values": Jsonb(storable_json(finding.values)),
                "thresholds": Jsonb(finding.thresholds),
                "slot": slot,
                "height": height,
                "found_at": found_at,
                "step": step,
            }
        )
    ended = {"alert": [bytes.fromhex(name) for name, _ in gone], "number": [number for _, number in gone], "step": step}
    connection.execute(_QUERIES["end_findings"], ended)
    with connection.cursor() as cursor:
        cursor.executemany(_QUERIES["add_finding"], new)
    return len(new), len(gone)
