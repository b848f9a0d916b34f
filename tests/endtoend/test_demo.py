"""``make demo``: runs to its end, shows a fork being undone, and leaves nothing behind."""

import re
import signal
import time
from pathlib import Path

import httpx
import pytest

from deploy.database import embedded
from tests.endtoend.processes import Running, kill_whole, processes_that_name, run, wait_until

SMALL = ("--history-years", "0.2", "--batteries", "4", "--address", "127.0.0.1:0", "--no-stay")


def left_behind(folder: Path) -> list[str]:
    """Files and processes of a demo in this folder, wherever its database lives. After that nothing is."""
    found = [str(folder)] if folder.exists() else []
    found += processes_that_name(str(folder))
    server = embedded(str(folder))  # making it makes its empty folders anew
    base = server.place.base
    found += [str(each) for each in base.iterdir() if each.name != "socket"]
    found += processes_that_name(str(base))
    server.remove()
    return found


def test_the_demo_shows_a_fork_being_undone_and_leaves_nothing(folder: Path) -> None:
    place = folder / "demo"
    done = run(folder, "demo", *SMALL, "--folder", str(place), timeout=120)
    assert done.returncode == 0, done.stderr
    assert "RETRACTED" in done.stdout
    assert "on the new branch" in done.stdout or "are gone" in done.stdout
    assert left_behind(place) == []


def test_a_kept_demo_can_be_looked_at_and_is_replaced_by_the_next(tmp_path: Path) -> None:
    """In a folder closed to the database's user, so for root the database lives elsewhere."""
    place = tmp_path / "demo"
    for keep in (("--keep",), ()):
        done = run(tmp_path, "demo", *SMALL, *keep, "--folder", str(place), timeout=120)
        assert done.returncode == 0, done.stderr
        assert "RETRACTED" in done.stdout
        if keep:
            assert run(tmp_path, "log", "verify", "--log", f"sqlite:{place / 'events.db'}").returncode == 0
    assert left_behind(place) == []


def test_a_folder_that_no_demo_made_is_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run(tmp_path, "demo", "--folder", str(tmp_path))
    assert done.returncode == 2
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["devnet.toml", "events.db", "postgres/data"])
def test_a_demo_that_is_stopped_takes_its_parts_with_it(folder: Path, moment: str, number: signal.Signals) -> None:
    place = folder / "demo"
    with Running(folder, "demo", "demo", *SMALL, "--folder", str(place)) as demo:
        try:
            wait_until((place / moment).exists, moment)
            demo.signal(number)
            assert demo.ends() == 130, demo.errors
        finally:
            kill_whole(demo.process.pid)
    assert left_behind(place) == []


@pytest.mark.long
def test_the_button_of_a_demo_takes_alerts_back_before_ones_eyes(folder: Path) -> None:
    """As a browser does it: the form's secret, the button, and the news as they come."""
    place = folder / "demo"
    fleet = ("--history-years", "0.2", "--batteries", "12", "--address", "127.0.0.1:0")
    with Running(folder, "demo", "demo", *fleet, "--folder", str(place)) as demo:
        try:
            wait_until(lambda: "stays open until Ctrl-C" in demo.out, "the demo to be at its end")
            found = re.search(r"http://127\.0\.0\.1:\d+", demo.out)
            assert found is not None
            with httpx.Client(base_url=found[0], headers={"Accept": "text/html"}, timeout=60) as browser:
                csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/system").text)
                assert csrf is not None
                assert _withdrawn(browser, csrf[1]), "six forks took no alert back"
                assert "⊘" in browser.get("/alerts?state=withdrawn").text
            demo.signal(signal.SIGINT)
            assert demo.ends() == 0, demo.errors
        finally:
            kill_whole(demo.process.pid)
    assert left_behind(place) == []


def _withdrawn(browser: httpx.Client, csrf: str) -> bool:
    """Whether one of a few forks takes an alert back: the newest may be too old, or come again at once."""
    with browser.stream("GET", "/api/v1/events") as news:
        lines = news.iter_lines()
        for _ in range(6):
            assert browser.post("/demo/fork", data={"csrf": csrf}).status_code == 303
            rolled_back = False
            for line in lines:
                if line == "event: rollback":
                    rolled_back = True
                elif line.startswith("data: ") and '"what":"withdrawn"' in line:
                    return True
                elif rolled_back and line == "event: mark":
                    break
            time.sleep(3)
    return False
