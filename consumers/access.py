"""Who may see what, by which right, and the record of what was asked: consulted before every answer to a person.

Regulation (EU) 2023/1542, Article 77(2) and Annex XIII: the public reads what is said of models (point 1); notified
bodies, surveillance authorities and the Commission points 2 and 3; persons with a legitimate interest points 2 and 4,
the values of single batteries. Authorities may demand more under Regulation (EU) 2019/1020, Article 14(4). Whoever asks
names the article; nobody checks it here, and an auditor can read it later.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from consumers.queries.model import DATA, NOW, Answer, BadParameter, Column, Data, Moment, Query
from consumers.queries.run import TIMEOUT_SECONDS, run
from consumers.timeline import Holds, plain
from consumers.timeline import asking as in_our_words
from indexer.errors import CellwitnessError, ConfigurationError, OperatorMustAct
from projections.database import Connection, load_queries
from projections.packing import storable_json, storable_text

Outcome = Literal["answered", "refused", "failed"]

_QUERIES: Final = load_queries("consumers", "access.sql")
_TEXT_CHARACTERS: Final = 500


class NotAllowed(OperatorMustAct):
    """The profile of whoever asks does not let him see this."""

    exit_code = 1


class Profile(Struct, frozen=True, kw_only=True):
    """What somebody may see, as data: kinds of columns."""

    name: str
    title: str
    meaning: str
    data: frozenset[Data]
    bases: tuple[str, ...]  # legal bases to choose from; others may be written
    least_batteries: int = 1  # a group of fewer batteries is not shown: it would tell of single ones


PROFILES: Final[dict[str, Profile]] = {
    each.name: each
    for each in (
        Profile(
            name="public",
            title="The public",
            meaning="models and statistics of at least five batteries: nothing of a single battery or person",
            data=frozenset(("model", "statistic")),
            bases=("Regulation (EU) 2023/1542, Article 77(2)(a), Annex XIII point 1",),
            least_batteries=5,
        ),
        Profile(
            name="legitimate-interest",
            title="A person with a legitimate interest",
            meaning="single batteries with their condition and status: for repair, second life, recycling or purchase",
            data=frozenset(("model", "statistic", "identity", "status", "condition")),
            bases=("Regulation (EU) 2023/1542, Article 77(2)(c), Annex XIII points 2 and 4",),
        ),
        Profile(
            name="notified-body",
            title="A notified body",
            meaning="single batteries, the evidence and what was found against it: for conformity; no values of use",
            data=frozenset(("model", "statistic", "identity", "status", "finding", "evidence")),
            bases=("Regulation (EU) 2023/1542, Article 77(2)(b), Annex XIII points 2 and 3",),
        ),
        Profile(
            name="surveillance",
            title="A market surveillance authority",
            meaning="all but the operator's own affairs; submitters under their pseudonyms",
            data=frozenset(DATA) - {"operation"},
            bases=(
                "Regulation (EU) 2019/1020, Article 14(4)",
                "Regulation (EU) 2023/1542, Article 77(2)(b), Annex XIII points 2 and 3",
            ),
        ),
        Profile(
            name="auditor",
            title="An auditor",
            meaning="everything, also what is missing and what people did about alerts",
            data=frozenset(DATA),
            bases=("audit engagement", "Regulation (EU) 2023/1542, Article 77(3)"),
        ),
    )
}


class Asking(Struct, frozen=True, kw_only=True):
    """Somebody who asks, as what, and by which right."""

    who: str
    profile: Profile
    legal_basis: str


class Asked(Struct, frozen=True, kw_only=True):
    """What is asked: a query, or something else that is looked at, such as ``battery`` or ``pack``."""

    what: str
    parameters: Mapping[str, Any] = {}
    moment: Moment = NOW
    form: str = ""  # of the answer, such as ``csv``


class Question(Struct, frozen=True, kw_only=True):
    """One row of the record."""

    at: str
    role: str
    who: str
    profile: str
    legal_basis: str
    what: str
    parameters: dict[str, Any]
    as_of_slot: int | None
    known_at: str | None
    finality: str
    outcome: Outcome
    reason: str | None
    step: int | None
    slot: int | None
    block: str | None
    rows: int | None
    format: str


def asking_as(who: str, profile: str, legal_basis: str | None = None) -> Asking:
    """Checks who asks. Without a basis it is the first that the profile proposes. Raises ConfigurationError."""
    found = PROFILES.get(profile)
    if found is None:
        raise ConfigurationError(f"there is no access profile {profile[:80]!r}: one of {', '.join(PROFILES)}")
    basis = found.bases[0] if legal_basis is None else legal_basis
    for name, text in (("who asks", who), ("the legal basis", basis)):
        if not text.strip() or len(text) > _TEXT_CHARACTERS:
            raise ConfigurationError(f"{name} is part of the record: give 1 to {_TEXT_CHARACTERS} characters")
    return Asking(who=storable_text(who.strip()), profile=found, legal_basis=storable_text(basis.strip()))


def may_ask(profile: Profile, query: Query) -> bool:
    """Whether the query's answer says anything to this profile."""
    small_groups = query.parameter("least_batteries") is not None or profile.least_batteries == 1
    return profile.data.issuperset(query.needs) and small_groups


