"""Questions of one moment about many batteries, over what is counted of them."""

from collections.abc import Mapping
from typing import Any, Final, LiteralString, TypeVar

import msgspec
from psycopg import Cursor, sql

from consumers.timeline import plain
from consumers.timeline_questions import known
from projections.counts import SUMS, basis_of, relation
from projections.database import load_queries

_T = TypeVar("_T")
_RAISED: Final = load_queries("consumers", "raised.sql")


class Counts:
    """Within a transaction that reads one snapshot. In a query {stands}, {fade}, {hours} and {mix} stand for what is
    counted, see projections/counts.sql, {raised} for what stands against batteries, {known} for the span of knowledge.
    """

    def __init__(
        self,
        cursor: Cursor[dict[str, Any]],
        queries: Mapping[str, LiteralString],
        step: int,
        slot: int | None,
        parameters: Mapping[str, Any],
    ) -> None:
        basis = basis_of(cursor, step, slot)
        span = known(step)
        raised: LiteralString = _RAISED["by_alerts" if slot is None else "by_findings"]
        self._cursor, self._queries = cursor, queries
        self._parameters = {**basis.parameters(), **parameters}
        self._relations = {name: relation(name, basis) for name in ("stands", *SUMS)}
        self._more = {"known": span, "raised": sql.SQL("({})").format(sql.SQL(raised).format(known=span))}

    def rows(self, name: str, **more: Any) -> list[dict[str, Any]]:
        query: LiteralString = self._queries[name]
        composed = sql.SQL(query).format(**self._relations, **self._more)
        return self._cursor.execute(composed, self._parameters | more).fetchall()

    def structs(self, name: str, kind: type[_T], **more: Any) -> _T:
        return msgspec.convert([plain(row) for row in self.rows(name, **more)], kind)
