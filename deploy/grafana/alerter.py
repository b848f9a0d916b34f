"""The dashboard of the alerter, on its metrics: who was told, who could not be, and what waits."""

from typing import Final

from deploy.grafana.panels import Dashboard, Panel

ALERTER: Final = Dashboard(
    uid="cellwitness-alerter",
    title="cellwitness: who is told",
    about="What the alerter sent to each sink, and what waits. `cellwitness alert ls` has the messages themselves.",
    since="now-24h",
    refresh="30s",
    panels=[
        Panel(
            title="Waiting, by sink",
            about="To be sent, or to be tried again.",
            ask=[("max by (sink) (cellwitness_alert_waiting_messages)", "{{sink}}")],
        ),
        Panel(
            title="Oldest that waits, by sink",
            about="From a quarter of an hour on somebody is called.",
            ask=[("max by (sink) (cellwitness_alert_oldest_waiting_seconds)", "{{sink}}")],
            unit="s",
            worry_from=900,
        ),
        Panel(
            title="Refused for good, by sink",
            about="`cellwitness alert retry --sink NAME`, once the receiver is mended.",
            ask=[("max by (sink) (cellwitness_alert_failed_messages)", "{{sink}}")],
            worry_from=1,
        ),
        Panel(
            title="Attempts an hour",
            about="By what became of them.",
            ask=[("sum by (sink, outcome) (increase(cellwitness_alert_attempts_total[1h]))", "{{sink}} {{outcome}}")],
            width=12,
        ),
        Panel(
            title="Notices an hour",
            about="By route and kind.",
            ask=[("sum by (route, kind) (increase(cellwitness_alert_notices_total[1h]))", "{{route}} {{kind}}")],
            width=12,
        ),
        Panel(
            title="Held, by route",
            about="By quiet hours, gathering or a throttle.",
            ask=[("max by (route) (cellwitness_alert_held_notices)", "{{route}}")],
            width=12,
        ),
        Panel(
            title="Last look at the tables",
            about="How long ago; the alerter looks every second.",
            ask=[("time() - max(cellwitness_alert_last_plan_timestamp_seconds)", "ago")],
            unit="s",
            width=12,
            worry_from=300,
        ),
    ],
)
