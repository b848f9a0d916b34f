"""A fork is undone in log and tables; one deeper than k stops the follower and writes nothing."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deploy.postgres import EmbeddedPostgres
from indexer.log.records import Record
from indexer.log.urls import open_log
from projections.database import connect
from tests.endtoend.pipeline import K, Pipeline, canonical_digest, devnet, pipeline
from tests.endtoend.processes import run as run_command
from tests.postgres import fresh_database


def records(run: Pipeline, kind: str) -> dict[str, Record]:
    """The log's events by id, or its retractions by the id of what they retract."""
    found: dict[str, Record] = {}
    with closing(open_log(run.log_url)) as log:
        for partition in range(len(log.opened().partitions)):
            offset = 0
            while (batch := log.read(partition, offset, 10_000)).records:
                offset = batch.next_offset
                for record in batch.records:
                    if record.kind == kind:
                        found[record.id if kind == "event" else record.retracts] = record
    return found


def spans_in_tables(run: Pipeline) -> dict[str, tuple[int, int | None]]:
    with connect(run.server.url, read_only=True) as connection:
        rows = connection.execute("SELECT encode(event_id, 'hex'), known_from_step, known_until_step FROM events")
        return {row[0]: (row[1], row[2]) for row in rows}


def grow_until_the_newest_blocks_tell_something(run: Pipeline, depth: int) -> None:
    """So that a fork of this depth has something to take back."""
    while True:
        run.wait_for_tip()
        end = run.end()
        assert end is not None
        if any(each.height > end.spine.height - depth for each in records(run, "event").values()):
            return
        run.chain.grow(1)


@pytest.mark.parametrize("depth", [1, 5, K])
def test_a_fork_is_undone_in_log_and_tables(folder: Path, postgres: EmbeddedPostgres, depth: int) -> None:
    with pipeline(folder, devnet(blocks=300)) as run:
        follower, worker = run.follower(), run.worker("--json")
        grow_until_the_newest_blocks_tell_something(run, depth)
        run.wait_for_tables()
        run.chain.fork(depth, drop_share=0.5)
        run.chain.grow(2)
        run.wait_for_tables()
        retractions, events = records(run, "retraction"), records(run, "event")
        assert retractions
        assert spans_in_tables(run) == {
            identity: (event.step, retractions[identity].step if identity in retractions else None)
            for identity, event in events.items()
        }
        assert (follower.terminate(), worker.terminate()) == (0, 0)
        assert worker.json()["retractions"] == len(retractions)
        assert run.truth() == run.undisturbed(fresh_database(postgres)), "a run that never saw the old branch"


def test_a_fork_deeper_than_k_stops_the_follower_writes_nothing_and_leaves_the_worker_alone(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=300)) as run:
        follower, worker = run.follower(), run.worker()
        run.wait_for_tables()
        step, digest, spans = run.step(), canonical_digest(run.log_url), spans_in_tables(run)
        run.chain.fork(K + 1)
        assert follower.ends() == 4
        assert f"(k is {K})" in follower.errors
        assert "Nothing was written" in follower.errors
        again = run_command(run.folder, *run.follow_command())
        assert again.returncode == 4, "and it does not come back by itself"
        assert "Nothing was written" in again.stderr
        assert (run.step(), canonical_digest(run.log_url)) == (step, digest)
        assert spans_in_tables(run) == spans
        worker.must_live()
        assert worker.terminate() == 0


def test_two_followers_of_one_chain_print_one_canonical_digest(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=300)) as run:
        follower = run.follower("--in-flight", "1", "--partitions", "3")
        for depth in (2, 7, K):
            run.wait_for_tip()
            run.chain.fork(depth)
            run.grow_slowly(10)
        run.wait_for_tip()
        assert follower.terminate() == 0
        other = f"sqlite:{run.folder / 'other.db'}"
        command = ("follow", "--ogmios", run.ogmios, "--profile", str(run.profile), "--log", other, "--until-tip")
        assert run_command(run.folder, *command).returncode == 0

        def digest(url: str, *flags: str) -> str:
            done = run_command(run.folder, "log", "canonical", "--log", url, "--digest-only", *flags)
            assert done.returncode == 0, done.stderr
            return done.stdout

        for to in ("tip", "final", "100"):
            assert digest(run.log_url, "--to", to) == digest(other, "--to", to)
        assert digest(other, "--to", "tip") != digest(other, "--to", "100")


def test_the_timeline_command_shows_what_the_chain_says_after_a_fork(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=300)) as run:
        run.settle()
        battery = newest_battery(run)
        before = timeline(run, battery)
        run.chain.fork(K, drop_share=1.0)
        run.settle()
        now = timeline(run, battery)
        known = {line["event_id"] for line in now["lines"]}
        gone = [line for line in before["lines"] if line["event_id"] not in known]
        assert gone
        assert all(line["height"] > before["holds"]["height"] - K for line in gone)
        then = timeline(run, battery, "--as-of-step", str(before["holds"]["step"]))
        assert then == before, "what was believed then is not forgotten"


def timeline(run: Pipeline, battery: str, *flags: str) -> Any:
    done = run_command(run.folder, "timeline", battery, "--data-dir", str(run.data_dir), "--json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def newest_battery(run: Pipeline) -> str:
    """The one that the newest event is of."""
    with run.server.use() as url, connect(url) as connection:
        row = connection.execute(
            "SELECT encode(battery_key, 'hex') FROM events WHERE known_until_step IS NULL ORDER BY height DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    return str(row[0])
