"""A fleet in numbers, now or in the past: models and how they fade, days, verdicts, alerts, who was not read lately.

Reads, never writes; all answers of one call are of one moment.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from psycopg.rows import dict_row

from consumers.counted import Counts
from consumers.timeline import Holds, asking, where_it_holds
from projections.database import Connection, load_queries

Period = Literal["hour", "day", "week", "month"]

PERIODS: Final[tuple[tuple[Period, timedelta], ...]] = (
    ("hour", timedelta(days=3)),
    ("day", timedelta(days=100)),
    ("week", timedelta(days=800)),
    ("month", timedelta.max),
)
"""How readings are counted together, by the time that they span: never more columns than a phone can show."""

SILENT_DAYS: Final = (1, 7, 30, 90, 180, 10**6)
"""How long ago batteries were read is counted by these bounds."""

STATEMENT_SECONDS: Final = 300

_QUERIES: Final = load_queries("consumers", "fleet.sql")


class Model(Struct, frozen=True, kw_only=True):
    """A model by its passports; ``model`` None: batteries without one."""

    model: str | None
    manufacturer: str | None
    chemistry: str | None
    batteries: int
    batteries_read: int
    readings: int
    median_soh_bp: int | None  # of its batteries at their newest reading that counts
    accused: int  # batteries about which something was found
    severity: str | None  # the gravest of it


class Tenth(Struct, frozen=True, kw_only=True):
    """Readings that count within one tenth of a model's range of cycles.

    They are counted together by cycles to a sixteenth and by health to a tenth of a percent: so exact are the numbers.
    """

    model: str | None
    tenth: int
    readings: int
    cycles_low: int
    cycles_high: int
    cycles: float  # mean
    soh_bp: tuple[float, float, float, float, float]  # quantiles 5, 25, 50, 75 and 95 %


class Newest(Struct, frozen=True, kw_only=True):
    """A battery at its newest reading that counts."""

    deployment: str
    battery_key: str
    battery_id_text: str | None
    model: str | None
    soh_bp: int
    cycle_count: int
    slot: int
    time: datetime
    severity: str | None  # of the gravest that was found about it
    rules: tuple[str, ...]


class Day(Struct, frozen=True, kw_only=True):
    """Readings within one period by what they are worth."""

    day: datetime
    passed: int
    failed: int  # one of the four verdicts at least
    not_assessable: int
    rejected: int  # by the chain
    first_slot: int  # no reading of the period is before it, none of an earlier one after it
    last_slot: int

    @property
    def readings(self) -> int:
        return self.passed + self.failed + self.not_assessable + self.rejected


class Mix(Struct, frozen=True, kw_only=True):
    """How many readings, of how many batteries, have one result in one of the four verdicts."""

    verdict: str
    result: str
    readings: int
    batteries: int


class Raised(Struct, frozen=True, kw_only=True):
    """Alerts of one rule and severity that stand; now: that nobody closed."""

    rule: str
    severity: str
    alerts: int
    acknowledged: int
    not_final: int  # a rollback may still take them back


class Accused(Struct, frozen=True, kw_only=True):
    """What was found about a battery: rules by how grave it is, each once. Where it stands, if a reading counts."""

    deployment: str
    battery_key: str
    battery_id_text: str | None
    model: str | None
    soh_bp: int | None
    cycle_count: int | None
    critical: int
    high: int
    warning: int
    rules: tuple[str, ...]

    @property
    def severity(self) -> str:
        """The greatest."""
        return "critical" if self.critical else "high" if self.high else "warning"


class Fleet(Struct, frozen=True, kw_only=True):
    """All that the page on a fleet says."""

    holds: Holds
    at: datetime  # the chain's time up to which it speaks: of the newest reading; 1970 without one
    models: tuple[Model, ...]
    tenths: tuple[Tenth, ...]
    newest: tuple[Newest, ...]
    silent: tuple[int, ...]  # batteries by the days since their newest reading that counts: less than each SILENT_DAYS
    period: Period
    days: tuple[Day, ...]
    mix: tuple[Mix, ...]
    raised: tuple[Raised, ...]
    accused: tuple[Accused, ...]  # the gravest first
    rejected: int
    unproven: int
    readings: int


def read_fleet(
    connection: Connection,
    as_of_step: int | None = None,
    *,
    as_of_slot: int | None = None,
    marks: int | None = None,
    accused: int | None = None,
) -> Fleet:
    """The fleet of all deployments. Without a step: where the tables stand.

    ``marks``: so many batteries of a model at most are among the newest, of more those with the gravest findings.
    ``accused``: so many at most. Where no counts are kept for the moment asked for, every reading is counted, which may
    take long. Raises StepNotReached, SchemaMismatch, DatabaseUnwell.
    """
    with asking(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Everything is counted, which may take longer than any other question. Who asks often has to keep the answer.
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(STATEMENT_SECONDS * 1000),))
        holds = where_it_holds(cursor, as_of_step, as_of_slot)
        final = -1 if holds.final_height is None else holds.final_height
        asked = Counts(cursor, _QUERIES, holds.step, as_of_slot, {"final_height": final})
        totals = asked.rows("totals")[0]
        first, last = totals.pop("first"), totals.pop("last")
        at = last or datetime.fromtimestamp(0, UTC)
        period = _period(last - first) if first else "day"
        is_now = as_of_step is None and as_of_slot is None
        bounds = [float(days) for days in SILENT_DAYS[:-1]]
        silent = {row["place"]: row["batteries"] for row in asked.rows("silent", at=at, bounds=bounds)}
        return Fleet(
            holds=holds,
            at=at,
            models=asked.structs("models", tuple[Model, ...]),
            tenths=asked.structs("fade", tuple[Tenth, ...]),
            newest=asked.structs("newest", tuple[Newest, ...], marks=marks),
            silent=tuple(silent.get(place, 0) for place in range(len(SILENT_DAYS))),
            period=period,
            days=asked.structs("days", tuple[Day, ...], period=period),
            mix=asked.structs("verdict_mix", tuple[Mix, ...]),
            raised=asked.structs("alerts_now" if is_now else "alerts_then", tuple[Raised, ...]),
            accused=asked.structs("accused", tuple[Accused, ...], limit=accused),
            **totals,
        )


def _period(span: timedelta) -> Period:
    return next(period for period, greatest in PERIODS if span <= greatest)
