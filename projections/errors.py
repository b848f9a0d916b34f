"""What can go wrong between the log and the tables, by who must act; and PostgreSQL's errors, put into those words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from indexer.errors import OperatorMustAct, Retryable


class DatabaseUnwell(Retryable):
    """PostgreSQL is away, restarting, full or busy: connect again and go on from the checkpoint."""


class DatabaseRefuses(OperatorMustAct):
    """PostgreSQL answers, and will answer the same again: rights, types, constraints."""


class ValueRefused(DatabaseRefuses):
    """PostgreSQL has no place for a value of a row: a number out of range, a character that its encoding lacks, a key
    too long for an index. The battery parks at the event that brought it.
    """


class SchemaMismatch(OperatorMustAct):
    """The tables are not those that this version of cellwitness knows."""


class OtherLog(OperatorMustAct):
    """The tables were built from another log than the one given."""


class TablesReplaced(Retryable):
    """A rebuild put other tables in the place of those that this worker knew: look at them before writing."""


class CannotFold(OperatorMustAct):
    """The fold has no answer to this event. It parks with its reason, later events of its battery park behind it."""

    def __init__(self, event_id: str, reason: str) -> None:
        super().__init__(f"event {event_id} can't be handled: {reason}")
        self.event_id, self.reason = event_id, reason


class OwnershipLost(Retryable):
    """Another worker took a partition over: whoever loses it writes nothing of it any more."""

    def __init__(self, partitions: frozenset[int]) -> None:
        named = ", ".join(map(str, sorted(partitions)))
        super().__init__(f"another worker took over partition {named}")
        self.partitions = partitions


# By SQLSTATE class, never by text. 08 connection, 40 rollback, 53 resources (disk full, too many connections),
# 55 not in the right state, 57 operator intervention (shutdown, crash), 58 system error, 25 a read-only standby.
_MAY_PASS: Final = ("08", "25", "40", "53", "55", "57", "58")

# 22 data exception, 54 a limit of the program, 23502 and 23514 a column's own constraints. Not 23505: a row that stands
# twice is no value's fault.
_OF_VALUES: Final = ("22", "54", "23502", "23514")


@contextmanager
def translated() -> Iterator[None]:
    """Turns psycopg's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        # Without a state the connection itself failed, or broke.
        passes = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) if state is None else None
        if passes or (state is not None and state[:2] in _MAY_PASS):
            raise DatabaseUnwell(f"PostgreSQL: {_first_line(error)}") from error
        if state is not None and state[:2] == "42":
            raise SchemaMismatch(f"PostgreSQL: {_first_line(error)}") from error
        if state is not None and state.startswith(_OF_VALUES):
            raise ValueRefused(f"PostgreSQL: {_first_line(error)}") from error
        raise DatabaseRefuses(f"PostgreSQL: {_first_line(error)}") from error


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error) or type(error).__name__).strip().replace("\n", "; ")
