"""How the processes end when asked, and what a stopped one keeps."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.endtoend.pipeline import devnet, pipeline
from tests.endtoend.processes import Running, run, wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_follower_and_worker_end_in_order_when_asked(folder: Path, number: signal.Signals) -> None:
    with pipeline(folder, devnet(blocks=300)) as pipe:
        follower, worker = pipe.follower("--json"), pipe.worker("--json")
        pipe.wait_for_tables()
        server = pipe.server.pid()
        follower.signal(number)
        assert follower.ends() == 0
        worker.signal(number)
        assert worker.ends() == 0
        assert follower.json()["step"] == worker.json()["step"] == pipe.step()
        assert server is not None
        assert not psutil.pid_exists(server), "the database ends with its last user"


def test_a_follower_that_finds_nobody_and_a_worker_without_a_log_wait_and_end_when_asked(folder: Path) -> None:
    with pipeline(folder, devnet()) as pipe:
        worker = pipe.worker()
        follower = pipe.start(
            "follow", "--ogmios", "ws://127.0.0.1:1", "--profile", str(pipe.profile), "--log", pipe.log_url
        )
        wait_until(lambda: "session_ended" in follower.errors, "the follower to try")
        wait_until(lambda: "projection_retried" in worker.errors, "the worker to try")
        assert (follower.terminate(), worker.terminate()) == (0, 0)


def test_a_devnet_ends_in_order_when_asked(folder: Path) -> None:
    flags = ("--port", "0", "--batteries", "2", "--profile-out", str(folder / "devnet.toml"), "--json")
    with Running(folder, "devnet", "devnet", "run", *flags) as node:
        wait_until(lambda: bool(node.out), "the devnet")
        follow = ("follow", "--ogmios", node.json()["url"], "--profile", str(folder / "devnet.toml"))
        with Running(folder, "follower", *follow) as follower:
            wait_until((folder / "events.db").exists, "a client")
            asked = run(folder, "devnet", "status", "--ogmios", node.json()["url"], "--json")
            assert asked.returncode == 0, asked.stderr
            assert node.terminate() == 0
            assert follower.terminate() == 0


def test_a_stopped_follower_keeps_the_log_until_it_dies(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=100)) as pipe:
        follower = pipe.follower()
        pipe.wait_for_tip()
        follower.signal(signal.SIGSTOP)
        step = pipe.step()
        pipe.chain.grow(10)
        second = run(pipe.folder, *pipe.follow_command())
        assert second.returncode == 3
        assert f"process {follower.process.pid}" in second.stderr
        assert pipe.step() == step
        follower.signal(signal.SIGCONT)
        pipe.wait_for_tip()
        follower.must_live()
        follower.signal(signal.SIGSTOP)
        follower.kill()
        pipe.chain.grow(10)
        assert run(pipe.folder, *pipe.follow_command("--until-tip")).returncode == 0
        assert pipe.at_tip()


def partitions(worker: Running) -> list[int]:
    """What a worker said last of its share."""
    said = [json.loads(line) for line in worker.errors.splitlines() if '"partitions_shared"' in line]
    return said[-1]["now"] if said else []


def test_a_second_worker_gets_its_share_and_what_the_first_leaves(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=300)) as pipe:
        follower, first = pipe.follower(), pipe.worker()
        pipe.wait_for_tables()
        second = pipe.worker()
        wait_until(lambda: len(partitions(first)) == len(partitions(second)) == 6, "a fair share each")
        pipe.chain.grow(5)
        pipe.wait_for_tables()
        first.must_live()
        assert first.terminate() == 0
        wait_until(lambda: len(partitions(second)) == 12, "the second to have all")
        pipe.chain.grow(5)
        pipe.wait_for_tables()
        assert (second.terminate(), follower.terminate()) == (0, 0)


def test_partitions_of_a_paused_worker_are_taken_over_and_woken_it_gets_its_share_again(folder: Path) -> None:
    with pipeline(folder, devnet(blocks=100)) as pipe:
        follower, first, second = pipe.follower(), pipe.worker(), pipe.worker()
        wait_until(lambda: len(partitions(first)) == len(partitions(second)) == 6, "a fair share each")
        first.signal(signal.SIGSTOP)
        pipe.chain.grow(5)
        pipe.wait_for_tables()
        assert len(partitions(second)) == 12
        first.signal(signal.SIGCONT)
        wait_until(lambda: "partitions_lost" in first.errors, "the first to notice")
        wait_until(lambda: len(partitions(first)) == len(partitions(second)) == 6, "a fair share each, again")
        pipe.chain.grow(5)
        pipe.wait_for_tables()
        assert (first.terminate(), second.terminate(), follower.terminate()) == (0, 0, 0)
