"""How far the tables are: what every answer says of itself."""

from typing import Final

from projections.database import Connection, load_queries
from projections.errors import translated

_QUERIES: Final = load_queries("projections", "queries.sql")


def consistent_step(connection: Connection, projection: str = "timeline") -> int:
    """The step up to which all partitions are projected: the least last step over them. -1 when nothing is.

    Raises DatabaseUnwell, SchemaMismatch.
    """
    with translated():
        row = connection.execute(_QUERIES["consistent_step"], {"projection": projection}).fetchone()
        assert row is not None
        return int(row[0])
