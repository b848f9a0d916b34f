"""How workers on one set of tables divide the partitions among themselves, with PostgreSQL as the only arbiter.

Each worker is a row in ``workers`` with a heartbeat, and holds an advisory lock of its own number while its connection
lives. Twice a second, between batches, it looks around: it gives away what is beyond its fair share and takes what
nobody holds. A newcomer waits until the others have given; nobody is robbed who is at work. All of this is for
liveness. Safety is the checkpoint's compare-and-set alone: whoever takes a partition raises its epoch, and an older
owner writes nothing more.
"""

import os
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from projections.database import Connection, load_queries
from projections.errors import TablesReplaced, translated
from projections.store import Store

QUERIES: Final = load_queries("projections", "sharing.sql")

LOOK_SECONDS: Final = 0.5
"""Between two heartbeats of one worker, a batch under way left out."""

SILENT_SECONDS: Final = 10.0
"""A worker that is connected and was not heard for so long has stopped: others take what it holds."""

STUCK_SECONDS: Final = 60.0
"""One whose session does nothing for so long inside a transaction keeps its rows locked: the session is ended."""

LOCK_SECONDS: Final = 15.0
"""Whoever waits so long for another's rows gives its batch up and looks around: only who looks ends a stuck session."""


class Peer(Struct, frozen=True):
    """A worker as the others see it."""

    worker: int
    pinned: bool
    alive: bool  # its session's lock is held, and it was heard within SILENT_SECONDS


class Moves(Struct, frozen=True):
    """What one worker has to do for the partitions to be divided fairly."""

    give: frozenset[int]
    take: frozenset[int]


def moves(me: int, peers: Sequence[Peer], owners: Mapping[int, int | None], held: Collection[int]) -> Moves:
    """The moves of worker ``me``. ``owners``: partition -> worker. ``held``: what it has a checkpoint of.

    A partition of nobody, or of one who is dead, is free. Those that a pinned worker holds are not divided. The share
    is an equal part; of what is left over the workers of lowest number get one each. Everybody who sees the same comes
    to the same shares, so when all have moved nothing moves any more.
    """
    alive = {each.worker: each for each in peers if each.alive or each.worker == me}
    divided = [at for at, owner in owners.items() if owner not in alive or not alive[owner].pinned]
    sharing = sorted(each.worker for each in alive.values() if not each.pinned)
    each_gets, left_over = divmod(len(divided), len(sharing))
    share = each_gets + (sharing.index(me) < left_over)
    mine = sorted(at for at in divided if owners[at] == me and at in held)
    if len(mine) >= share:
        return Moves(frozenset(mine[share:]), frozenset())
    free = sorted(at for at in divided if at not in mine and (owners[at] == me or owners[at] not in alive))
    return Moves(frozenset(), frozenset(free[: share - len(mine)]))


class Membership:
    """One worker among those of its tables, for the life of one connection: a new one is a new worker to the others."""

    def __init__(self, connection: Connection, projection: str, *, pinned: bool = False) -> None:
        """Takes a number and its lock, and is heard from now on. Raises DatabaseUnwell, SchemaMismatch."""
        self._connection = connection
        self._projection = projection
        self._pinned = pinned
        self._looked_at = -LOOK_SECONDS
        with translated():
            row = connection.execute(QUERIES["next_worker_number"]).fetchone()
            assert row is not None
            self.number: Final = int(row[0])
            self._spaces = {name: lock_space(connection, name) for name in ("worker", "shares")}
            parameters = {"space": self._spaces["worker"], "worker": self.number}
            connection.execute(QUERIES["lock_worker"], parameters)
            connection.execute(QUERIES["bound_waits"], {"milliseconds": str(round(LOCK_SECONDS * 1000))})
            self._be_heard(None)
            self._tables = self._tables_now()

    def due(self) -> bool:
        return time.monotonic() - self._looked_at >= LOOK_SECONDS

    def look(self, store: Store, events_per_second: float | None) -> Moves:
        """A heartbeat, and moves towards a fair share, which ``store`` makes. Returns those that were made."""
        connection, me = self._connection, self.number
        self._looked_at = time.monotonic()
        with translated(), connection.transaction():
            connection.execute(QUERIES["bound_pause"])
            # One worker looks at a time, so that each sees what the one before it did.
            connection.execute(QUERIES["lock_shares"], {"space": self._spaces["shares"]})
            self._be_heard(events_per_second)
            if self._pinned:
                return Moves(frozenset(), frozenset())
            parameters = {
                "projection": self._projection,
                "me": me,
                "space": self._spaces["worker"],
                "silent_seconds": SILENT_SECONDS,
                "stuck_seconds": STUCK_SECONDS,
            }
            connection.execute(QUERIES["end_stuck_sessions"], parameters)
            connection.execute(QUERIES["forget_dead"], parameters)
            peers = [Peer(*row) for row in connection.execute(QUERIES["read_peers"], parameters)]
            owners: dict[int, int | None] = dict(connection.execute(QUERIES["read_owners"], parameters).fetchall())
            wanted = moves(me, peers, owners, store.checkpoints.keys())
            given = {"projection": self._projection, "partitions": [*wanted.give], "owner": me}
            connection.execute(QUERIES["give"], given)
            taken = store.take_free(wanted.take, me)
            # Last: a rebuild may have put others in their place while we waited for a lock.
            if self._tables_now() != self._tables:
                raise TablesReplaced("the tables were rebuilt")
        # Only now: what the transaction did not bring about must not be believed.
        store.drop(wanted.give)
        store.checkpoints.update(taken)
        return Moves(wanted.give, frozenset(taken))

    def leave(self) -> None:
        """Gives everything back, so that the others need not wait."""
        with translated(), self._connection.transaction():
            parameters = {"projection": self._projection, "owner": self.number, "worker": self.number}
            self._connection.execute(QUERIES["give_all"], parameters)
            self._connection.execute(QUERIES["forget"], parameters)

    def forget(self, number: int) -> None:
        """Takes away the row of a worker that this one was, on a connection that broke."""
        with translated():
            self._connection.execute(QUERIES["forget"], {"worker": number})

    def _tables_now(self) -> int:
        row = self._connection.execute("SELECT to_regnamespace(quote_ident(current_schema()))::oid").fetchone()
        assert row is not None
        return int(row[0])

    def _be_heard(self, events_per_second: float | None) -> None:
        self._connection.execute(
            QUERIES["be_heard"],
            {
                "worker": self.number,
                "projection": self._projection,
                "host": socket.gethostname(),
                "process": os.getpid(),
                "pinned": self._pinned,
                "events_per_second": events_per_second,
            },
        )


def lock_space(connection: Connection, name: str) -> int:
    """The class of a schema's advisory locks of one kind; a lock in it has a number as well. 31 bits."""
    row = connection.execute("SELECT current_schema()").fetchone()
    assert row is not None
    return int.from_bytes(blake2b(f"cellwitness {name} {row[0]}".encode(), digest_size=4).digest()) >> 1
