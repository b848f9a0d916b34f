"""Section: how long after a node delivers a block the browser hears of it, with fifty browsers that listen."""

import json
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from consumers.client import Client, ServerUnwell
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value
from tests.endtoend.processes import Running, kill_whole, wait_until

LISTENERS: Final = 50
DEVNET: Final = (
    *("devnet", "run", "--port", "0", "--profile-out", "devnet.toml", "--json", "--batteries", "10"),
    *("--history-years", "0.1", "--block-seconds", "0.5", "--reading-minutes", "1"),
)
P50_SECONDS: Final = 0.5
P99_SECONDS: Final = 2.0


def measure(plan: Plan) -> Section:
    """A devnet, `cellwitness up`, a chain-sync client of our own that notes when blocks come, and the listeners."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with Running(folder, "devnet", *DEVNET) as devnet:
            wait_until(lambda: bool(devnet.out), "the devnet", 300)
            node = devnet.json()["url"]
            data = ("--data-dir", str(folder / "data"), "--address", "127.0.0.1:0")
            with Running(folder, "up", "up", "--ogmios", node, "--profile", "devnet.toml", *data) as up:
                try:
                    wait_until(lambda: "http://" in up.out, "the dashboard", 300)
                    url = "http://" + up.out.split("http://", 1)[1].split(";")[0]
                    return _listen(plan, node, url)
                finally:
                    up.terminate()
                    kill_whole(up.process.pid)


def _listen(plan: Plan, node: str, url: str) -> Section:
    with Client(url) as client:
        wait_until(lambda: _is_fresh(client), "the tables to catch up", 300)
    delivered: dict[int, float] = {}
    heard: list[dict[int, float]] = [{} for _ in range(LISTENERS)]
    threads = [threading.Thread(target=_chain, args=(node, delivered), daemon=True)]
    threads += [threading.Thread(target=_events, args=(url, each), daemon=True) for each in heard]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(heard) and bool(delivered), "first news", 120)
    time.sleep(plan.live_seconds)
    waits = sorted(at - delivered[height] for each in heard for height, at in list(each.items()) if height in delivered)
    p50, p99 = statistics.median(waits), waits[int(0.99 * (len(waits) - 1))]
    row: dict[str, Value] = {
        "listeners": LISTENERS,
        "events": len(waits),
        "p50 (s)": round(p50, 3),
        "p99 (s)": round(p99, 3),
        "longest (s)": round(waits[-1], 3),
    }
    return Section(
        "live",
        "From a block that the node delivers, by row in PostgreSQL, to the event in the browser",
        (row,),
        (
            Goal("block to browser, p50 (s)", p50, P50_SECONDS, "at most"),
            Goal("block to browser, p99 (s)", p99, P99_SECONDS, "at most"),
        ),
        ("Devnet, follower, worker, PostgreSQL, dashboard and all listeners share the machine.",),
    )


def _is_fresh(client: Client) -> bool:
    with suppress(ServerUnwell):
        return bool(client.status()["freshness"]["state"] == "fresh")
    return False


def _chain(node: str, delivered: dict[int, float]) -> None:
    """Notes when each new block comes, by a plain chain-sync client."""
    with suppress(ConnectionClosed), connect(node, max_size=None) as socket:

        def ask(method: str, **parameters: object) -> dict[str, object]:
            socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": parameters}))
            answer: dict[str, object] = json.loads(socket.recv())
            return answer

        tip = ask("queryNetwork/tip")["result"]
        ask("findIntersection", points=[tip])
        while True:
            result = ask("nextBlock")["result"]
            if isinstance(result, dict) and result["direction"] == "forward":
                delivered[result["block"]["height"]] = time.monotonic()


def _events(url: str, heard: dict[int, float]) -> None:
    with suppress(ServerUnwell), Client(url) as client:
        for kind, said in client.events():
            if kind == "step":
                heard.setdefault(said["height"], time.monotonic())
