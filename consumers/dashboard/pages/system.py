"""The page System: how far the tables are, what holds them back, and what was rolled back, parked and left out."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from psycopg.rows import dict_row

from consumers.dashboard.feed import QUERIES, read_mark
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment
from consumers.timeline import asking, plain
from projections.database import Connection

ROLLBACKS_SHOWN: Final = 20


class System(Struct, frozen=True, kw_only=True):
    """What the tables say of their own state."""

    identity: dict[str, Any] | None
    partitions: list[dict[str, Any]]
    workers: list[dict[str, Any]]
    rollbacks: list[dict[str, Any]]  # newest first
    rollbacks_total: int
    deepest_blocks: int | None
    parked: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]  # by reason
    rebuilds: list[dict[str, Any]]
    fleet_runs: list[dict[str, Any]]


def read_system(connection: Connection) -> System:
    """Everything of the page, from one moment. Raises DatabaseUnwell, SchemaMismatch."""
    with asking(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def rows(name: str) -> list[dict[str, Any]]:
            return [plain(row) for row in cursor.execute(QUERIES[name], {"limit": ROLLBACKS_SHOWN})]

        identity = rows("identity")
        totals = rows("rollback_totals")[0]
        return System(
            identity=identity[0] if identity else None,
            partitions=rows("partitions"),
            workers=rows("workers"),
            rollbacks=rows("rollbacks"),
            rollbacks_total=totals["rollbacks"],
            deepest_blocks=totals["deepest_blocks"],
            parked=rows("parked"),
            quarantined=rows("quarantined"),
            rebuilds=rows("rebuilds"),
            fleet_runs=rows("fleet_runs"),
        )


def system(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    del moment, query, viewer
    said = read_system(connection)
    body = layout.part("system.html", system=said, mark=read_mark(connection))
    return Page(title="System", section="system", body=body)