def visible_columns(profile: Profile, query: Query) -> tuple[Column, ...]:
    """The columns that this profile may see. The others are absent from an answer, not empty."""
    return tuple(column for column in query.columns if column.data in profile.data)


def ask(  # noqa: PLR0913 - who asks, what, about which moment
    connection: Connection,
    asking: Asking,
    query: Query,
    parameters: Mapping[str, Any],
    moment: Moment = NOW,
    *,
    form: str = "",
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Checks the right to ask, runs the query, leaves out what the profile may not see, and records all of it.

    No answer without its record: the connection must be able to write it, so it is not read-only. Roles
    cellwitness_reader and cellwitness_auditor may. ``form``: of the answer, such as ``csv``, for the record.
    Raises NotAllowed, and what ``run`` raises: such askings are recorded as refused or failed.
    """
    asked = Asked(what=query.name, parameters=parameters, moment=moment, form=form)
    try:
        given = _least_batteries(asking.profile, query, parameters)
        answer = run(connection, query, given, moment, timeout_seconds=timeout_seconds)
    except CellwitnessError as error:
        outcome: Outcome = "refused" if isinstance(error, NotAllowed) else "failed"
        record(connection, asking, asked, outcome, reason=str(error))
        raise
    seen = _cut(answer, asking)
    asked = replace(asked, parameters=seen.parameters)
    record(connection, asking, asked, "answered", holds=seen.holds, rows=len(seen.rows))
    return seen


def _least_batteries(profile: Profile, query: Query, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, with groups as large as the profile asks for."""
    if not may_ask(profile, query):
        missing = ", ".join(sorted(set(query.needs) - profile.data)) or "groups too small to be shown"
        allowed = ", ".join(each.name for each in PROFILES.values() if may_ask(each, query))
        raise NotAllowed(
            f"{profile.title.lower()} may not ask {query.name}: it tells of {missing}; it is open to {allowed}"
        )
    given = dict(parameters)
    if profile.least_batteries > 1:
        try:
            wanted = int(given.get("least_batteries") or 0)
        except (TypeError, ValueError):
            raise BadParameter("least_batteries", "write a whole number") from None
        given["least_batteries"] = max(profile.least_batteries, wanted)
    return given


def _cut(answer: Answer, asking: Asking) -> Answer:
    columns = visible_columns(asking.profile, answer.query)
    places = [answer.query.columns.index(column) for column in columns]
    return replace(
        answer,
        columns=columns,
        rows=[tuple(row[place] for place in places) for row in answer.rows],
        profile=asking.profile.name,
        legal_basis=asking.legal_basis,
        asked_by=asking.who,
    )


def record(  # noqa: PLR0913 - what is written down of an asking
    connection: Connection,
    asking: Asking,
    asked: Asked,
    outcome: Outcome,
    *,
    holds: Holds | None = None,
    rows: int | None = None,
    reason: str | None = None,
) -> None:
    """Writes down that something was asked, and what came of it.

    When and as which role is PostgreSQL's to say. Raises DatabaseUnwell, DatabaseRefuses, SchemaMismatch.
    """
    moment = asked.moment
    known_at = moment.known_at.isoformat() if isinstance(moment.known_at, datetime) else moment.known_at
    values = {
        "who": asking.who,
        "profile": asking.profile.name,
        "legal_basis": asking.legal_basis,
        "what": storable_text(asked.what),
        "parameters": Jsonb(storable_json({name: _noted(value) for name, value in asked.parameters.items()})),
        "as_of_slot": moment.as_of_slot,
        "known_at": None if known_at is None else str(known_at),
        "finality": moment.finality,
        "outcome": outcome,
        "reason": None if reason is None else storable_text(reason)[: 4 * _TEXT_CHARACTERS],
        "step": holds.step if holds else None,
        "slot": holds.slot if holds else None,
        "block": bytes.fromhex(holds.block) if holds and holds.block else None,
        "rows": rows,
        "format": asked.form,
    }
    with in_our_words():
        connection.execute(_QUERIES["write_question"], values)


def list_questions(connection: Connection, *, who: str | None = None, limit: int = 100) -> list[Question]:
    """What was asked, the newest first. An auditor's to read."""
    with in_our_words(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["list_questions"], {"who": who, "limit": limit}).fetchall()
    return [Question(**plain(row)) for row in rows]


def _noted(value: Any) -> Any:
    """A parameter as the record can hold it; one of a size that nobody needs is cut short."""
    match value:
        case bytes():
            return value.hex()[:_TEXT_CHARACTERS]
        case Decimal():
            return str(value)
        case bool() | None:
            return value
        case int():
            return value if abs(value) < 1 << 63 else str(value)[:_TEXT_CHARACTERS]
        case _:
            return str(value)[:_TEXT_CHARACTERS]
