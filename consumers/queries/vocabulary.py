"""Columns and parameters that several queries share, so that one word means one thing in all of them."""

from typing import Final

from consumers.queries.model import Column, Data, Kind, Parameter


def column(name: str, kind: Kind, data: Data, meaning: str, unit: str = "") -> Column:
    return Column(name=name, kind=kind, data=data, meaning=meaning, unit=unit)


def integers(data: Data, **meanings: str) -> tuple[Column, ...]:
    return tuple(column(name, "integer", data, meaning) for name, meaning in meanings.items())


def percents(data: Data, **meanings: str) -> tuple[Column, ...]:
    return tuple(column(name, "number", data, meaning, "%") for name, meaning in meanings.items())


def points(data: Data, **meanings: str) -> tuple[Column, ...]:
    """Differences of percentages."""
    return tuple(column(name, "number", data, meaning, "percentage points") for name, meaning in meanings.items())


def slots(data: Data, **meanings: str) -> tuple[Column, ...]:
    return tuple(column(name, "integer", data, meaning, "slot") for name, meaning in meanings.items())


NAMES: Final = {
    "deployment": column("deployment", "text", "model", "name of the deployment in its profile"),
    "manufacturer": column("manufacturer", "text", "model", "as the passport says; empty where it says nothing"),
    "model": column("model", "text", "model", "as the passport says; empty where it says nothing"),
    "battery": column("battery", "text", "identity", "the battery's id, or its key in hex where no id is proven"),
    "battery_key": column("battery_key", "bytes", "identity", "28 bytes that name the battery in the tables"),
    "public_key": column("public_key", "bytes", "evidence", "public key of the battery's secure element"),
    "transaction": column("transaction", "bytes", "evidence", "id of the transaction"),
    "block": column("block", "bytes", "evidence", "hash of the block"),
    "height": column("height", "integer", "evidence", "the block's number", "blocks"),
    "slot": column("slot", "integer", "status", "of the block; one slot is one second", "slot"),
    "time": column("time", "time", "status", "the slot's time", "UTC"),
    "month": column("month", "text", "statistic", "of the chain's time, UTC: YYYY-MM"),
    "rule": column("rule", "text", "finding", "rule of the catalogue, R01 to R55"),
    "name": column("name", "text", "finding", "the rule in a few words"),
    "rule_version": column("rule_version", "integer", "finding", "version of the rule that judged"),
    "severity": column("severity", "text", "finding", "info, warning, quarantine, high or critical"),
    "submitter": column(
        "submitter", "bytes", "person", "hash of the key of whoever asked for the reading: a pseudonym"
    ),
}


def named(*names: str) -> tuple[Column, ...]:
    return tuple(NAMES[name] for name in names)


DEPLOYMENT: Final = Parameter(name="deployment", kind="text", meaning="only this deployment, by its profile's name")
MANUFACTURER: Final = Parameter(
    name="manufacturer", kind="text", meaning="only this manufacturer, as passports name it"
)
MODEL: Final = Parameter(name="model", kind="text", meaning="only this model, as passports name it")
BATTERY: Final = Parameter(
    name="battery", kind="battery", meaning="only this battery: its id, as text or hex, or its key"
)
THE_BATTERY: Final = Parameter(
    name="battery", kind="battery", required=True, meaning="its id, as text or hex, or its key"
)
READING: Final = Parameter(
    name="reading",
    kind="hex",
    meaning="the reading: its transaction, fact or event, 64 hex digits; without: the newest that took effect",
)
RULE: Final = Parameter(name="rule", kind="text", meaning="only this rule of the catalogue, such as R09")
LIMIT: Final = Parameter(
    name="limit",
    kind="integer",
    meaning="at most so many rows",
    unit="rows",
    default=1_000,
    least=1,
    greatest=1_000_000,
)
LEAST_BATTERIES: Final = Parameter(
    name="least_batteries",
    kind="integer",
    meaning="leave out groups of fewer batteries: one of a kind is no statistic, and is recognised",
    unit="batteries",
    default=1,
    least=1,
    greatest=1_000_000,
)
FLEET: Final = (DEPLOYMENT, MANUFACTURER, MODEL)


def days(default: int, meaning: str) -> Parameter:
    return Parameter(
        name="days", kind="integer", meaning=meaning, unit="days", default=default, least=0, greatest=36_500
    )


def percent(name: str, default: int, meaning: str, unit: str = "%") -> Parameter:
    return Parameter(name=name, kind="number", meaning=meaning, unit=unit, default=default, least=0, greatest=1_000)


SURVIVORS: Final = (
    "Survivors only: a reading that the contract refuses, or that nobody submits, is in no statistic. Batteries that "
    "are read often count for more readings."
)
ACCEPTED: Final = (
    "Accepted means: it took effect on the chain, the battery's key signed it, it is bound to its challenge, and no "
    "rule put it aside. Without verdicts (`project --profile`) nothing is accepted."
)
