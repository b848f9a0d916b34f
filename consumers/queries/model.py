"""What a query is, as data: its meaning, what it asks for, what it answers, who may see it, and how it is drawn."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from consumers.timeline import Finality, Holds
from indexer.errors import ConfigurationError, OperatorMustAct

Kind = Literal["text", "bytes", "integer", "number", "boolean", "time", "json", "texts"]
"""Of a column. ``bytes`` are written as hex, ``number`` is a decimal, ``texts`` are several."""

Data = Literal[
    "model",
    "statistic",
    "identity",
    "status",
    "condition",
    "finding",
    "evidence",
    "raw",
    "person",
    "operation",
]
"""What a column tells of, which decides who may see it: ``consumers/access.py``. ``raw`` are bytes and values as they
came, which tell of everything at once."""

ParameterKind = Literal["text", "integer", "number", "choice", "boolean", "hex", "battery", "step"]

DATA: Final[tuple[Data, ...]] = get_args(Data)


class BadParameter(ConfigurationError):
    """A parameter's value can't be used. The message names it, and says what to give."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter


class NothingOfThatName(OperatorMustAct):
    """No battery, or no reading, is known by that name at that moment."""

    exit_code = 1


class Parameter(Struct, frozen=True, kw_only=True):
    """What a query may be asked with. ``default`` None without ``required``: not restricted."""

    name: str
    kind: ParameterKind
    meaning: str
    unit: str = ""
    required: bool = False
    default: int | str | bool | Decimal | None = None
    least: int | None = None
    greatest: int | None = None
    choices: tuple[str, ...] = ()


class Column(Struct, frozen=True, kw_only=True):
    """One column of an answer."""

    name: str
    kind: Kind
    data: Data
    meaning: str
    unit: str = ""


class Chart(Struct, frozen=True, kw_only=True):
    """How an answer is best drawn. ``y``: one or more columns; ``by``: a column that tells series apart."""

    kind: Literal["bar", "line", "scatter", "range"]
    x: str
    y: tuple[str, ...]
    by: str = ""


class Query(Struct, frozen=True, kw_only=True):
    """One of the twenty-five. ``reads`` are the relations of ``sql/moment.sql`` that its SQL is written over."""

    number: int
    name: str
    title: str
    meaning: str  # in plain words, for whoever is no engineer
    audience: Literal["surveillance", "audit"]
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    needs: tuple[Data, ...]  # what a profile must allow, or the answer would say nothing
    reads: tuple[str, ...]
    chart: Chart | None = None
    notes: tuple[str, ...] = ()  # what must be known to read the answer rightly

    def parameter(self, name: str) -> Parameter | None:
        return next((each for each in self.parameters if each.name == name), None)


class Moment(Struct, frozen=True, kw_only=True):
    """The past has two coordinates, and facts have a depth: what an answer is asked for.

    ``as_of_slot``: only what the chain said up to this slot. ``known_at``: as it was known then, after a step of the
    log or at a moment. ``finality``: only facts at least so deep.
    """

    as_of_slot: int | None = None
    known_at: int | datetime | None = None
    finality: Finality = "pending"


NOW: Final = Moment()
"""At the last step that all tables hold, with everything that is on the chain."""


class Answer(Struct, frozen=True, kw_only=True):
    """Rows, and everything that is needed to get them again."""

    query: Query
    columns: tuple[Column, ...]  # those that whoever asked may see, in order
    rows: list[tuple[Any, ...]]  # typed: bytes, int, Decimal, bool, datetime, str, list, dict, or None
    parameters: dict[str, Any]  # as they were used, defaults too
    holds: Holds
    finality: Finality
    known_at: int | str | None = None  # as it was asked for
    rules: dict[str, Any] | None  # what judged: rule set, profiles, thresholds, version of each rule; None: nothing did
    truncated: bool = False  # there are more rows than the limit asked for
    profile: str = ""  # of access, and on which basis; empty where nobody asked, as in a test
    legal_basis: str = ""
    asked_by: str = ""
