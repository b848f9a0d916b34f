"""Alerts as people work on them: what stands, what was withdrawn and why, the evidence, and what was done about it."""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct
from psycopg.rows import dict_row

from consumers.timeline import Holds, asking, find_batteries, plain, where_it_holds
from indexer.errors import ConfigurationError
from projections.alerts import NAME_BYTES
from projections.database import Connection, load_queries
from projections.rules.catalogue import RULES

Stage = Literal["provisional", "confirmed", "final", "withdrawn"]
State = Literal["open", "acknowledged", "closed"]
ActName = Literal["ack", "note", "close"]

STATES: Final[tuple[State, ...]] = get_args(State)
FINDINGS_SHOWN: Final = 200
_QUERIES: Final = load_queries("consumers", "alerts.sql")
_STAGES: Final[dict[str, Stage]] = {"pending": "provisional", "confirmed": "confirmed", "final": "final"}


class Alert(Struct, frozen=True, kw_only=True):
    """All that one rule found about one subject."""

    alert: str  # its name, 20 hex digits
    rule: str
    name: str  # of the rule, in words
    severity: str
    stage: Stage  # of its first finding: how deep that is
    state: State | None  # what people made of it; None once it is withdrawn
    deployment: str
    subject: str  # a battery key, a public key or a submitter, hex
    subject_kind: str
    battery: str | None  # the battery's id, as text
    findings: int
    first_slot: int
    first_height: int
    first_time: str
    last_slot: int
    last_height: int
    last_time: str
    who: str | None = None  # did the last thing that counts, and why
    why: str | None = None
    at: str | None = None
    withdrawn: str | None = None  # why


class Selection(Struct, frozen=True, kw_only=True):
    """Which alerts are asked for; None means all."""

    states: tuple[State, ...] | None = None
    severities: tuple[str, ...] | None = None
    deployment: str | None = None
    battery: str | None = None  # id (text or hex) or key
    rule: str | None = None
    name: str = ""  # first digits of the alert's name
    search: str = ""  # part of a battery's id or a rule's name, or the first digits of an alert or its subject
    withdrawn: bool = False
    limit: int | None = 100


class Count(Struct, frozen=True, kw_only=True):
    """How many alerts that stand there are of one kind."""

    rule: str
    severity: str
    state: State
    alerts: int
    not_final: int


class Story(Struct, frozen=True):
    """An alert with its evidence and what people did."""

    alert: Alert
    holds: Holds
    findings: list[dict[str, Any]]  # newest first; the retracted ones, with known_until_step, last
    acts: list[dict[str, Any]]  # oldest first


class Act(Struct, frozen=True):
    """What a person does about an alert."""

    act: ActName
    who: str
    why: str


