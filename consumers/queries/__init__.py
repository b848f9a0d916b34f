"""The twenty-five queries of market surveillance and auditors: one layer under dashboard, API and audit."""

from difflib import get_close_matches
from typing import Final

from consumers.queries.audits import AUDITS
from consumers.queries.behaviour import BEHAVIOUR
from consumers.queries.condition import CONDITION
from consumers.queries.model import Query
from indexer.errors import ConfigurationError

QUERIES: Final[dict[str, Query]] = {
    query.name: query for query in sorted((*CONDITION, *BEHAVIOUR, *AUDITS), key=lambda each: each.number)
}
"""By name, in the order of their numbers."""


def find_query(name: str) -> Query:
    """A query by its name or its number. Raises ConfigurationError that proposes the nearest name."""
    if name in QUERIES:
        return QUERIES[name]
    if name.isdecimal() and len(name) < 4 and 1 <= int(name) <= len(QUERIES):
        return list(QUERIES.values())[int(name) - 1]
    near = get_close_matches(name[:80], QUERIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`cellwitness query ls` lists them"
    raise ConfigurationError(f"there is no query {name[:80]!r}: {hint}")
