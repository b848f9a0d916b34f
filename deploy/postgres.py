"""A PostgreSQL of our own on one machine: made, started and stopped by whoever uses it.

The package's own launcher is not used: as root it adds a system user and makes the parents of the data directory
readable for everybody. Here root's server runs as ``postgres`` or ``nobody``, in folders which that user owns.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from deploy.postgres_binaries import find_binaries
from deploy.postgres_place import Place, place_of
from indexer.errors import OperatorMustAct, Retryable

ROLE: Final = "cellwitness"
DATABASE: Final = "cellwitness"
LOG_TAIL_BYTES: Final = 3_000
START_ATTEMPTS: Final = 10
"""Nine seconds in all: so long the helpers of a server that was killed may hold its memory on a crowded machine."""
_POLL_SECONDS: Final = 0.02


class PostgresStartFailed(OperatorMustAct):
    """The server, or the making of its data directory, ended with an error. Quotes what it printed."""


class PostgresBusy(Retryable):
    """The server did not answer in time, or another process is starting it and takes too long."""


class EmbeddedPostgres:
    """The server of one data directory. Holds nothing but paths: any process may make one for the same directory."""

    def __init__(self, data: Path, *, start_timeout_seconds: float = 60.0) -> None:
        self.place: Place = place_of(data)
        self._timeout_seconds = start_timeout_seconds
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """A connection string in URL form. No password: see ``_write_access_rules``."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.place.socket), safe='')}"

    def pid(self) -> int | None:
        """The server's process id, whether it accepts connections yet or not; None when it does not run."""
        line = _pid_file(self.place)[:1]
        if not line or not line[0].lstrip("-").isdigit():
            return None
        # Negative for a single-user server, which is none for us.
        pid = int(line[0])
        return pid if pid > 0 and _is_postgres(pid) else None

    def answers(self) -> bool:
        """Whether somebody accepts connections on the socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.place.socket / ".s.PGSQL.5432"))
            except OSError:
                return False
        return True

    def start(self) -> bool:
        """Makes the data directory where there is none, starts the server, waits until it answers.

        Returns whether it had to be started. Raises PostgresStartFailed, PostgresBusy, PostgresMissing.
        """
        with self._mutex() as lock:
            started = False
            deadline = time.monotonic() + self._timeout_seconds
            while True:
                if not (self.pid() and self.answers()):
                    started = True
                    self._initialise(lock)
                    self._launch()
                try:
                    self._create_database()
                except psycopg.OperationalError as error:
                    # A server killed a moment ago still seems to live, one that recovers lets nobody in yet.
                    if time.monotonic() > deadline:
                        raise PostgresBusy(f"PostgreSQL runs, but lets nobody in: {error}") from error
                    time.sleep(_POLL_SECONDS)
                else:
                    return started

    def stop(self) -> None:
        """Fast shutdown: ends connections, writes a checkpoint. Returns when the process is gone."""
        with self._mutex():
            self._stop()

    def remove(self) -> None:
        """Stops the server and deletes all that is its own, wherever it lives: data, log, socket."""
        self.stop()
        for folder in (self.place.socket, self.place.base):
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def use(self) -> Iterator[str]:
        """The URL of a running server. Stops it at the end if this or another ``use`` started it and no other is left.

        ``cellwitness db start`` leaves a mark that keeps it running.
        """
        users = os.open(self.place.base / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Shared while in use: who can take it exclusively is the last one. The kernel drops it at a kill -9.
            fcntl.flock(users, fcntl.LOCK_SH)
            self.start()
            yield self.url
        finally:
            with self._mutex():
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass
                else:
                    if not self.keep_mark.exists():
                        self._stop()
                os.close(users)

    @property
    def keep_mark(self) -> Path:
        """Exists while an operator wants the server to outlive its users."""
        return self.place.base / "keep-running"

    @contextlib.contextmanager
    def _mutex(self) -> Iterator[int]:
        """Only one process at a time makes, starts or stops this server. Gives the lock, for a child to hold on to."""
        lock = os.open(self.place.base / "launcher.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + 2 * self._timeout_seconds
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise PostgresBusy(f"another process holds {self.place.base / 'launcher.lock'}") from None
                    time.sleep(_POLL_SECONDS)
            yield lock
        finally:
            os.close(lock)

    def _initialise(self, lock: int) -> None:
        place = self.place
        if (place.data / "PG_VERSION").exists():
            return
        # Made beside and renamed: a crash in the middle leaves no half-made directory that looks like a whole one.
        place.clear_unfinished()
        binaries = place.reachable(find_binaries())
        made = place.run(
            [
                str(binaries.bin / "initdb"),
                f"--pgdata={place.unfinished}",
                f"--username={ROLE}",
                "--encoding=UTF8",
                "--locale=C",  # bytes order text: the same on every machine
                "--auth=reject",  # nobody enters before our own rules are written
                "--no-instructions",
            ],
            # If we are killed it goes on: whoever comes next has to wait for its end, not clear the folder under it.
            holding=lock,
        )
        if made.returncode != 0:
            raise PostgresStartFailed(f"initdb ended with {made.returncode}:\n{made.stdout[-LOG_TAIL_BYTES:]}")
        _write_access_rules(place)
        place.unfinished.rename(place.data)

    def _launch(self) -> None:
        """Waits for a server that is on its way already, else starts one.

        After a kill -9 the dead server's helpers may live on for a moment and hold its memory: tried again a few times.
        """
        place = self.place
        binaries = place.reachable(find_binaries(int((place.data / "PG_VERSION").read_text())))
        deadline = time.monotonic() + self._timeout_seconds
        log_start = place.log.stat().st_size if place.log.exists() else 0
        failures = 0
        while not (self.pid() and _pid_file(place)[7:8] == ["ready"] and self.answers()):
            if self._child is not None and self._child.poll() is not None:
                failures += 1
                if failures == START_ATTEMPTS:
                    raise PostgresStartFailed(
                        f"PostgreSQL ended with {self._child.returncode}:\n{self._log_since(log_start)}"
                    )
                time.sleep(0.2 * failures)
                self._child = None
            if self._child is None and self.pid() is None:
                self._drop_foreign_pid_file()
                with place.log.open("ab") as log:
                    self._child = place.spawn([str(binaries.bin / "postgres"), *_settings(place)], log)
            if time.monotonic() > deadline:
                raise PostgresBusy(f"no answer after {self._timeout_seconds:.0f} s:\n{self._log_since(log_start)}")
            time.sleep(_POLL_SECONDS)

    def _drop_foreign_pid_file(self) -> None:
        """The process id in a stale file may by now be another program's, as after a container's restart."""
        line = _pid_file(self.place)[:1]
        if line and line[0].isdigit() and not _is_postgres(int(line[0])):
            (self.place.data / "postmaster.pid").unlink(missing_ok=True)

    def _log_since(self, offset: int) -> str:
        with self.place.log.open("rb") as log:
            log.seek(max(offset, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def _create_database(self) -> None:
        host = str(self.place.socket)
        with psycopg.connect(host=host, user=ROLE, dbname="postgres", autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known is None:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')

    def _stop(self) -> None:
        pid = self.pid()
        if pid is None:
            if self._child is not None and self._child.poll() is not None:
                self._child = None  # another process or object stopped what was started here
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + self._timeout_seconds
        while _is_postgres(pid):
            if self._child is not None:
                self._child.poll()  # reaps it: a zombie would look alive
            if time.monotonic() > deadline:
                raise PostgresBusy(f"PostgreSQL (process {pid}) does not stop")
            time.sleep(_POLL_SECONDS)
        if self._child is not None and self._child.pid == pid:
            self._child.wait()
            self._child = None


def _settings(place: Place) -> list[str]:
    settings = {
        "listen_addresses": "",  # no network: the socket's folder is the door
        "unix_socket_directories": str(place.socket),
        "unix_socket_permissions": "0600",
        "fsync": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": "50",
        "max_wal_size": "2GB",  # fewer checkpoints while a long history is read in
        "jit": "off",  # the package is built without
        "log_min_messages": "warning",
    }
    return ["-D", str(place.data), *(f"--{name}={value}" for name, value in settings.items())]


def _write_access_rules(place: Place) -> None:
    """Who may come in: the kernel says who asks (peer), so there is no password to keep, leak or lose.

    The socket's folder (0700) already keeps others out; these rules also keep out other services that run as `nobody`.
    """
    guests = dict.fromkeys((place.starter, "root"))
    place.write(
        place.unfinished / "pg_ident.conf",
        "".join(f'cellwitness "{guest}" {ROLE}\n' for guest in guests),
    )
    place.write(place.unfinished / "pg_hba.conf", "local all all peer map=cellwitness\n")


def _pid_file(place: Place) -> list[str]:
    """Lines of postmaster.pid: the process id first, the state (``ready``) in the eighth. Empty when there is none."""
    try:
        return [line.strip() for line in (place.data / "postmaster.pid").read_text().splitlines()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_postgres(pid: int) -> bool:
    """Whether a process lives and, where the system tells, is a PostgreSQL."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self/stat").exists()  # no /proc here (macOS): alive is all that is known
    name, _, rest = status.partition("(")[2].rpartition(")")
    return name.startswith("postgres") and not rest.strip().startswith("Z")
