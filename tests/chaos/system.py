"""Devnet, two followers, three brokers, two workers and PostgreSQL, as processes, with a door before each of them."""

import json
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from deploy.devnet.control import ask
from deploy.kafka.broker import Cluster
from deploy.postgres import DATABASE, ROLE, EmbeddedPostgres
from indexer.errors import Retryable
from indexer.log.kafka import KafkaLog
from indexer.log.urls import open_log
from tests.chaos.proxy import Doors
from tests.chaos.services import Service
from tests.endtoend.processes import Running, kill_whole, wait_until
from tests.kafka import free_ports

K: Final = 40
BATTERIES: Final = 8
READING_MINUTES: Final = 6.0  # of each battery, by the chain's clock: about every second block holds a reading
BLOCK_SECONDS: Final = 0.2
DISK_BYTES: Final = 1 << 30
BROKERS: Final = 3


class System:
    """All parts, sound at first. What faults do to it is in ``faults.py``."""

    def __init__(self, folder: Path, chance: random.Random, *, tree: Path | None = None) -> None:
        self.folder, self.chance, self.tree = folder, chance, tree
        self.counts: Counter[str] = Counter()
        self.busy: set[str] = set()  # parts that something is wrong with
        self._life = ExitStack()
        self.doors = self._life.enter_context(Doors())
        self.disks: dict[str, Path] = {}  # of their own, and small: by part
        self.services: list[Service] = []

    def start(self) -> None:
        self._start_node()
        self._start_brokers()
        self._start_database()
        both = [f"ws://127.0.0.1:{self.doors.all[name].port}" for name in ("node a", "node b")]
        follow = ("follow", "--standby", "--profile", str(self.profile), "--log", self.log_url)
        project = ("project", "--log", self.log_url, "--db", self.database_url)
        for name, endpoints in (("follower", both), ("standby", both[::-1])):
            self._serve(name, *follow, *(part for url in endpoints for part in ("--ogmios", url)))
        for name in ("worker 1", "worker 2"):
            self._serve(name, *project, "--batch-records", str(self.chance.choice((50, 500, 5_000))))

    def _serve(self, name: str, *arguments: str) -> None:
        service = Service(self.folder, name, self.chance, *arguments, tree=self.tree)
        self._life.callback(service.close)
        self.services.append(service)

    def _start_node(self) -> None:
        self.profile = self.folder / "devnet.toml"
        flags = ("--port", "0", "--k", str(K), "--batteries", str(BATTERIES), "--block-seconds", str(BLOCK_SECONDS))
        more = ("--reading-minutes", str(READING_MINUTES), "--profile-out", str(self.profile), "--json")
        self.node = self._life.enter_context(Running(self.folder, "devnet", "devnet", "run", *flags, *more))
        wait_until(lambda: bool(self.node.out), "the devnet")
        self.node_url = self.node.json()["url"]
        for name in ("node a", "node b"):
            self.doors.add(name, int(self.node_url.rpartition(":")[2].strip("/")))

    def _start_brokers(self) -> None:
        ports = free_ports(2 * BROKERS)
        doors = [self.doors.add(f"broker {each}", port) for each, port in enumerate(ports[:BROKERS])]
        place = self.folder / "kafka"
        for node in range(BROKERS):
            self._disk_for(f"broker {node}", place / f"broker-{node}")
        self.brokers = Cluster(
            place, ports[:BROKERS], ports[BROKERS:], advertised_ports=[door.port for door in doors], heap="384m"
        )
        self._life.enter_context(self.brokers)
        self.log_url = f"kafka://{self.brokers.bootstrap}/devnet"

    def _start_database(self) -> None:
        folder = self.folder / "database"
        self._disk_for("database", folder, mode=0o711)
        self.database = EmbeddedPostgres(folder)
        self._life.callback(self._end_database)
        self.database.start()
        sockets = self.folder / "door"
        sockets.mkdir()
        self.doors.add("database", self.database.place.socket / ".s.PGSQL.5432", sockets / ".s.PGSQL.5432")
        self.database_url = f"postgresql://{ROLE}@/{DATABASE}?host={sockets}"

    def _end_database(self) -> None:
        if pid := self.database.pid():
            kill_whole(pid)
        self.database.remove()

    def _disk_for(self, part: str, folder: Path, *, mode: int = 0o755) -> None:
        """A file system of its own, so that it can be full. That takes root; without, disks are not filled."""
        folder.mkdir(parents=True)
        folder.chmod(mode)
        mount = shutil.which("mount")
        if os.geteuid() != 0 or mount is None:
            return
        options = f"size={DISK_BYTES},mode={mode:o}"
        done = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)
        if done.returncode == 0:
            self.disks[part] = folder
            # Lazily: a process that we killed may still be about to let go of it.
            self._life.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)

    def close(self) -> None:
        self._life.close()

    # what it says of itself

    def tend(self) -> None:
        now = time.monotonic()
        for service in self.services:
            service.tend(now)

    def service(self, name: str) -> Service:
        return next(each for each in self.services if each.name == name)

    def tip_height(self) -> int:
        tip = ask(self.node_url, "devnet/status")["tip"]
        return int(tip["height"])

    def fork(self, depth: int) -> Any:
        return ask(self.node_url, "devnet/fork", {"depth": depth})

    @contextmanager
    def log(self) -> Iterator[KafkaLog]:
        """The log as a reader beside the system sees it."""
        log = open_log(self.log_url)
        assert isinstance(log, KafkaLog)
        try:
            yield log
        finally:
            try:
                log.close()
            except Retryable:
                pass  # the brokers are away: there is nothing left to let go of

    def events_of(self, *services: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the services logged, with the name of who did."""
        for service in self.services:
            if services and service.name not in services:
                continue
            for file in service.logs:
                for line in file.read_text(errors="replace").splitlines():
                    if line.startswith("{"):
                        yield service.name, json.loads(line)
