"""What befalls the system. A fault is a generator: it does something, says how long that lasts, and mends it."""

import itertools
import os
import signal
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError
from msgspec import Struct

from deploy.kafka.broker import STARTED
from indexer.errors import CellwitnessError
from tests.chaos.system import BROKERS, K, System
from tests.endtoend.processes import kill_whole

Fault = Generator[float, None, None]
"""Gives the seconds after which it wants to go on."""

READY_SECONDS: Final = 120.0
DEPTHS: Final = (1, 1, 1, 2, 3, 5, 8, 13, K // 2, K)


class Kind(Struct, frozen=True):
    """A kind of fault: how common it is, and which parts it may befall, one at a time."""

    name: str
    weight: int
    parts: tuple[str, ...]
    inflict: Callable[[System, str], Fault]


def kill(system: System, part: str) -> Fault:
    if not system.service(part).kill():
        system.counts["kill -9: it did not run just then"] += 1
    yield 0.0


def pause(system: System, part: str) -> Fault:
    stopped = system.service(part).send(signal.SIGSTOP)
    yield system.chance.choice((0.5, 2.0, 5.0, 12.0))
    if stopped is not None and stopped.alive:
        stopped.signal(signal.SIGCONT)


def outlive_lease(system: System, part: str) -> Fault:
    """Stopped for longer than its lease: where it was at work the other takes over, and this one wakes as a zombie."""
    stopped = system.service(part).send(signal.SIGSTOP)
    yield system.chance.uniform(13.0, 20.0)
    if stopped is not None and stopped.alive:
        stopped.signal(signal.SIGCONT)
    yield 2.0


def pause_node(system: System, _: str) -> Fault:
    system.node.signal(signal.SIGSTOP)
    yield system.chance.uniform(0.5, 15.0)
    system.node.signal(signal.SIGCONT)


def fork(system: System, _: str) -> Fault:
    for _again in range(system.chance.choice((1, 1, 1, 2, 4))):
        done = system.fork(system.chance.choice(DEPTHS))
        system.counts["blocks left on forks"] += done["depth"]
        yield system.chance.uniform(0.0, 0.5)


def cut(system: System, part: str) -> Fault:
    door = system.doors.all[part]
    door.cut(refuse=system.chance.random() < 0.5)
    yield system.chance.uniform(0.1, 6.0)
    door.heal()


def stall(system: System, part: str) -> Fault:
    door = system.doors.all[part]
    door.stall()
    yield system.chance.uniform(0.5, 12.0)
    if system.chance.random() < 0.5:
        door.cut(refuse=False)
    door.heal()


def slow_down(system: System, part: str) -> Fault:
    door = system.doors.all[part]
    door.slow_down(system.chance.uniform(0.005, 0.3))
    yield system.chance.uniform(2.0, 15.0)
    door.heal()


def kill_broker(system: System, part: str) -> Fault:
    node = _node(part)
    system.brokers.stop_one(node, signal.SIGKILL)
    yield system.chance.uniform(0.5, 12.0)
    yield from _start_broker(system, node)


def pause_broker(system: System, part: str) -> Fault:
    """Longer than its session with the controller lasts: it wakes up as a leader that is none any more."""
    pid = system.brokers.process(_node(part))
    os.kill(pid, signal.SIGSTOP)
    yield system.chance.choice((1.0, 5.0, 14.0))
    os.kill(pid, signal.SIGCONT)
    yield 5.0


def restart_brokers(system: System, _: str) -> Fault:
    """As for an upgrade: one after the other, in order."""
    for node in range(BROKERS):
        system.brokers.stop_one(node)
        yield 0.5
        yield from _start_broker(system, node)
        yield 2.0


def kill_all_brokers(system: System, _: str) -> Fault:
    for node in range(BROKERS):
        system.brokers.stop_one(node, signal.SIGKILL)
    yield system.chance.uniform(0.5, 4.0)
    started = {node: system.brokers.launch(node) for node in range(BROKERS)}
    for node, length in started.items():
        yield from _await_broker(system, node, length)


def fill_broker_disk(system: System, part: str) -> Fault:
    """The broker dies of it, or lives on without writing; with room again it is started again."""
    node = _node(part)
    with _full(system.disks[part]):
        yield system.chance.uniform(3.0, 15.0)
    system.brokers.stop_one(node, signal.SIGKILL)
    yield 0.5
    yield from _start_broker(system, node)


def move_leaders(system: System, _: str) -> Fault:
    """Every partition gets another preferred replica, which then becomes its leader."""
    try:
        admin: Any = KafkaAdminClient(bootstrap_servers=system.brokers.bootstrap.split(","), request_timeout_ms=5_000)
    except KafkaError:
        system.counts["leaders not moved: no broker answered"] += 1
        return
    try:
        moved = {}
        for topic in admin.describe_topics(None):
            for partition in topic["partitions"]:
                replicas = list(partition["replica_nodes"])
                system.chance.shuffle(replicas)
                moved[TopicPartition(topic["name"], partition["partition_index"])] = replicas
        admin.alter_partition_reassignments(moved)
        yield 2.0
        admin.elect_leaders(0, raise_errors=False)
        system.counts["partitions told to move their leader"] += len(moved)
    except KafkaError:
        system.counts["leaders not moved: refused"] += 1
    finally:
        admin.close()


def kill_database(system: System, _: str) -> Fault:
    if pid := system.database.pid():
        kill_whole(pid)
    yield system.chance.uniform(0.0, 5.0)
    yield from _start_database(system)


def pause_database(system: System, _: str) -> Fault:
    family = _family(system.database.pid())
    for each in family:
        _signal(each, signal.SIGSTOP)
    yield system.chance.choice((0.5, 3.0, 12.0))
    for each in family:
        _signal(each, signal.SIGCONT)


def fill_database_disk(system: System, part: str) -> Fault:
    with _full(system.disks[part]):
        yield system.chance.uniform(2.0, 10.0)
    yield from _start_database(system)


def kinds(system: System) -> list[Kind]:
    """What can befall this system."""
    services = tuple(service.name for service in system.services)
    brokers = tuple(f"broker {node}" for node in range(BROKERS))
    doors = tuple(system.doors.all)
    found = [
        Kind("kill -9", 8, services, kill),
        Kind("SIGSTOP, SIGCONT", 6, services, pause),
        Kind("follower: SIGSTOP beyond its lease", 4, services[:2], outlive_lease),
        Kind("fork", 10, ("node",), fork),
        Kind("connections cut", 5, doors, cut),
        Kind("connections stalled", 4, doors, stall),
        Kind("connections slowed down", 3, doors, slow_down),
        Kind("node: SIGSTOP, SIGCONT", 2, ("node",), pause_node),
        Kind("broker: kill -9", 3, brokers, kill_broker),
        Kind("broker: SIGSTOP, SIGCONT", 2, brokers, pause_broker),
        Kind("brokers: rolling restart", 1, ("brokers",), restart_brokers),
        Kind("brokers: kill -9 of all three", 1, ("brokers",), kill_all_brokers),
        Kind("brokers: leaders moved", 3, ("brokers",), move_leaders),
        Kind("database: kill -9", 3, ("database",), kill_database),
        Kind("database: SIGSTOP, SIGCONT", 2, ("database",), pause_database),
    ]
    disks = tuple(part for part in brokers if part in system.disks)
    if disks:
        found.append(Kind("broker: disk full", 2, disks, fill_broker_disk))
    if "database" in system.disks:
        found.append(Kind("database: disk full", 2, ("database",), fill_database_disk))
    return found


def conflicts(part: str) -> set[str]:
    """What may not be under another fault at once: it would be mended by the wrong one."""
    if part == "brokers":
        return {"brokers", *(f"broker {node}" for node in range(BROKERS))}
    return {part, "brokers"} if part.startswith("broker ") else {part}


def _node(part: str) -> int:
    return int(part.rpartition(" ")[2])


def _start_broker(system: System, node: int) -> Fault:
    yield from _await_broker(system, node, system.brokers.launch(node))


def _await_broker(system: System, node: int, length: int) -> Fault:
    log = system.folder / "kafka" / f"broker-{node}" / "broker.log"
    for _ in range(int(READY_SECONDS / 0.3)):
        yield 0.3
        with log.open("rb") as file:
            file.seek(length if log.stat().st_size >= length else 0)
            if STARTED in file.read():
                return
    raise AssertionError(f"broker {node} is not ready {READY_SECONDS:.0f} s after its start: see {log}")


def _start_database(system: System) -> Fault:
    for attempt in itertools.count():
        try:
            system.database.start()
        except CellwitnessError:
            if attempt == 10:
                raise
            yield 1.0
        else:
            return


class _full:  # noqa: N801  # used as a function
    """A disk without room, while in the block."""

    def __init__(self, disk: Path) -> None:
        self._filler = disk / "filler"

    def __enter__(self) -> None:
        block = bytes(1 << 20)
        with self._filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(block[:size])
                except OSError:
                    continue

    def __exit__(self, *_: object) -> None:
        self._filler.unlink()


def _family(pid: int | None) -> Sequence[psutil.Process]:
    if pid is None:
        return []
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass
