"""What a rule is, what it is given, and what it says."""

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct

from projections.rules.history import History, Sample
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds

Severity = Literal["info", "warning", "high", "critical", "quarantine"]

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "quarantine", "high", "critical")
"""From the least to the greatest. Quarantine puts a reading aside: it moves no reference, and nobody is paged."""

ALERTING: Final = frozenset(("warning", "high", "critical"))

Scope = Literal["reading", "verdict", "commitment", "fleet"]
"""What a rule is asked about: one reading after those before it; its checks; a commitment; a whole fleet."""

Values = dict[str, Any]


class Hit(Struct, frozen=True):
    """What a rule found: how grave, and the numbers that it follows from."""

    severity: Severity
    values: Values = {}


class Finding(Struct, frozen=True, kw_only=True):
    """A hit with all that is needed to compute it again."""

    rule: str
    version: int
    severity: Severity
    values: Values
    thresholds: dict[str, int]


Outcome = tuple[Hit, ...] | None
"""Nothing found is (); None is "not assessable": an input is missing."""

NOTHING: Final[tuple[Hit, ...]] = ()


ReadingRule = Callable[[History, Sample, Passport, Thresholds], Outcome]


class Rule(Struct, frozen=True, kw_only=True):
    """One rule of the catalogue, as data; ``judge`` is its function, of the kind that ``scope`` says."""

    id: str
    version: int = 1
    name: str
    meaning: str  # in plain words: what it means for the battery's owner
    inputs: tuple[str, ...]
    formula: str
    thresholds: tuple[str, ...] = ()
    severities: tuple[Severity, ...]
    source: str
    scope: Scope = "reading"
    judge: Callable[..., Any]  # see ``engine`` for what each scope is given
