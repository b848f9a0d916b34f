"""The dashboard of the machinery, on its metrics: from the node to the tables, left to right and top to bottom."""

from typing import Final

from deploy.grafana.panels import Dashboard, Panel

_FOLLOWER: Final = (
    Panel(
        title="Behind the node's tip",
        about="By slot time. A chain makes a block each 20 s: a minute is usual, ten are an alarm.",
        kind="stat",
        ask=[("min(cellwitness_follower_lag_seconds)", "")],
        unit="s",
        width=6,
        height=4,
        worry_from=600,
    ),
    Panel(
        title="Age of the last step",
        about="A frozen mark is not health: what stands still must show.",
        kind="stat",
        ask=[("time() - max(cellwitness_follower_last_step_timestamp_seconds)", "")],
        unit="s",
        width=6,
        height=4,
        worry_from=600,
    ),
    Panel(
        title="Tables behind the log",
        about="Since they last held all of the log.",
        kind="stat",
        ask=[("max(cellwitness_projection_lag_seconds)", "")],
        unit="s",
        width=6,
        height=4,
        worry_from=300,
    ),
    Panel(
        title="Events parked",
        about="Their batteries' timelines stand still: `cellwitness parked ls`.",
        kind="stat",
        ask=[("max(cellwitness_parked_events)", "")],
        width=6,
        height=4,
        worry_from=1,
    ),
    Panel(
        title="Slots",
        about="The node's tip and the log's newest block; a rollback lowers both.",
        ask=[("max(cellwitness_follower_tip_slot)", "tip"), ("max(cellwitness_follower_slot)", "log")],
        unit="none",
    ),
    Panel(
        title="Blocks a second",
        about="Three a minute at the tip; thousands a second while catching up.",
        ask=[("sum(rate(cellwitness_follower_blocks_total[5m]))", "blocks")],
    ),
    Panel(
        title="Height and step",
        about="Of the log.",
        ask=[("max(cellwitness_follower_height)", "height"), ("max(cellwitness_follower_step)", "step")],
        unit="none",
    ),
    Panel(
        title="Events written, by type",
        about="An hour's, at each moment.",
        ask=[("sum by (type) (increase(cellwitness_events_written_total[1h]))", "{{type}}")],
        width=12,
    ),
    Panel(
        title="Rollbacks, and what they took back",
        about="Ten rollbacks an hour are usual, of a block or two.",
        ask=[
            ("sum(increase(cellwitness_rollbacks_total[1h]))", "rollbacks"),
            ("sum(increase(cellwitness_events_retracted_total[1h]))", "events retracted"),
        ],
        width=6,
    ),
    Panel(
        title="Depth of rollbacks",
        about="Of all but one in a hundred, in blocks; 50 is an alarm, k is the end.",
        ask=[
            ("histogram_quantile(0.99, sum by (le) (increase(cellwitness_rollback_depth_blocks_bucket[6h])))", "99 %")
        ],
        width=6,
        worry_from=50,
    ),
    Panel(
        title="Put aside",
        about="Transactions of ours that could not be understood, and any that could not be read.",
        ask=[
            ("sum(increase(cellwitness_transactions_quarantined_total[1h]))", "quarantined"),
            ("sum(increase(cellwitness_transactions_unreadable_total[1h]))", "unreadable"),
        ],
        worry_from=1,
    ),
    Panel(
        title="Begun again",
        about="Sessions with the node, and steps whose outcome the log's engine did not tell.",
        ask=[
            ("sum(increase(cellwitness_follower_reconnects_total[1h]))", "sessions"),
            ("sum(increase(cellwitness_log_indeterminate_total[1h]))", "steps read back"),
        ],
    ),
)

_TABLES: Final = (
    Panel(
        title="Records not yet in the tables",
        about="By partition: one that grows alone has a long history in it, or nobody at it.",
        ask=[("max by (partition) (cellwitness_projection_lag_events)", "partition {{partition}}")],
    ),
    Panel(
        title="Events projected a second",
        about="Retractions fold a battery's history anew, and take longer.",
        ask=[
            ("sum(rate(cellwitness_projection_events_total[5m]))", "events"),
            ("sum(rate(cellwitness_projection_retractions_total[5m]))", "retractions"),
        ],
    ),
    Panel(
        title="Consistent step",
        about="All partitions hold the log up to it; beside it the log's own.",
        ask=[
            ("min(cellwitness_projection_consistent_step)", "tables"),
            ("max(cellwitness_follower_step)", "log"),
        ],
        unit="none",
    ),
    Panel(
        title="Workers that begin again, or lose partitions",
        about="A handful at a restart; hundreds are an alarm.",
        ask=[
            ("sum(increase(cellwitness_projection_retries_total[1h]))", "began again"),
            ("sum(increase(cellwitness_projection_ownership_lost_total[1h]))", "partitions lost"),
        ],
    ),
    Panel(
        title="Oldest parked event",
        about="How long it has waited.",
        ask=[("max(cellwitness_parked_oldest_seconds)", "waits")],
        unit="s",
        worry_from=86_400,
    ),
    Panel(
        title="Last batch",
        about="How long ago a worker last wrote one; on a silent chain that is long.",
        ask=[
            ("time() - max by (instance) (cellwitness_projection_last_batch_timestamp_seconds)", "{{instance}}"),
        ],
        unit="s",
    ),
    Panel(
        title="Alerts about batteries that nobody closed",
        about="By severity: `cellwitness alerts ls`.",
        ask=[("max by (severity) (cellwitness_alerts_open)", "{{severity}}")],
    ),
    Panel(
        title="Memory",
        about="Of each process; the follower's does not grow with the log.",
        ask=[('process_resident_memory_bytes{job=~"cellwitness-.*"}', "{{job}} {{instance}}")],
        unit="bytes",
    ),
    Panel(
        title="Versions at work",
        about="Two at once only during an upgrade.",
        kind="bargauge",
        ask=[("count by (version, job) (cellwitness_build_info)", "{{job}} {{version}}")],
    ),
)

MACHINERY: Final = Dashboard(
    uid="cellwitness-machinery",
    title="cellwitness: from the node to the tables",
    about="Whether everything runs, how far it is, and what holds it back. Alarms are in docs/runbook.md.",
    since="now-6h",
    refresh="30s",
    panels=[*_FOLLOWER, *_TABLES],
)
