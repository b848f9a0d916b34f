"""What of several processes one does at a time, such as judging a whole fleet."""

from collections.abc import Iterator
from contextlib import contextmanager

from indexer.errors import Retryable
from projections.database import Connection


class FleetBusy(Retryable):
    """Another process is at work on the fleet, or nothing was projected yet."""


@contextmanager
def alone(connection: Connection, lock: int, what: str) -> Iterator[None]:
    """Holds an advisory lock; enter it before the transaction, whose snapshot then holds what the last one wrote.

    ``what``: done by whoever has it, for the error's words. Raises FleetBusy.
    """
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
        raise FleetBusy(f"another process {what} now")
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))
