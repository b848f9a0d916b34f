"""Roles: who may do what with the tables, as groups that a database's users are put into."""

from typing import Final

from psycopg import sql

from projections.database import SCHEMA, Connection, load_queries
from projections.errors import translated

OWNER: Final = "cellwitness_owner"
DOORKEEPER: Final = "cellwitness_doorkeeper"

ROLES: Final = {
    OWNER: "migrates and rebuilds: owns everything",
    "cellwitness_writer": "the worker: adds versions and ends them, changes and deletes none",
    "cellwitness_reader": "the dashboard: reads answers",
    "cellwitness_auditor": "reads everything, to compare it with the log",
    "cellwitness_alerter": "reads what alerts are made of, and notes what people did about them",
    DOORKEEPER: "keeps the sessions of a dashboard's browsers, and sees nothing else",
}

_QUERIES: Final = load_queries("projections", "roles.sql")


def make_roles(connection: Connection, schema: str = SCHEMA) -> None:
    """Makes the roles where they are not there, hands the schema to the owner, and gives each its part.

    Raises SchemaMismatch where the connection's user may not: roles are the whole server's.
    """
    with translated(), connection.transaction():
        for name in ROLES:
            if not _exists(connection, name):
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
        # Who makes them goes on as before: as a member.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
        _run(connection, "owner", schema)
        kinds = {"r": sql.SQL("TABLE"), "S": sql.SQL("SEQUENCE"), "v": sql.SQL("VIEW")}
        owned = connection.execute(
            # Not the sequences that are part of a column: they go with their table.
            "SELECT nspname, relname, relkind::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace"
            " WHERE nspname IN (%s, 'cellwitness_people') AND relkind IN ('r', 'S', 'v') AND NOT EXISTS"
            " (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'i' AND relkind = 'S')",
            (schema,),
        ).fetchall()
        for space, name, kind in owned:
            thing = sql.Identifier(space, name)
            connection.execute(sql.SQL("ALTER {} {} OWNER TO {}").format(kinds[kind], thing, sql.Identifier(OWNER)))
        grant(connection, schema)


def grant(connection: Connection, schema: str) -> None:
    """Gives each role its part of a schema's tables as they are now, and takes away what it had beyond."""
    for part in ("everybody", "writer", "reader", "auditor", "people", "alerter"):
        _run(connection, part, schema)
    if _exists(
        connection, DOORKEEPER
    ):  # a server whose roles an earlier version made has none until they are made anew
        _run(connection, "doorkeeper", schema)


def has_roles(connection: Connection, schema: str) -> bool:
    """Whether all roles of this version are there, and the schema is the owner's."""
    return is_owned(connection, schema) and all(_exists(connection, name) for name in ROLES)


def is_owned(connection: Connection, schema: str) -> bool:
    """Whether the schema was handed to the owner, so that there are roles to be given their part of it."""
    query = "SELECT FROM pg_namespace WHERE nspname = %s AND pg_get_userbyid(nspowner) = %s"
    return connection.execute(query, (schema, OWNER)).rowcount == 1


def as_owner(connection: Connection) -> None:
    """Until the transaction ends, whoever may be the owner is: what he makes is not his own but the owner's.

    Roles are the whole server's: in a database where nobody made one the owner, he is nobody.
    """
    query = (
        "SELECT FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'MEMBER')"
        " AND has_database_privilege(oid, current_database(), 'CREATE')"
    )
    if connection.execute(query, (OWNER,)).rowcount:
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER)))


def _exists(connection: Connection, role: str) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount == 1


def _run(connection: Connection, part: str, schema: str) -> None:
    names = {"schema": sql.Identifier(schema), "database": sql.Identifier(connection.info.dbname)}
    connection.execute(sql.SQL(_QUERIES[part]).format(**names))
