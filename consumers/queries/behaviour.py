"""Queries about identity and behaviour: 4 to 11 and 15, as data."""

from typing import Final

from consumers.queries.model import Chart, Parameter, Query
from consumers.queries.vocabulary import (
    BATTERY,
    FLEET,
    LIMIT,
    RULE,
    column,
    days,
    integers,
    named,
    percents,
    slots,
)

_BATTERY: Final = named("deployment", "manufacturer", "model", "battery", "battery_key")
_ANY_TIME: Final = "only the last so many days; 0: all"
SEVERITY: Final = Parameter(
    name="severity",
    kind="choice",
    choices=("all", "info", "warning", "quarantine", "high", "critical"),
    default="all",
    meaning="only this severity",
)

BEHAVIOUR: Final = (
    Query(
        number=4,
        name="silent",
        title="Batteries without a reading",
        meaning="Which registered batteries were not read for a long time, or never? Their passports say what they "
        "said then. Batteries that are waste or recycled are left out.",
        audience="surveillance",
        parameters=(*FLEET, days(180, "silent for longer than this"), LIMIT),
        columns=(
            *_BATTERY,
            column("status", "text", "status", "as the passport says, in lower case"),
            *slots(
                "status",
                registered_slot="of the registration",
                last_reading_slot="of the last reading that took effect",
            ),
            column("silent_days", "integer", "status", "since then, or since the registration", "days"),
            column("never_read", "boolean", "status", "no reading ever took effect"),
        ),
        needs=("identity", "status"),
        reads=("spoken", "fleet"),
        chart=Chart(kind="bar", x="battery", y=("silent_days",), by="model"),
    ),
    Query(
        number=5,
        name="unknown-passports",
        title="Batteries without a passport",
        meaning="Which batteries are named in commitments or readings although no passport on the chain is theirs? "
        "Anybody can name any battery, so this may be a mistake, spam, or a battery that was never registered.",
        audience="surveillance",
        parameters=(*FLEET[:1], BATTERY, LIMIT),
        columns=(
            *named("deployment", "battery", "battery_key"),
            *integers("status", commitments="that name it", readings="that name it", submitters="people who did"),
            *slots("status", first_slot="first seen", last_slot="last seen"),
        ),
        needs=("identity", "status"),
        reads=("commitments", "readings", "fleet"),
    ),
    Query(
        number=6,
        name="shared-keys",
        title="Keys of several batteries, batteries with several keys",
        meaning="Which public keys stand in the passports of two batteries? Then a chip was copied, or a passport was "
        "made for a battery that does not exist. Which batteries had several keys? Then the chip was replaced.",
        audience="surveillance",
        parameters=(*FLEET, BATTERY, LIMIT),
        columns=(
            column("finding", "text", "finding", "which of the two it is"),
            *named("deployment", "public_key", "battery", "battery_key", "manufacturer", "model"),
            *slots("status", first_slot="first in a passport of this battery", last_slot="last stated there"),
            column("in_passport", "boolean", "status", "whether the battery's passport names it now"),
            *integers("finding", together="batteries of this key, or keys of this battery"),
        ),
        needs=("identity", "evidence", "finding"),
        reads=("passports", "fleet"),
    ),
    Query(
        number=7,
        name="counter-order",
        title="Counters that leap, repeat or go back",
        meaning="Each reading carries a number that a secure element counts up. Where are numbers missing, where did "
        "one come again, and where did the count go back? A gap means that somebody kept readings back; the others "
        "should be impossible with one chip.",
        audience="surveillance",
        parameters=(
            *FLEET,
            BATTERY,
            Parameter(name="public_key", kind="hex", meaning="only under this key, in hex"),
            Parameter(
                name="kind",
                kind="choice",
                choices=("all", "gap", "duplicate", "regress"),
                default="all",
                meaning="only this kind",
            ),
            LIMIT,
        ),
        columns=(
            *named("deployment", "model", "battery", "battery_key", "public_key"),
            column("kind", "text", "finding", "gap, duplicate or regress"),
            *integers("evidence", counter="of this reading", previous_counter="of the one before under this key"),
            *integers("finding", missing="numbers that no reading showed"),
            *named("slot", "time", "transaction"),
            column("payload_sha256", "bytes", "evidence", "of the signed payload: equal ones are a replay"),
            column("rejected", "boolean", "status", "the chain refused it"),
        ),
        needs=("identity", "evidence"),
        reads=("readings", "fleet"),
        chart=Chart(kind="scatter", x="slot", y=("counter",), by="battery"),
    ),
    Query(
        number=8,
        name="findings-by-rule",
        title="Implausible readings by rule",
        meaning="What did the rules find lately: how often, how grave, and in how many batteries of which models?",
        audience="surveillance",
        parameters=(*FLEET, RULE, SEVERITY, days(30, _ANY_TIME), LIMIT),
        columns=(
            *named("rule", "name", "rule_version", "severity", "manufacturer", "model"),
            *integers(
                "finding",
                findings="in the time asked for",
                batteries="that they are about",
                findings_last_day="of them in the last 24 hours",
            ),
            *slots("finding", first_slot="of the first", last_slot="of the last"),
        ),
        needs=("finding",),
        reads=("findings", "fleet", "rules"),
        chart=Chart(kind="bar", x="rule", y=("findings",), by="severity"),
        notes=("A finding is no verdict of guilt: honest batteries raise warnings in about 1 to 9 % of readings.",),
    ),
    Query(
        number=9,
        name="expired-commitments",
        title="Commitments that expired",
        meaning="Who asks for readings that never come? Each commitment must be answered in time; one that is not may "
        "have been kept in stock to choose the best reading. By submitter, and by model.",
        audience="surveillance",
        parameters=(
            *FLEET,
            days(90, _ANY_TIME),
            Parameter(
                name="least_commitments",
                kind="integer",
                default=1,
                least=1,
                greatest=1_000_000,
                unit="commitments",
                meaning="leave out who has fewer",
            ),
            LIMIT,
        ),
        columns=(
            *named("deployment"),
            column("grouped_by", "text", "statistic", "submitter or model: what the row counts"),
            *named("submitter", "model"),
            *integers(
                "statistic",
                minted="commitments",
                expired="that ran out of time without a reading",
                consumed="that a reading answered",
                reclaimed="that were taken back",
                open="that may still be answered",
            ),
            *percents("statistic", expired_share="of those minted"),
            *integers("statistic", batteries="that they are about"),
        ),
        needs=("statistic", "person"),
        reads=("commitments", "fleet"),
        chart=Chart(kind="bar", x="model", y=("expired_share",), by="grouped_by"),
        notes=(
            "When an account was never seen, no time is known by which it should have been answered: nothing expires.",
        ),
    ),
    Query(
        number=10,
        name="alerts-by-month",
        title="Alerts by manufacturer and month",
        meaning="Of the alerts that were raised in each month: how deep in the chain are they by now, and what did "
        "people make of them?",
        audience="surveillance",
        parameters=(*FLEET, RULE, LIMIT),
        columns=(
            *named("month", "manufacturer"),
            *integers(
                "finding",
                raised="alerts whose first finding is of that month, and that stand",
                provisional="of them less than 15 blocks deep",
                confirmed="of them 15 blocks deep or more",
                final="of them that no fork can undo",
                open="of them that nobody dealt with",
                acknowledged="of them that somebody looks after",
                closed="of them that somebody closed",
                critical="by severity",
                high="by severity",
                warning="by severity",
            ),
        ),
        needs=("finding",),
        reads=("raised", "fleet"),
        chart=Chart(kind="bar", x="month", y=("open", "acknowledged", "closed"), by="manufacturer"),
        notes=(
            "Alerts about a key or a submitter are of no one manufacturer, and are left out.",
            "What people did is counted by the clock: up to the moment that is asked for, or until now.",
        ),
    ),
    Query(
        number=11,
        name="failed-signatures",
        title="Signatures that fail",
        meaning="How many readings carry a signature that our own check refuses, by the kind of signature? We check "
        "again with the ledger's own libraries, whatever the chain said.",
        audience="surveillance",
        parameters=(*FLEET, days(0, _ANY_TIME), LIMIT),
        columns=(
            *named("deployment", "manufacturer"),
            column(
                "algorithm", "integer", "evidence", "COSE number: -47 ES256K, -8 EdDSA, -7 ES256; empty: none is named"
            ),
            *integers("finding", readings="all of them", failed="that fail", not_assessable="that no key is known for"),
            *percents("finding", failed_share="of readings that fail"),
            *integers("finding", batteries_failed="batteries with one that fails"),
        ),
        needs=("finding", "evidence"),
        reads=("verdicts", "fleet"),
        chart=Chart(kind="bar", x="algorithm", y=("failed_share",), by="manufacturer"),
    ),
    Query(
        number=15,
        name="busy-submitters",
        title="People with many batteries",
        meaning="Who asks for readings of more batteries than a person has? A workshop or a fleet does; so does a ring "
        "that farms rewards.",
        audience="surveillance",
        parameters=(
            *FLEET,
            Parameter(
                name="more_than",
                kind="integer",
                default=5,
                least=0,
                greatest=1_000_000,
                unit="batteries",
                meaning="only who commits for more than so many",
            ),
            days(0, _ANY_TIME),
            LIMIT,
        ),
        columns=(
            *named("deployment", "submitter"),
            *integers(
                "person",
                batteries="that he committed for",
                commitments="all of his",
                readings="of them answered",
                expired="of them that ran out",
            ),
            *slots("person", first_slot="of the first", last_slot="of the last"),
            *integers("person", manufacturers="of those batteries"),
        ),
        needs=("person",),
        reads=("commitments", "fleet"),
        chart=Chart(kind="bar", x="submitter", y=("batteries",)),
    ),
)
