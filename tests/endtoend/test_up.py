"""``cellwitness up``: everything in one tree of processes, which goes on after any end, and leaves nothing behind."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil

from consumers.client import Client, ServerUnwell
from tests.endtoend.processes import Running, kill_whole, processes_that_name, run, wait_until

SMALL = ("--batteries", "3", "--history-years", "0.1", "--block-seconds", "0.3", "--reading-minutes", "6")


def url_of(running: Running) -> str:
    wait_until(lambda: "http://" in running.out, "the dashboard's address", 120)
    return running.out.split("http://", 1)[1].split(";")[0].split()[0].rstrip(".")


def step_of(url: str) -> int:
    try:
        with Client(f"http://{url}") as client:
            return int(client.status()["holds"]["step"])
    except ServerUnwell:
        return -1


def parts_of(running: Running) -> dict[str, psutil.Process]:
    children = psutil.Process(running.process.pid).children()
    named: dict[str, psutil.Process] = {
        name: each for each in children for name in ("follow", "project", "serve") if name in each.cmdline()
    }
    assert set(named) == {"follow", "project", "serve"}
    return named


def test_it_follows_projects_and_serves_and_goes_on_after_any_end(folder: Path) -> None:
    data = folder / "data"
    devnet = ("devnet", "run", "--port", "0", "--profile-out", "devnet.toml", "--json", *SMALL)
    with Running(folder, "devnet", *devnet) as net:
        wait_until(lambda: bool(net.out), "the devnet", 120)
        node = net.json()["url"]
        what = ("--ogmios", node, "--profile", "devnet.toml", "--data-dir", str(data), "--address", "127.0.0.1:0")
        with Running(folder, "up", "up", *what) as up:
            try:
                url = url_of(up)
                wait_until(lambda: step_of(url) > 0, "steps", 120)
                for name in ("follow", "project", "serve"):
                    parts_of(up)[name].kill()
                    before = step_of(url) if name != "serve" else 0
                    wait_until(lambda before=before: step_of(url) > before, f"to go on without its {name}", 120)  # type: ignore[misc]
                assert up.terminate() == 0, up.errors
                assert processes_that_name(str(data)) == []
            finally:
                kill_whole(up.process.pid)
        log = run(folder, "log", "verify", "--log", f"sqlite:{data}/events.db", "--json")
        assert log.returncode == 0, log.stderr
        with Running(folder, "again", "up", *what) as again:
            try:
                url = url_of(again)
                wait_until(lambda: step_of(url) > 0, "steps", 120)
                fork: dict[str, Any] = json.loads(
                    run(folder, "devnet", "fork", "--ogmios", node, "--depth", "5", "--json").stdout
                )
                assert fork["depth"] == 5
                with Client(f"http://{url}") as client:
                    wait_until(lambda: bool(client.steps(kind="rollback")["steps"]), "the rollback", 60)
                # The kernel tells the parts of a parent that was killed.
                again.kill()
                wait_until(lambda: processes_that_name(str(data)) == [], "its parts to end", 60)
            finally:
                kill_whole(again.process.pid)


def test_what_only_a_person_can_mend_is_said_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, "up", "--profile", "none.toml")
    assert (done.returncode, "none.toml" in done.stderr) == (2, True)
    done = run(tmp_path, "up")
    assert (done.returncode, "--profile" in done.stderr) == (2, True)


def test_the_demo_stays_open_and_its_button_forks_the_chain(folder: Path) -> None:
    place = folder / "demo"
    with Running(folder, "demo", "demo", *SMALL[:4], "--address", "127.0.0.1:0", "--folder", str(place)) as demo:
        try:
            wait_until(lambda: "stays open" in demo.out, "the demo's end", 150)
            url = "http://" + demo.out.split("http://", 1)[1].split()[0]
            with (
                httpx.Client(base_url=url, headers={"Accept": "text/html"}, timeout=30) as browser,
                Client(url) as client,
            ):
                page = browser.get("/").text
                assert "Fork the devnet" in page
                assert client.fleet()["models"]
                labels = [json.loads(line) for line in (place / "labels.ndjson").read_text().splitlines()]
                assert any(label.get("fraud") for label in labels)
                before = len(client.steps(kind="rollback", limit=1000)["steps"])
                csrf = page.rsplit('name="csrf" value="', 1)[1].split('"')[0]
                assert browser.post("/demo/fork", data={"csrf": "wrong"}).status_code == 403
                assert browser.post("/demo/fork", data={"csrf": csrf}).status_code == 303
                wait_until(lambda: len(client.steps(kind="rollback", limit=1000)["steps"]) > before, "the rollback")
            demo.signal(signal.SIGINT)
            assert demo.ends() == 0, demo.errors
        finally:
            kill_whole(demo.process.pid)
    assert not place.exists()
    assert processes_that_name(str(place)) == []
