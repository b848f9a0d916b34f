"""The page System: nodes, how far the tables are, what holds them back, what was rolled back, parked and rebuilt."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct
from psycopg.rows import dict_row

from consumers.access import PROFILES
from consumers.dashboard.feed import QUERIES, read_mark
from consumers.dashboard.followers import Followers, without_addresses
from consumers.dashboard.layout import Layout, Page, PageMaker, Viewer
from consumers.dashboard.moment import Moment
from consumers.timeline import asking, plain
from projections.database import SCHEMA, Connection
from projections.errors import SchemaMismatch
from projections.sharing import lock_space

ROLLBACKS_SHOWN: Final = 20


class Rebuilding(Struct, frozen=True, kw_only=True):
    """New tables beside those in use, by records of the log."""

    at_work: bool  # a process builds them; else it was cut off, or left them
    done_records: int
    all_records: int  # that the tables in use hold
    step: int
    records_per_second: float | None  # while it reads the log
    running_seconds: float | None

    @property
    def share(self) -> float:
        return self.done_records / self.all_records if self.all_records else 1.0

    @property
    def eta_seconds(self) -> float | None:
        """None where nothing is to be read any more, or nobody knows how fast it is."""
        left = self.all_records - self.done_records
        return left / self.records_per_second if left and self.records_per_second else None


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
    rebuild: Rebuilding | None  # tables beside these
    rebuilds: list[dict[str, Any]]  # that came to an end, newest first
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
            rebuild=_rebuilding(connection),
            rebuilds=rows("rebuilds"),
            fleet_runs=rows("fleet_runs"),
        )


def _rebuilding(connection: Connection) -> Rebuilding | None:
    """Raises DatabaseUnwell."""
    with connection.cursor(row_factory=dict_row) as cursor:
        space = {"space": lock_space(connection, f"rebuild {SCHEMA}")}
        found = cursor.execute(QUERIES["new_tables"], space).fetchone()
        if not found or not found["there"]:
            return None
        try:
            with connection.transaction(), asking():
                row = cursor.execute(QUERIES["rebuild_progress"]).fetchone()
        except SchemaMismatch:  # put in the place of these just now
            return None
    return Rebuilding(at_work=found["at_work"], **row) if row else None


def system_page(followers: Followers) -> PageMaker:
    """The page's maker, with what is known of the followers when it is made."""

    def system(
        layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer
    ) -> Page:
        del query
        # Where nodes are is the operator's affair.
        named = viewer.may_act or "operation" in PROFILES[viewer.profile].data
        body = layout.part(
            "system.html",
            system=read_system(connection),
            mark=read_mark(connection),
            followers=followers.said if named else [without_addresses(each) for each in followers.said],
            named=named,
            moment=moment,
            now=datetime.now(UTC),
        )
        return Page(title="System", section="system", body=body)

    return system
