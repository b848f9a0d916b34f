"""What Prometheus is told of the alerter. Sinks and routes are named by the operator, so there are few."""

from typing import Final

from prometheus_client import Counter, Gauge

ATTEMPTS: Final = Counter(
    "cellwitness_alert_attempts_total",
    "Attempts to send, by what became of them: sent, retried, failed.",
    ["sink", "outcome"],
)
WAITING: Final = Gauge(
    "cellwitness_alert_waiting_messages", "Messages that wait to be sent, or to be tried again.", ["sink"]
)
OLDEST: Final = Gauge("cellwitness_alert_oldest_waiting_seconds", "Since the oldest of them was made.", ["sink"])
FAILED: Final = Gauge(
    "cellwitness_alert_failed_messages", "Messages that a sink refused for good: `cellwitness alert retry`.", ["sink"]
)
HELD: Final = Gauge("cellwitness_alert_held_notices", "Held by quiet hours, gathering or a throttle.", ["route"])
LAST_SENT: Final = Gauge(
    "cellwitness_alert_last_sent_timestamp_seconds", "When a sink last took a message, Unix time.", ["sink"]
)
LAST_PLAN: Final = Gauge(
    "cellwitness_alert_last_plan_timestamp_seconds", "When the alerter last looked at the tables, Unix time."
)
NOTICES: Final = Counter("cellwitness_alert_notices_total", "Notices that were planned.", ["route", "kind"])
LEADS: Final = Gauge("cellwitness_alert_leads", "1 while this process is the one that sends, 0 while it waits.")
