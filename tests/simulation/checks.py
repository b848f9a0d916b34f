"""What is checked in full at the end of a run, on the bytes."""

from collections.abc import Callable
from typing import Final

from msgspec import Raw

from indexer.log.audit import verify
from indexer.log.canonical import CanonicalEvent, canonical_lines, encode_line
from indexer.log.port import LogDamaged, Step
from indexer.log.records import Record
from projections.batch import Battery
from projections.facts import Fact
from projections.rules.model import ALERTING
from projections.verdict_rows import AlertRow, FindingRow
from tests.simulation.blocks import SimBlock, Tree
from tests.simulation.engine import PlainLog
from tests.simulation.faults import InvariantBroken
from tests.simulation.ledger import PROFILE
from tests.simulation.plan import Action, Plan
from tests.simulation.poison import is_poison
from tests.simulation.readers import reading_log
from tests.simulation.tables import Rows, Tables
from tests.simulation.workers import Worker
from tests.simulation.world import World

SAMPLED_STEPS: Final = 12
"""Steps at which the tables are compared with a fold of the log up to there, besides the last."""


def check_end(world: World, *, rival: bool = True) -> None:
    """Raises InvariantBroken. ``rival``: also compares with a follower that came late to the same chain."""
    best = world.network.best.chain
    if not world.store.sound:
        _require_noticed(world)
    log = PlainLog(world.store)
    report = verify(log)
    if report.fault is not None:
        raise InvariantBroken("I2", f"the log is not sound: {report.fault}")
    wanted = _expected_lines(best)
    found = list(canonical_lines(log, len(best) - 1))
    if found != wanted:
        lost, doubled = len(set(wanted) - set(found)), len(found) - len(set(found))
        raise InvariantBroken("I1", f"{lost} events lost, {doubled} doubled, of {len(wanted)}")
    if rival:
        _check_rival(world, log, wanted)
    _check_tables(world)


def _require_noticed(world: World) -> None:
    """Damage that no follower met on its way is met by `verify`'s reading of what readers see."""
    report = verify(reading_log(world.store))
    if report.fault is None:
        raise InvariantBroken("audit", f"{world.store.torn} {world.store.copies} is not noticed")
    world.count("damage noticed by verify")
    world.store.mend()


def _expected_lines(chain: list[SimBlock]) -> list[bytes]:
    return [
        encode_line(
            CanonicalEvent(
                height=block.entry.height,
                slot=block.entry.slot,
                block=block.entry.id,
                fact=each.fact,
                type=each.kind,
                key=each.key,
                deployment=PROFILE.name,
                event=Raw(each.body),
            )
        )
        for block in chain
        if block.ours
        for each in block.facts
    ]


def _check_rival(world: World, log: PlainLog, wanted: list[bytes]) -> None:
    """I13: another follower, which saw no fork, has the same canonical log at every height up to the final one."""
    settings = world.settings
    rival = World(Plan(settings, (Action("sync"),)))
    rival.network.nodes[next(iter(rival.network.nodes))].chain[:] = world.network.best.chain
    rival.tree.by_id = world.tree.by_id
    for node in rival.network.nodes.values():
        node.tree = rival.tree
    rival.oracle._tree = world.tree
    rival.run()
    final = min(rival.oracle.final_height, world.oracle.final_height)
    ours, theirs = (list(canonical_lines(each, final)) for each in (log, PlainLog(rival.store)))
    if ours != theirs or ours != wanted[: len(ours)]:
        raise InvariantBroken("I13", f"two followers of one chain differ at or below final height {final}")
    rival.tree = Tree(settings.mix)
    rival.let_go()


def _check_tables(world: World) -> None:
    """I8 and I10 at steps from all over the run, I9, I11, and that readers caught up."""
    try:
        world.readers.catch_up()
    except LogDamaged as damage:
        raise InvariantBroken("I2", f"a reader finds a sound log damaged: {damage}") from damage
    tables = world.readers.tables
    _check_rebuilt(world, tables)
    for asked, rows in world.readers.answers.items():
        if tables.rows_at(asked) != rows:
            raise InvariantBroken("I11", f"what was known after step {asked} is answered otherwise than it was")
    end = world.oracle.steps - 1
    live: dict[str, tuple[Fact, Record]] = {}
    waiting: dict[Battery, set[str]] = {}
    done = 0
    for sampled in sorted({end, *(end * at // SAMPLED_STEPS for at in range(SAMPLED_STEPS))}):
        for step in world.store.steps[done : sampled + 1]:
            _advance(live, waiting, step, world.readers.fact)
        done = sampled + 1
        rows = tables.rows_at(sampled)
        if rows != world.readers.short_way.rows_of(live.values()):
            raise InvariantBroken("I8", f"the tables at step {sampled} are not the fold of the log up to it")
        _check_alerts(rows, sampled)
    parked = {battery: set(ids) for battery, ids in tables.parked.items()}
    if parked != {battery: ids for battery, ids in waiting.items() if ids}:
        raise InvariantBroken("I8", "other events wait than those at and behind what can't be handled")
    world.count("events parked", sum(map(len, parked.values())) + len(tables.ended))
    world.count("events taken back while parked", len(tables.ended))


def _check_rebuilt(world: World, tables: Tables) -> None:
    """I9: all versions, and what is parked."""
    rebuilt = Tables(world.settings.partitions)
    worker = Worker(reading_log(world.store), rebuilt)
    worker.look()
    while rebuilt.consistent_step < world.oracle.steps - 1:
        worker.round(500)
    if rebuilt.history() != tables.history():
        raise InvariantBroken("I9", "rebuilt and live tables differ")
    if (rebuilt.parked, rebuilt.ended) != (tables.parked, tables.ended):
        raise InvariantBroken("I9", "a rebuild parks what the live tables do not")


def _check_alerts(rows: Rows, step: int) -> None:
    """I10: an alert stands if and only if one of its findings does, whatever forks took back."""
    raised = {(row.battery_key, row.rule) for row in rows.values() if isinstance(row, AlertRow)}
    found = {
        (row.battery_key, row.rule) for row in rows.values() if isinstance(row, FindingRow) and row.severity in ALERTING
    }
    if raised != found:
        raise InvariantBroken("I10", f"at step {step} alerts stand without a cause, or causes without their alert")


def _advance(
    live: dict[str, tuple[Fact, Record]],
    waiting: dict[Battery, set[str]],
    step: Step,
    fact: Callable[[Record], Fact],
) -> None:
    """The events that are live after a step, by id, but for those that wait."""
    for records in step.records:
        stopped = {(record.key, record.deployment) for record in records[:-1] if is_poison(record)}
        for record in records[:-1]:
            battery = (record.key, record.deployment)
            behind = waiting.setdefault(battery, set())
            if record.kind == "event" and (behind or battery in stopped):
                behind.add(record.id)
            elif record.kind == "event":
                live[record.id] = (fact(record), record)
            elif record.retracts in behind:
                behind.remove(record.retracts)
            else:
                del live[record.retracts]
