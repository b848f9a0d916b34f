"""The moment that an answer is about: found once, then every relation of ``sql/moment.sql`` is bound to it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from consumers.as_of import step_known_at
from consumers.queries.model import Moment, Query
from consumers.timeline import CONFIRMED_DEPTH_BLOCKS, Holds, StepNotReached, plain
from projections.database import load_queries
from projections.errors import SchemaMismatch
from projections.rules.catalogue import RULES

EVERYTHING: Final = (1 << 63) - 1
"""No bound: above every slot and height."""

NOW_KNOWN: Final = "known_until_step IS NULL"
KNOWN: Final = "known_from_step <= %(step)s AND (known_until_step IS NULL OR known_until_step > %(step)s)"
MINE: Final = "(%(battery_keys)s::bytea[] IS NULL OR battery_key = ANY (%(battery_keys)s))"
HALVES: Final = (
    f"known_until_step IS NULL AND known_from_step <= %(step)s AND {MINE}",
    f"known_until_step > %(step)s AND known_from_step <= %(step)s AND {MINE}",
)
"""Each fits one of the two partial indexes of a table; one condition for both would fit neither in a join."""

_RELATIONS: Final = load_queries("consumers.queries", "sql/moment.sql")
_STAND: Final = load_queries("consumers.queries", "sql/stand.sql")
_BELOW: Final[dict[str, tuple[str, ...]]] = {
    "fleet": ("batteries",),
    "accepted": ("readings", "verdicts"),
    "measured": ("accepted",),
    "raised": ("alerts", "fleet_findings"),
}
"""What a relation is written over, itself."""


class Bound(Struct, frozen=True, kw_only=True):
    """A moment, found in the tables: where the answer holds, and the parameters that every relation takes."""

    holds: Holds
    parameters: dict[str, Any]
    rules: dict[str, Any] | None
    is_now: bool  # no table knows more than this step: what holds after it is what holds


def find_moment(cursor: Any, connection: Any, moment: Moment) -> Bound:
    """Where the tables stood. Without ``known_at``: at the last step that all partitions hold.

    Raises StepNotReached, NothingKnownThen, SchemaMismatch.
    """
    consistent = cursor.execute(_STAND["consistent"]).fetchone()
    if consistent is None or consistent["step"] < 0:
        raise SchemaMismatch("nothing is projected in all partitions yet: run `cellwitness project` first")
    known_at = moment.known_at
    step = step_known_at(connection, known_at) if isinstance(known_at, datetime) else known_at
    if step is None:
        step = consistent["step"]
    elif step > consistent["step"]:
        raise StepNotReached(f"all tables hold step {consistent['step']}, not yet {step}")
    where = cursor.execute(_STAND["step"], {"step": step}).fetchone() or {"step": step}
    holds = msgspec.convert(plain(where) | {"as_of_slot": moment.as_of_slot}, Holds)
    until_height = _height(holds, moment)
    parameters = {
        "step": step,
        "latest_step": consistent["step"],
        "until_slot": EVERYTHING if moment.as_of_slot is None else moment.as_of_slot,
        "until_height": until_height,
        "chain_height": holds.height if holds.height is not None else -1,
        "final_height": holds.final_height if holds.final_height is not None else -1,
        "confirmed_height": (holds.height if holds.height is not None else -1) - CONFIRMED_DEPTH_BLOCKS,
        "rule_ids": list(RULES),
        "rule_names": [rule.name for rule in RULES.values()],
    }
    clock = cursor.execute(_STAND["clock"], parameters).fetchone()["slot"]
    parameters["clock_slot"] = clock if moment.as_of_slot is None else min(moment.as_of_slot, clock)
    parameters["acts_until"] = _acts_until(cursor, parameters, known_at)
    judged_by = cursor.execute(_STAND["judged_by"]).fetchone()["judged_by"]
    versions = {rule.id: rule.version for rule in RULES.values()}
    return Bound(
        is_now=step == consistent["newest"],
        holds=holds,
        parameters=parameters,
        rules=None if judged_by is None else judged_by | {"versions": versions},
    )


def _acts_until(cursor: Any, parameters: dict[str, Any], known_at: int | datetime | None) -> datetime:
    """What people did counts until then: they act by the clock, and know no steps."""
    if isinstance(known_at, datetime):
        return known_at
    found = None if known_at is None else cursor.execute(_STAND["next_known_at"], parameters).fetchone()["at"]
    return found or datetime.max.replace(tzinfo=UTC)


def _height(holds: Holds, moment: Moment) -> int:
    """The highest block that is deep enough."""
    if moment.finality == "pending":
        return EVERYTHING
    final = holds.final_height if holds.final_height is not None else -1
    if moment.finality == "final" or holds.height is None:
        return final
    return max(final, holds.height - CONFIRMED_DEPTH_BLOCKS)


def relations(query: Query, moment: Moment, *, is_now: bool) -> str:
    """``WITH …``: the relations that the query reads, bound to the moment. ``is_now``: see ``Bound``.

    What holds now is found by one partial index, and PostgreSQL knows how many rows there are. After an earlier step it
    is two halves, an index each, and PostgreSQL guesses worse.

    Relations over one table are not materialised, so that indexes serve through them. The bounded ones sum up, and are
    made once: how many rows come out is a guess, and a bad one would have them made for each row of a join.
    """
    bounded = moment.as_of_slot is not None or moment.finality != "pending"
    parts = []
    for name in _in_order(query.reads):
        chosen = f"{name}_bounded" if bounded and f"{name}_bounded" in _RELATIONS else name
        body = _RELATIONS[chosen].replace("{known}", NOW_KNOWN if is_now else KNOWN).replace("{mine}", MINE)
        halves = (f"{NOW_KNOWN} AND {MINE}",) if is_now else HALVES
        if "{half}" in body:
            body = "\n UNION ALL\n".join(body.replace("{half}", half) for half in halves)
        parts.append(f"{name} AS {'NOT ' if chosen == name else ''}MATERIALIZED (\n{body}\n)")
    return "WITH " + ", ".join(parts)


def _in_order(names: tuple[str, ...]) -> Iterator[str]:
    """Each with what it is written over before it."""
    done: dict[str, None] = {}

    def add(name: str) -> None:
        for below in _BELOW.get(name, ()):
            add(below)
        done.setdefault(name)

    for name in names:
        add(name)
    yield from done
