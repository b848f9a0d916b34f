"""What operators see of the follower. Whatever a rollback lowers is a gauge."""

from prometheus_client import Counter, Gauge, Histogram

TIP_SLOT = Gauge("cellwitness_follower_tip_slot", "Slot of the newest block that the node knows.")
SLOT = Gauge("cellwitness_follower_slot", "Slot of the newest block in the log; a rollback lowers it.")
HEIGHT = Gauge("cellwitness_follower_height", "Height of the newest block in the log; a rollback lowers it.")
STEP = Gauge("cellwitness_follower_step", "The log's last step.")
LAG = Gauge(
    "cellwitness_follower_lag_seconds", "How far the newest block in the log is behind the node's tip, by slot time."
)
LAST_STEP = Gauge("cellwitness_follower_last_step_timestamp_seconds", "When the last step was written, Unix time.")
BLOCKS = Counter("cellwitness_follower_blocks_total", "Blocks rolled forward.")
ROLLBACKS = Counter("cellwitness_rollbacks_total", "Rollbacks written to the log.")
ROLLBACK_DEPTH = Histogram(
    "cellwitness_rollback_depth_blocks",
    "Blocks that one rollback undid.",
    buckets=(1, 2, 3, 5, 10, 20, 50, 100, 432, 1000, 2160),
)
EVENTS = Counter("cellwitness_events_written_total", "Events written to the log.", ["type"])
RETRACTED = Counter("cellwitness_events_retracted_total", "Retractions written to the log.")
QUARANTINED = Counter("cellwitness_transactions_quarantined_total", "Transactions, or parts of one, quarantined.")
UNREADABLE = Counter(
    "cellwitness_transactions_unreadable_total", "Transactions that could not be read, whether they concern us or not."
)
INDETERMINATE = Counter(
    "cellwitness_log_indeterminate_total", "Steps whose outcome was unknown and had to be read back."
)
RECONNECTS = Counter("cellwitness_follower_reconnects_total", "Sessions with a node that ended and were begun again.")
