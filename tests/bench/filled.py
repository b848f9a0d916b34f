"""Tables with a million readings of many batteries, a devnet's true ones among them, and one battery with very many."""

from pathlib import Path
from typing import Final

from psycopg import sql

from indexer.log.sqlite import SqliteLog
from projections.counts import count_fleet
from projections.database import Connection, connect, load_queries
from projections.judging import Judging
from projections.migrate import migrate
from projections.roles import make_roles
from projections.rows import ALERTS, BATTERIES, TABLES
from projections.run import Worker
from tests.bench.frames import devnet_profile
from tests.bench.projecting import devnet_log
from tests.consumers.rows import many

DEVNET_DAYS: Final = 60
READINGS_EACH: Final = 50
_SHIFTED: Final = load_queries("tests.bench", "filled.sql")


def fill(url: str, folder: Path, *, readings: int, long_readings: int) -> tuple[str, str]:
    """Returns the battery with many readings: its deployment and key. The fleet is counted, as a worker does."""
    path = folder / "events.db"
    devnet_log(path, DEVNET_DAYS)
    judging = Judging({devnet_profile().name: devnet_profile()})
    with connect(url) as connection:
        migrate(connection)
        make_roles(connection)
        Worker(SqliteLog(path), lambda: connect(url), judging=judging).run(until_caught_up=True)
        many(connection, readings // READINGS_EACH, READINGS_EACH)
        battery = _lengthen(connection, long_readings)
        connection.execute("VACUUM ANALYZE")
        count_fleet(connection)
    return battery


def _lengthen(connection: Connection, readings: int) -> tuple[str, str]:
    """Lets the devnet's most read battery live its life again and again, later and later."""
    row = connection.execute(_SHIFTED["most_read"]).fetchone()
    assert row is not None
    deployment, key, read, slots = row
    asked = {"key": key, "deployment": deployment, "copies": -(-readings // read), "slots": slots}
    for table in TABLES:
        if table in (BATTERIES, ALERTS):
            continue
        columns = [*table.row.__struct_fields__, "known_from_step"]
        values = [sql.SQL(_SHIFTED.get(f"moved_{each}", "{}")).format(sql.Identifier(each)) for each in columns]
        connection.execute(
            sql.SQL(_SHIFTED["again"]).format(
                table=sql.Identifier(table.name),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                values=sql.SQL(", ").join(values),
                which=sql.SQL(_SHIFTED.get(f"which_{table.name}", "true")),
            ),
            asked,
        )
    for query in ("stands_later", "steps_later", "reads_more"):
        connection.execute(_SHIFTED[query], asked)
    return deployment, key.hex()
