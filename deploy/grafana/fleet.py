"""The dashboard of the fleet, on the tables, as the reader: batteries, readings, what they are worth, and alerts."""

from typing import Final

from deploy.grafana.panels import Dashboard, Panel
from projections.database import load_queries

_SQL: Final = load_queries("deploy.grafana", "fleet.sql")

_COUNTS: Final = (
    Panel(
        title="Batteries",
        about="With a passport, or with anything that was said of them.",
        kind="stat",
        sql=_SQL["count_batteries"],
        width=4,
        height=4,
    ),
    Panel(
        title="Readings that took effect",
        about="Since the log begins.",
        kind="stat",
        sql=_SQL["count_readings"],
        width=4,
        height=4,
    ),
    Panel(
        title="Readings with a failed verdict",
        about="Of those in the time shown: ledger, crypto, binding or plausibility.",
        kind="stat",
        sql=_SQL["share_failed"],
        unit="percentunit",
        width=4,
        height=4,
    ),
    Panel(
        title="Alerts that nobody closed",
        about="Open or acknowledged.",
        kind="stat",
        sql=_SQL["count_alerts"],
        width=4,
        height=4,
        worry_from=1,
    ),
    Panel(
        title="Commitments open",
        about="Asked for a reading that has not come; expired ones among them.",
        kind="stat",
        sql=_SQL["count_commitments"],
        width=4,
        height=4,
    ),
    Panel(
        title="The tables hold",
        about="The step up to which every answer here is whole, and how long ago any partition moved.",
        kind="table",
        sql=_SQL["where_it_stands"],
        width=4,
        height=4,
    ),
)

_READINGS: Final = (
    Panel(
        title="Readings a day",
        about="By whether the chain took them.",
        sql=_SQL["readings_a_day"],
        over_time=True,
        width=12,
    ),
    Panel(
        title="Failed verdicts a day",
        about="Which of the four: docs/verdicts.md says what each means.",
        sql=_SQL["failed_a_day"],
        over_time=True,
        width=12,
    ),
    Panel(
        title="State of health",
        about="Batteries by their last reading, in steps of five per cent; beyond 120 % or below 0 in the outermost.",
        kind="barchart",
        sql=_SQL["state_of_health"],
        width=12,
    ),
    Panel(
        title="Age of commitments when they were read",
        about="In minutes of the chain, week by week: the median, and all but one in twenty.",
        sql=_SQL["age_of_commitments"],
        over_time=True,
        unit="m",
        width=12,
    ),
)

_ALERTS: Final = (
    Panel(
        title="Alerts by rule",
        about="All that stand, whatever people made of them: docs/rules.md says what each rule looks for.",
        kind="table",
        sql=_SQL["alerts_by_rule"],
        height=9,
    ),
    Panel(
        title="Newest alerts",
        about="`cellwitness alerts show ALERT` tells what led to one.",
        kind="table",
        sql=_SQL["newest_alerts"],
        width=16,
        height=9,
    ),
    Panel(
        title="Batteries that sank furthest",
        about="By the state of health that they last stated.",
        kind="table",
        sql=_SQL["sank_furthest"],
        width=12,
        height=9,
    ),
    Panel(
        title="Runs of the fleet's rules",
        about="Every hour, once the tables hold all of the log.",
        kind="table",
        sql=_SQL["fleet_runs"],
        width=6,
        height=9,
    ),
    Panel(
        title="Workers",
        about="At work on these tables now, and how long ago each was heard.",
        kind="table",
        sql=_SQL["workers"],
        width=6,
        height=9,
    ),
)

FLEET: Final = Dashboard(
    uid="cellwitness-fleet",
    title="cellwitness: the fleet",
    about="What the chain says of batteries, as the tables hold it now. Read as cellwitness_reader.",
    since="now-90d",
    refresh="1m",
    panels=[*_COUNTS, *_READINGS, *_ALERTS],
    by_deployment=True,
)
