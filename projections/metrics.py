"""What Prometheus is told of the projections. A rollback lowers steps and slots, so those are gauges."""

from typing import Final

from prometheus_client import Counter, Gauge

EVENTS: Final = Counter("cellwitness_projection_events_total", "Events projected.", ["projection"])
RETRACTIONS: Final = Counter("cellwitness_projection_retractions_total", "Retractions projected.", ["projection"])
RETRIES: Final = Counter("cellwitness_projection_retries_total", "Times the worker had to begin again.", ["projection"])
OWNERSHIP_LOST: Final = Counter(
    "cellwitness_projection_ownership_lost_total", "Partitions that another worker took over.", ["projection"]
)
LAG_EVENTS: Final = Gauge(
    "cellwitness_projection_lag_events",
    "Records of the log, markers too, not yet in the tables.",
    ["projection", "partition"],
)
LAG_SECONDS: Final = Gauge(
    "cellwitness_projection_lag_seconds", "Since the tables last held all of the log.", ["projection"]
)
CONSISTENT_STEP: Final = Gauge(
    "cellwitness_projection_consistent_step", "The least last step over this worker's partitions.", ["projection"]
)
LAST_BATCH: Final = Gauge(
    "cellwitness_projection_last_batch_timestamp_seconds", "When a batch was last written, Unix time.", ["projection"]
)
ALERTS_OPEN: Final = Gauge(
    "cellwitness_alerts_open", "Alerts that stand and that nobody closed, whole fleets' too.", ["severity"]
)
PARKED_EVENTS: Final = Gauge("cellwitness_parked_events", "Events that wait because the fold can't handle one of them.")
PARKED_OLDEST: Final = Gauge("cellwitness_parked_oldest_seconds", "Since the oldest of them waits; 0 where none does.")
REBUILD_PROGRESS: Final = Gauge("cellwitness_rebuild_progress_ratio", "Share of the log that a rebuild has projected.")
REBUILD_ETA: Final = Gauge(
    "cellwitness_rebuild_eta_seconds", "Until a rebuild has all of the log, at its present rate."
)
