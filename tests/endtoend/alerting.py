"""Routes to a webhook and a real Alertmanager, and what each of them believes: for tests with alerters as processes."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.alertmanager import Alertmanager
from tests.consumers.alerting.desk import final
from tests.consumers.alerting.receivers import SECRET, Receiver
from tests.endtoend.processes import clean_environment, wait_until

ROUTES: Final = """
[sinks.ops]
kind = "webhook"
url = "{hook}"
secret_file = "{secret}"
timeout_seconds = 5

[sinks.pager]
kind = "alertmanager"
url = "{manager}"
refresh_seconds = 1

[[routes]]
name = "everything"
sinks = ["ops", "pager"]
provisional = true
"""


def write_routes(folder: Path, hook: Receiver, manager: Alertmanager) -> Path:
    secret, routes = folder / "hook.secret", folder / "alerting.toml"
    secret.write_text(SECRET + "\n")
    routes.write_text(ROUTES.format(hook=hook.url, secret=secret, manager=manager.url))
    return routes


def dies(folder: Path, place: str, times: int, *arguments: str) -> None:
    """An alerter that ends by kill -9 at a place. It must get there."""
    with (folder / "dying.err").open("ab") as errors:
        died = subprocess.run(
            [sys.executable, "-m", "tests.consumers.alerting.alerter_process", place, str(times), *arguments],
            env=clean_environment({"PYTHONPATH": str(Path.cwd())}),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            check=False,
            timeout=120,
        )
    assert died.returncode == -9, (folder / "dying.err").read_text()[-2000:]


def believed(hook: Receiver) -> set[str]:
    """Alerts that the webhook's owner holds for firing, who drops repeats by key. Every request is signed."""
    messages = [message for request in list(hook.requests) for message in request.verified()["messages"]]
    return {alert for alert, status in final(messages).items() if status == "firing"}


def firing(manager: Alertmanager) -> set[str]:
    return {alert["labels"]["alert"] for alert in manager.alerts()}


def wait_for(hook: Receiver, manager: Alertmanager, alerts: set[str]) -> None:
    wait_until(lambda: believed(hook) == alerts, f"the webhook to believe in {sorted(alerts)}")
    wait_until(lambda: firing(manager) == alerts, f"Alertmanager to fire {sorted(alerts)}")


def repeats_are_the_same(hook: Receiver) -> int:
    """Each key came with the same bytes however often. Returns how many requests were repeats."""
    by_key: dict[str, set[bytes]] = {}
    for request in hook.requests:
        by_key.setdefault(request.key, set()).add(request.body)
    assert all(len(bodies) == 1 for bodies in by_key.values())
    return len(hook.requests) - len(by_key)