def list_alerts(connection: Connection, selection: Selection) -> tuple[Holds, list[Alert]]:
    """Alerts, the gravest first, and where the answer holds. Raises ConfigurationError for what can't be a name."""
    with asking(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return read_alerts(connection, selection)


def read_alerts(connection: Connection, selection: Selection) -> tuple[Holds, list[Alert]]:
    """As ``list_alerts``, in a transaction of the caller's."""
    parameters = _parameters(connection, selection)
    with connection.cursor(row_factory=dict_row) as cursor:
        holds = where_it_holds(cursor, None, None)
        query = _QUERIES["list_withdrawn" if selection.withdrawn else "list_alerts"]
        rows = [plain(row) for row in cursor.execute(query, parameters)]
    return holds, [alert_of(row, holds) for row in rows]


def alert_then(row: dict[str, Any], holds: Holds) -> Alert:
    """An alert of a timeline of the past, by its row: what people did about it since is left out."""
    return alert_of({**row, "subject": row["battery_key"], "subject_kind": "battery"}, holds)


def find_alert(connection: Connection, name: str) -> tuple[Holds, list[Alert]]:
    """The alerts whose name begins with these digits, withdrawn ones too."""
    holds, found = list_alerts(connection, Selection(name=name))
    return holds, found or list_alerts(connection, Selection(name=name, withdrawn=True))[1]


def read_story(connection: Connection, holds: Holds, alert: Alert) -> Story:
    """Everything about one alert."""
    name = bytes.fromhex(alert.alert)
    parameters = {**_subject(alert), "alert": name, "limit": FINDINGS_SHOWN}
    of_fleet = RULES[alert.rule].scope == "fleet" or alert.subject_kind != "battery"
    query = "fleet_findings_of" if of_fleet else "findings_of"
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        # The end of a span is part of the answer here: it says which findings were retracted.
        found = [
            plain(row) | {"known_until_step": row["known_until_step"]}
            for row in cursor.execute(_QUERIES[query], parameters)
        ]
        acts = [plain(row) for row in cursor.execute(_QUERIES["acts_of"], {"alert": name})]
    return Story(alert, holds, found, acts)


def do_act(connection: Connection, holds: Holds, alert: Alert, act: Act) -> str:
    """Records what a person did about an alert, and returns when (RFC 3339).

    Raises ConfigurationError where nobody did it, or for no reason.
    """
    if not act.why.strip() or not act.who.strip():
        raise ConfigurationError("an act on an alert needs a name and a reason: give --who and --why")
    with asking(), connection.transaction():
        final = {**_subject(alert), "final_height": holds.final_height if holds.final_height is not None else -1}
        known = [fact for (fact,) in connection.execute(_QUERIES["facts_known"], final)]
        parameters = {
            "alert": bytes.fromhex(alert.alert),
            "deployment": alert.deployment,
            "subject": alert.subject,
            "rule": alert.rule,
            "act": act.act,
            "who": act.who.strip(),
            "why": act.why.strip(),
            "severity": alert.severity,
            "facts": known,
        }
        row = connection.execute(_QUERIES["write_act"], parameters).fetchone()
    assert row is not None
    return str(plain({"at": row[0]})["at"])


def count_alerts(connection: Connection, holds: Holds, selection: Selection) -> list[Count]:
    """All that stand, by kind, whatever states, severities and rule are selected: what there is to choose from."""
    final = -1 if holds.final_height is None else holds.final_height
    parameters = _parameters(connection, selection) | {"final_height": final}
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        return msgspec.convert(cursor.execute(_QUERIES["count_alerts"], parameters).fetchall(), list[Count])


def count_open(connection: Connection) -> dict[str, int]:
    """Alerts that stand and that nobody closed, by severity."""
    with asking():
        return dict(connection.execute(_QUERIES["count_open"]).fetchall())


def _parameters(connection: Connection, selection: Selection) -> dict[str, Any]:
    name = selection.name.lower()
    if len(name) > 2 * NAME_BYTES or not all(digit in "0123456789abcdef" for digit in name):
        raise ConfigurationError(f"{selection.name[:80]!r} is no alert's name: up to {2 * NAME_BYTES} hex digits")
    search = selection.search.strip().lower()
    keys = None
    if selection.battery is not None:
        keys = [bytes.fromhex(key) for _, key in find_batteries(connection, selection.battery)]
    return {
        "states": _listed(selection.states),
        "severities": _listed(selection.severities),
        "deployment": selection.deployment,
        "battery_keys": keys,
        "rule": selection.rule,
        "low": bytes.fromhex(name.ljust(2 * NAME_BYTES, "0")) if name else None,
        "high": bytes.fromhex(name.ljust(2 * NAME_BYTES, "f")) if name else None,
        "search": search or None,
        "search_rules": [rule.id for rule in RULES.values() if search in f"{rule.id} {rule.name}".lower()],
        "limit": selection.limit,
    }


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return list(values) if values else None


def _subject(alert: Alert) -> dict[str, Any]:
    key = bytes.fromhex(alert.subject)
    return {"battery_key": key, "deployment": alert.deployment, "rule": alert.rule}


def alert_of(row: dict[str, Any], holds: Holds) -> Alert:
    """An alert by its row, as any of the queries gives it."""
    rule = RULES.get(row["rule"])
    stage: Stage = _STAGES[holds.finality(row["first_height"])]
    withdrawn = None
    if "withdrawn_at_step" in row:
        stage, withdrawn = "withdrawn", _why_withdrawn(row)
    return msgspec.convert(
        row
        | {
            "name": rule.name if rule else row["rule"],
            "stage": stage,
            "state": row.get("state"),
            "battery": row.get("battery_id_text"),
            "withdrawn": withdrawn,
        },
        Alert,
    )


def _why_withdrawn(row: dict[str, Any]) -> str:
    step, height = row["withdrawn_at_step"], row["withdrawn_to_height"]
    if row["by_run"]:
        return f"a later run of the fleet's rules, at step {step}, found it no more"
    to = f" to height {height}" if height is not None else ""
    if row["last_fact_stands"]:
        return f"step {step} rolled the chain back{to}; what it was found in stands, what led to it does not"
    return f"step {step} rolled the chain back{to}: what it was found in is not on the chain any more"
