"""An alert's life over a fork: sent, taken back, sent again, at a webhook and a real Alertmanager, as processes."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from deploy.devnet.deployment import Terms, profile_toml
from tests.alertmanager import Alertmanager, alertmanager
from tests.consumers.alerting.alerter_process import PLACES
from tests.consumers.alerting.desk import Desk
from tests.consumers.alerting.receivers import Receiver, Request, receiver, status
from tests.endtoend.alert_life import BEGIN, END, PAGE, frauds, raised_in_the_newest_blocks, standing, watched
from tests.endtoend.alerting import dies, repeats_are_the_same, wait_for, write_routes
from tests.endtoend.pipeline import pipeline
from tests.endtoend.processes import Running, wait_until
from tests.kafka import free_ports

pytestmark = pytest.mark.long


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path) as made:
        yield made


def test_an_alerts_life_over_a_fork_of_the_devnet(folder: Path, hook: Receiver, manager: Alertmanager) -> None:
    """Follower, worker, database and alerter as processes; the fork takes back what raised alerts, then brings more."""
    with pipeline(folder, frauds()) as run:
        run.profile.write_text(profile_toml(run.chain.network, Terms(), weak=True))
        routes = write_routes(folder, hook, manager)
        command = ("alert", "--routes", str(routes), "--data-dir", str(run.data_dir), "--poll-seconds", "0.1")
        run.follower()
        run.worker("--profile", str(run.profile), "--fleet-minutes", "0")
        run.wait_for_tables()
        alerter = run.start(*command)
        wait_for(hook, manager, standing(run))
        while not raised_in_the_newest_blocks(run, 4):
            run.chain.grow(1)
            run.wait_for_tables()
        raised = raised_in_the_newest_blocks(run, 4)
        wait_for(hook, manager, standing(run))
        run.chain.fork(5, drop_share=1.0)
        run.wait_for_tables()
        gone = raised - standing(run)
        assert gone
        wait_for(hook, manager, standing(run))
        told = [message for request in hook.requests for message in request.verified()["messages"]]
        of_gone = [message for message in told if message["alert"] in gone]
        assert {message["stage"] for message in of_gone if message["status"] == "firing"} == {"provisional"}
        withdrawn = [message for message in of_gone if message["kind"] == "withdrawn"]
        assert {message["alert"] for message in withdrawn} == gone
        assert all("rolled the chain back" in message["reason"] for message in withdrawn)
        alerter.kill()
        run.chain.grow(30)
        run.wait_for_tables()
        again = run.start(*command)
        wait_until(lambda: "alerter_started" in again.errors, "the alerter to start")
        wait_for(hook, manager, standing(run))
        assert again.terminate() == 0
        repeats_are_the_same(hook)


def test_an_alerts_life_with_a_kill_minus_9_between_each_pair_of_its_steps(
    folder: Path, hook: Receiver, manager: Alertmanager
) -> None:
    """Both while it is told and while it is taken back, in one life. The page shows one."""
    life, gone = watched(folder, hook, manager)
    assert gone
    for alert in gone:
        by_key = {message["key"]: message["kind"] for message in life.messages(alert)}
        assert list(by_key.values()) == ["provisional", "withdrawn"]
    assert repeats_are_the_same(hook) > 0, "nothing was tried out"
    _, _, shown = PAGE.read_text().partition(BEGIN)
    told = [line for line in life.lines if line.startswith("$")]
    assert [line for line in shown.partition(END)[0].splitlines() if line.startswith("$")] == told


def leads(port: int) -> float:
    """What the metric says; -1 where readiness says otherwise, or nothing answers yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        try:
            ready = urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10).status == 200
        except HTTPError as error:
            error.close()
            ready = False
    except URLError:
        return -1
    said = float(text.partition("\ncellwitness_alert_leads ")[2].partition("\n")[0])
    return said if ready == bool(said) else -1


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path / "log.db")


@pytest.mark.parametrize("place", PLACES)
def test_kill_minus_9_between_any_two_steps_changes_nothing_of_what_receivers_believe(
    desk: Desk, folder: Path, hook: Receiver, manager: Alertmanager, place: str
) -> None:
    """Once while alerts are sent, and once while they are taken back."""
    routes = write_routes(folder, hook, manager)
    command = ("alert", "--routes", str(routes), "--db", desk.url, "--poll-seconds", "0.1")
    times = 1 if "plan" in place else 3
    dies(folder, place, times, *command)
    before = {each.alert for each in desk.standing()}
    with Running(folder, "alerter", *command) as alerter:
        wait_for(hook, manager, before)
        assert alerter.terminate() == 0
    desk.chain.back(8)
    desk.project()
    left = {each.alert for each in desk.standing()}
    assert left < before
    dies(folder, place, 1, *command)
    with Running(folder, "alerter", *command) as alerter:
        wait_for(hook, manager, left)
        assert alerter.terminate() == 0
    repeats = repeats_are_the_same(hook)
    assert desk.states().keys() == {"sent"}
    if place == "after send":
        assert repeats > 0, "nothing was tried out"


def test_kill_minus_9_while_a_receiver_answers_repeats_under_the_same_key(
    desk: Desk, folder: Path, hook: Receiver, manager: Alertmanager
) -> None:
    routes = write_routes(folder, hook, manager)
    command = ("alert", "--routes", str(routes), "--db", desk.url, "--poll-seconds", "0.1")
    alerters: list[Running] = []

    def kill(_connection: object, _request: Request) -> None:
        os.kill(alerters[-1].process.pid, signal.SIGKILL)

    hook.answers = [kill, kill, status(200)]
    for _ in range(2):
        alerters.append(Running(folder, "alerter", *command))
        assert alerters[-1].ends() == -signal.SIGKILL
    with Running(folder, "alerter", *command) as alerter:
        wait_for(hook, manager, {each.alert for each in desk.standing()})
        assert alerter.terminate() == 0
    assert repeats_are_the_same(hook) == 2


def test_two_alerters_send_as_one_and_the_second_takes_over(
    desk: Desk, folder: Path, hook: Receiver, manager: Alertmanager
) -> None:
    routes = write_routes(folder, hook, manager)
    command = ("alert", "--routes", str(routes), "--db", desk.url, "--poll-seconds", "0.1")
    ports = free_ports(2)
    http = [("--http", f"127.0.0.1:{port}") for port in ports]
    with Running(folder, "one", *command, *http[0]) as one, Running(folder, "two", *command, *http[1]) as two:
        wait_for(hook, manager, {each.alert for each in desk.standing()})
        wait_until(lambda: sorted(map(leads, ports)) == [0.0, 1.0], "one of two to lead, and both to say so")
        leader, other = (one, two) if "another_alerter_works" in two.errors else (two, one)
        leader.kill()
        desk.chain.back(8)
        desk.project()
        wait_for(hook, manager, {each.alert for each in desk.standing()})
        assert other.terminate() == 0
    assert repeats_are_the_same(hook) == 0
    assert "0123456789" not in json.dumps([one.errors, two.errors]), "a secret in a log"
