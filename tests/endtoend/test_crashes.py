"""kill -9 of any process of the pipeline at any moment leaves the log and the tables of an undisturbed run."""

import random
import time
from pathlib import Path

import pytest

from deploy.postgres import EmbeddedPostgres
from tests.endtoend.pipeline import K, Pipeline, devnet, pipeline
from tests.endtoend.processes import Running, wait_until
from tests.postgres import fresh_database

DEPTHS = (1, 2, 3, 5, 8, K)
WHILE_CATCHING_UP = 12
AT_THE_TIP = 10
WORKER_KILLS = 15
DATABASE_KILLS = 5
STORM_SECONDS = 60


def killed_while_at_it(process: Running, began: bool, chance: random.Random, longest_seconds: float) -> None:
    """Kills it a moment after it began to write, or where it did not yet begin, at any moment of its start."""
    time.sleep(chance.uniform(0, longest_seconds if began else 1.0))
    process.must_live()
    process.kill()


@pytest.mark.long
def test_a_follower_killed_at_any_moment_leaves_the_log_of_an_undisturbed_run(folder: Path, reference: str) -> None:
    chance = random.Random(3)
    with pipeline(folder, devnet(blocks=4_000)) as run:
        kills_in_the_middle = 0
        for kill in range(WHILE_CATCHING_UP):
            before = run.step()
            # One request at a time: slow enough to be killed in the middle many times.
            follower = run.follower("--in-flight", "1")
            if kill % 4:
                wait_until(lambda before=before: run.step() > before, "the first step")  # type: ignore[misc]
            killed_while_at_it(follower, bool(kill % 4), chance, 0.2)
            # However fast the machine is, the next one finds enough ahead of it to be killed on the way.
            in_the_middle = not run.at_tip()
            kills_in_the_middle += in_the_middle
            run.chain.fork(chance.choice(DEPTHS))
            run.chain.grow(30 if in_the_middle else 2_000)
        assert kills_in_the_middle >= WHILE_CATCHING_UP // 2
        for _ in range(AT_THE_TIP):
            follower = run.follower()
            run.wait_for_tip()
            for _ in range(chance.randrange(1, 8)):
                if chance.random() < 0.4:
                    run.chain.fork(chance.choice(DEPTHS))
                run.grow_slowly(chance.randrange(1, 6), chance.uniform(0, 0.01))
            time.sleep(chance.uniform(0, 0.02))  # while it writes the last of them
            follower.must_live()
            follower.kill()
            if chance.random() < 0.5:
                run.chain.fork(chance.choice(DEPTHS))
        run.settle()
        truth = run.truth()
        assert truth.events > 1_000, "or there was nothing to lose"
        assert truth == run.undisturbed(reference)


def write_many_steps(run: Pipeline, chance: random.Random, forks: int) -> None:
    """A log of small steps with many forks: each block is a step of its own, so there is much to be killed between."""
    follower = run.follower()
    run.wait_for_tip()
    for _ in range(forks):
        run.grow_slowly(chance.randrange(5, 30), 0.004)
        run.chain.fork(chance.choice(DEPTHS))
        run.wait_for_tip()
    assert follower.terminate() == 0


@pytest.mark.long
def test_a_worker_killed_at_any_moment_leaves_the_tables_of_an_undisturbed_run(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    chance = random.Random(5)
    with pipeline(folder, devnet(blocks=300)) as run:
        write_many_steps(run, chance, forks=12)
        steps_at_kills = []
        with run.server.use():
            for kill in range(WORKER_KILLS):
                before = run.tables_step()
                worker = run.worker("--batch-records", "3")
                if kill % 4:
                    wait_until(lambda before=before: run.tables_step() > before, "the first batch")  # type: ignore[misc]
                killed_while_at_it(worker, bool(kill % 4), chance, 0.1)
                steps_at_kills.append(run.tables_step())
        assert sum(-1 < step < run.step() for step in steps_at_kills) >= WORKER_KILLS // 2, steps_at_kills
        run.settle()
        assert run.all_versions() == run.refolded(fresh_database(postgres))
        assert run.truth() == run.undisturbed(fresh_database(postgres))


@pytest.mark.long
def test_a_database_killed_in_mid_batch_leaves_the_tables_of_an_undisturbed_run(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    chance = random.Random(7)
    with pipeline(folder, devnet(blocks=300)) as run:
        write_many_steps(run, chance, forks=12)
        worker = run.worker("--batch-records", "3")
        steps_at_kills = []
        for _ in range(DATABASE_KILLS):
            before = run.tables_step()
            wait_until(lambda before=before: run.tables_step() > before, "the first batch")  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.1))
            steps_at_kills.append(run.tables_step())
            assert run.kill_database() > 1
        assert steps_at_kills[-1] < run.step(), "the kills must hit a worker at work"
        worker.must_live()
        wait_until(lambda: run.tables_step() == run.step(), "the worker to catch up")
        assert worker.terminate() == 0
        assert run.all_versions() == run.refolded(fresh_database(postgres))
        assert run.truth() == run.undisturbed(fresh_database(postgres))


@pytest.mark.long
def test_whatever_is_killed_and_whenever_the_chain_forks_the_end_is_that_of_an_undisturbed_run(
    folder: Path, postgres: EmbeddedPostgres
) -> None:
    chance = random.Random(11)
    with pipeline(folder, devnet(blocks=2_000)) as run:
        follower, worker = run.follower(), run.worker("--batch-records", "20")
        kills = {"follower": 0, "worker": 0, "database": 0}
        ends = time.monotonic() + STORM_SECONDS
        while time.monotonic() < ends:
            pause = chance.uniform(0, 2.0)
            run.grow_slowly(round(pause / 0.03), 0.03)
            if chance.random() < 0.4:
                run.chain.fork(chance.choice(DEPTHS))
            # All that died was killed here: nothing else may end a process of the pipeline.
            follower.must_live()
            worker.must_live()
            victim = chance.choice(("follower", "worker", "database", "nobody"))
            match victim:
                case "follower":
                    follower.kill()
                    follower = run.follower()
                case "worker":
                    worker.kill()
                    worker = run.worker("--batch-records", "20")
                case "database":
                    wait_until(lambda: run.server.pid() is not None, "the worker to start the database")
                    time.sleep(chance.uniform(0, 1.0))
                    # One that is just being started may end by itself: the helpers of the last one hold its memory.
                    wait_until(lambda: run.kill_database() > 0, "a database to kill")
                case _:
                    continue
            kills[victim] += 1
        assert min(kills.values()) >= 3, kills
        # Something new to write and to project: a process that was only just started can't end in order yet.
        run.grow_slowly(3)
        run.wait_for_tables()
        assert (follower.terminate(), worker.terminate()) == (0, 0)
        assert run.all_versions() == run.refolded(fresh_database(postgres))
        assert run.truth() == run.undisturbed(fresh_database(postgres))
