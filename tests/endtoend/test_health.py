"""Metrics and health as a scraper and a service manager meet them, and how readiness is judged."""

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

from msgspec.structs import replace

from deploy.commands.project import SILENT_SECONDS, STALE_LAG_SECONDS, STALE_SECONDS
from deploy.commands.project import Watch as WorkerWatch
from deploy.watch import STALE_SECONDS as FOLLOWER_STALE_SECONDS
from deploy.watch import Watch as FollowerWatch
from indexer.session import Progress as Followed
from projections.run import Progress as Projected
from tests.endtoend.pipeline import devnet, pipeline
from tests.endtoend.processes import wait_until

FOLLOWER_METRICS = (
    "cellwitness_follower_tip_slot",
    "cellwitness_follower_step",
    "cellwitness_follower_lag_seconds",
    "cellwitness_follower_last_step_timestamp_seconds",
    "cellwitness_rollbacks_total",
    "cellwitness_rollback_depth_blocks_bucket",
    'cellwitness_events_written_total{type="reading_submitted"}',
    "cellwitness_events_retracted_total",
    "cellwitness_transactions_quarantined_total",
    "cellwitness_log_indeterminate_total",
)
WORKER_METRICS = (
    'cellwitness_projection_lag_events{partition="0",projection="timeline"}',
    "cellwitness_projection_lag_seconds",
    "cellwitness_projection_consistent_step",
)
FOLLOWED = Followed(step=7, height=90, slot=1800, tip_height=90, blocks=90, events=10, rollbacks=0)
PROJECTED = Projected(
    step=7,
    slot=1800,
    height=90,
    events=10,
    retractions=0,
    rows=30,
    lag_records=0,
    events_per_second=1.0,
    eta_seconds=0.0,
    caught_up=True,
    whole=True,
    partitions=(0,),
)
NOW = 1_800_000_000.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body; status 0 where nobody listens yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def value(port: int, metric: str) -> float:
    lines = get(port, "/metrics")[1].splitlines()
    return float(next(line for line in lines if line.startswith(metric + " ")).rpartition(" ")[2])


def test_follower_and_worker_tell_when_they_are_ready_and_why_not(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=3_000)) as run:
        following, projecting = free_port(), free_port()
        worker = run.worker("--http", f"127.0.0.1:{projecting}")
        wait_until(lambda: get(projecting, "/health/live")[0] == 200, "the worker to live")
        status, body = get(projecting, "/health/ready")
        assert (status, json.loads(body)["reasons"]) == (503, ["nothing was projected since the start"])

        follower = run.follower("--in-flight", "1", "--http", f"127.0.0.1:{following}")
        wait_until(lambda: get(following, "/health/live")[0] == 200, "the follower to live")
        statuses: set[int] = set()
        reasons: set[str] = set()

        def ready() -> bool:
            status, body = get(following, "/health/ready")
            statuses.add(status)
            reasons.update(reason.lstrip("0123456789 ") for reason in json.loads(body)["reasons"])
            return status == 200

        wait_until(ready, "the follower to be ready")
        assert statuses == {503, 200}
        assert "blocks behind the node's tip" in reasons
        run.wait_for_tip()
        wait_until(lambda: get(projecting, "/health/ready")[0] == 200, "the worker to be ready")
        run.chain.fork(5)
        run.wait_for_tables()
        for port, names in ((following, FOLLOWER_METRICS), (projecting, WORKER_METRICS)):
            text = get(port, "/metrics")[1]
            missing = [name for name in names if f"\n{name}" not in text]
            assert not missing
        assert value(following, "cellwitness_follower_step") == run.step()
        assert value(following, "cellwitness_rollbacks_total") == 1
        assert get(following, "/nothing")[0] == 404
        nodes = json.loads(get(following, "/nodes")[1])
        assert (nodes["step"], nodes["rollbacks"], nodes["height"]) == (run.step(), 1, nodes["tip_height"])
        ((node,), told) = nodes["nodes"], run.ogmios
        assert (node["state"], node["endpoint"], node["faults"]) == ("followed", told, 0)
        assert get(projecting, "/nodes")[0] == 404
        assert (follower.terminate(), worker.terminate()) == (0, 0)


def test_a_port_that_is_taken_is_the_users_to_mend(folder: Path) -> None:
    with pipeline(folder, devnet()) as run, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        worker = run.worker("--http", f"127.0.0.1:{taken.getsockname()[1]}")
        assert worker.ends() == 2
        assert "can't listen" in worker.errors


def test_a_follower_is_ready_at_the_tip_only_and_while_its_last_step_is_young() -> None:
    watch = FollowerWatch()
    assert watch.why_not_ready(NOW)
    watch.note(replace(FOLLOWED, tip_height=200), NOW)
    assert watch.why_not_ready(NOW) == ["110 blocks behind the node's tip"]
    watch.note(replace(FOLLOWED, step=8, height=200, tip_height=200), NOW + 10)
    assert watch.why_not_ready(NOW + 10) == []
    assert watch.why_not_ready(NOW + 10 + FOLLOWER_STALE_SECONDS) == []
    assert watch.why_not_ready(NOW + 11 + FOLLOWER_STALE_SECONDS) == ["the last step is 301 s old"]


def test_a_follower_whose_node_hangs_up_again_and_again_is_not_ready_for_ever() -> None:
    watch = FollowerWatch()
    for second in range(400):
        watch.note(FOLLOWED, NOW + second)  # each session reports where it begins
    assert watch.why_not_ready(NOW + 400) == ["the last step is 400 s old"]


def test_a_worker_is_ready_while_the_tables_are_whole_and_the_log_goes_on() -> None:
    watch = WorkerWatch()
    assert watch.why_not_ready(NOW)
    watch.note(replace(PROJECTED, caught_up=False, lag_records=12), NOW)
    assert watch.why_not_ready(NOW) == ["12 records behind the log's end"]
    watch.note(replace(PROJECTED, step=8), NOW)
    assert watch.why_not_ready(NOW) == []
    later = NOW + STALE_SECONDS + 1
    watch.note(replace(PROJECTED, step=8), later)
    assert watch.why_not_ready(later) == ["the last step came 301 s ago: is a follower at work?"]


def test_a_worker_that_falls_behind_has_a_while_to_catch_up() -> None:
    watch = WorkerWatch()
    watch.note(PROJECTED, NOW)
    late = NOW + STALE_LAG_SECONDS
    for now, reasons in ((late, []), (late + 1, ["9 records behind the log's end"])):
        watch.note(replace(PROJECTED, step=8, caught_up=False, lag_records=9), now)
        assert watch.why_not_ready(now) == reasons


def test_a_worker_that_says_no_more_is_not_ready_on_the_strength_of_what_it_said() -> None:
    watch = WorkerWatch()
    watch.note(PROJECTED, NOW)
    assert watch.why_not_ready(NOW + SILENT_SECONDS) == []
    assert watch.why_not_ready(NOW + SILENT_SECONDS + 1) == ["log or database could not be had for 61 s"]
