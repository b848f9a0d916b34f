"""Versions of rows and their spans of knowledge, for one batch. Pure bookkeeping, in memory."""

from collections.abc import Iterator

from msgspec import Struct

from projections.rows import TABLES, Key, Row, Table


class Version(Struct, frozen=True, gc=False):
    """A row that held in the steps ``[known_from_step, known_until_step)``; until now, where that is None."""

    row: Row
    known_from_step: int
    known_until_step: int | None


class Versions:
    """What a batch does to the tables: versions to insert, and stored versions to close.

    Depends on the log alone, not on where batches begin: the rows, closed ones too, are the same for any batches.
    """

    def __init__(self) -> None:
        self._open: dict[Table, dict[Key, tuple[Row, int]]] = {table: {} for table in TABLES}
        self._closed: dict[Table, list[Version]] = {table: [] for table in TABLES}
        self._closings: dict[Table, dict[Key, int]] = {table: {} for table in TABLES}

    def put(self, table: Table, key: Key, row: Row, step: int, *, fresh: bool) -> None:
        """From this step on, the row under the key is this one. ``fresh``: none is known under the key just before.

        Of several in one step the last one counts: no reader ever sees the others.
        """
        if not fresh:
            self.close(table, key, step)
        self._open[table][key] = (row, step)

    def close(self, table: Table, key: Key, step: int) -> None:
        """From this step on, nothing is known under the key."""
        version = self._open[table].pop(key, None)
        if version is None:
            # It is in the table; closed there at most once, as afterwards its key is only found here.
            self._closings[table].setdefault(key, step)
            return
        row, since = version
        if since < step:
            self._closed[table].append(Version(row, since, step))

    def closings(self, table: Table) -> dict[Key, int]:
        """Keys whose stored version ends, with the step."""
        return self._closings[table]

    def inserts(self, table: Table) -> Iterator[Version]:
        """Versions that this batch adds."""
        yield from self._closed[table]
        for row, since in self._open[table].values():
            yield Version(row, since, None)
