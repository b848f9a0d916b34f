"""The page System says what is known of nodes and rebuilds, and never waits for either."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from consumers.client import Client
from consumers.dashboard.followers import Followers
from deploy.health import serve_health
from deploy.postgres import EmbeddedPostgres
from deploy.watch import Watch
from indexer.errors import ConfigurationError
from indexer.log.urls import open_log
from indexer.nodes import NodeState
from indexer.session import Progress
from projections.database import connect
from projections.rebuild import Rebuild
from tests.consumers.dashboard.running import Dashboard, running, serving
from tests.consumers.dashboard.test_door import PAGE
from tests.endtoend.processes import wait_until
from tests.postgres import fresh_database
from tests.projections.judged_chain import judging

FOLLOWED = NodeState(
    endpoint="wss://node-a.example/", state="followed", version="v6.14.0", network="preprod", tip_slot=1_234_567
)
UNWELL = NodeState(endpoint="ws://node-b.example:1337", state="unwell", reason="can't connect <b>", faults=2)


@contextmanager
def follower() -> Iterator[tuple[Watch, str]]:
    watch = Watch()
    server = serve_health("127.0.0.1:0", watch.why_not_ready, nodes=watch.status)
    try:
        yield watch, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def strange(answer: bytes, *, seconds: float = 0.0) -> Iterator[str]:
    """What is no follower."""
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            stopped.wait(seconds)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()


def page(url: str, token: str = "") -> str:
    headers = PAGE | ({"Authorization": f"Bearer {token}"} if token else {})
    answer = httpx.get(f"{url}/system", headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.text


def progress(**fields: Any) -> Progress:
    said = {"step": 7, "height": 90, "slot": 1_800, "tip_height": 1_117, "blocks": 9, "events": 1, "rollbacks": 3}
    return Progress(**(said | fields))


def test_the_page_tells_of_each_node_and_of_the_log(opened: Dashboard) -> None:
    with follower() as (watch, address), serving(opened.database, opened.tokens, followers=(address,)) as url:
        watch.note(progress(), time.time() - 65)
        watch.note_nodes((FOLLOWED, UNWELL), time.time() - 70)
        wait_until(lambda: "node-a" in page(url), "the follower to be asked")
        text = page(url)
        assert "wss://node-a.example/" in text
        assert "● followed" in text
        assert "v6.14.0" in text
        assert "preprod" in text
        assert "1\u202f234\u202f567" in text
        assert "1\u202f027 blocks to go" in text
        assert "✗ unwell" in text
        assert "can&#39;t connect &lt;b&gt;" in text
        assert "1 min 10 s ago" in text or "1 min 1" in text  # the last fault
    gone = "does not answer"
    with serving(opened.database, opened.tokens, followers=(address,)) as url:
        wait_until(lambda: gone in page(url), "the follower to be missed")


def test_what_a_follower_said_last_stays_and_is_dated_when_it_is_gone() -> None:
    answers = [msgspec.json.encode(Watch().status(1.0))]

    def get(_: str) -> bytes:
        if not answers:
            raise httpx.ConnectError("refused")
        return answers.pop()

    followers = Followers(("http://127.0.0.1:1",), get=get)
    followers.ask()
    (first,) = followers.said
    followers.ask()
    (then,) = followers.said
    assert first.told == then.told
    assert then.heard_at == first.heard_at
    assert (first.trouble, "refused" in then.trouble) == ("", True)


@pytest.mark.parametrize(
    "answer",
    [b"", b"no", b'{"at": 1}', b'{"at": "x", "nodes": []}', b'{"at": 1, "nodes": [{"endpoint": "a", "state": "new"}]}',
     b"[" * 100_000, b"x" * (1 << 21)],
)  # fmt: skip
def test_whatever_answers_in_a_followers_place_harms_nothing(answer: bytes) -> None:
    with strange(answer) as url:
        followers = Followers((url,))
        followers.ask()
        (said,) = followers.said
        assert said.told is None
        assert said.trouble
        assert len(said.trouble) < 400


def test_a_follower_that_hangs_keeps_nobody_waiting(opened: Dashboard) -> None:
    with strange(b"{}", seconds=600) as hanging, serving(opened.database, opened.tokens, followers=(hanging,)) as url:
        for _ in range(3):
            assert "does not answer" in page(url)  # which would hang as well, and be ended by this test's time-out


@pytest.mark.parametrize("url", ["127.0.0.1:9100", "ftp://host:1", "http://", "http://host/path", ""])
def test_an_address_of_no_follower_is_the_users_to_mend(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--follower"):
        Followers((url,))


def test_where_nodes_are_is_told_to_those_whose_affair_it_is(closed: Dashboard) -> None:
    with (
        follower() as (watch, address),
        serving(closed.database, closed.tokens, require_login=True, followers=(address,)) as url,
    ):
        watch.note(progress(), time.time())
        watch.note_nodes((FOLLOWED, UNWELL), time.time())
        analyst, viewer = closed.token("analyst"), closed.token("viewer", profile="public")
        wait_until(lambda: "node-a" in page(url, analyst), "the follower to be asked")
        seen = page(url, viewer)
        assert "● followed" in seen
        assert "node-a" not in seen
        assert "can&#39;t connect" not in seen
        with Client(url, analyst) as programs, Client(url, viewer) as strangers:
            told = programs.system()["followers"][0]["told"]
            assert [node["endpoint"] for node in told["nodes"]] == [FOLLOWED.endpoint, UNWELL.endpoint]
            hidden = str(strangers.system())
            assert "followed" in hidden
            assert all(text not in hidden for text in ("node-a", "node-b", "connect", address))


def test_the_page_does_not_pass_the_present_off_as_the_past(opened: Dashboard) -> None:
    answer = opened.get("/system?as_of_slot=5")
    assert "This page speaks of now" in answer.text
    assert "This page speaks of now" not in opened.get("/system").text


def test_a_rebuild_is_shown_while_it_is_at_work_and_when_it_is_over(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with running(fresh_database(postgres), tmp_path) as dashboard, closing(open_log(dashboard.chain.url)) as log:
        for _ in range(6):  # steps, which no batch divides
            dashboard.chain.forward(dashboard.chain.make(6))
        dashboard.project()
        assert "No rebuild is under way" in page(dashboard.url)
        shown: list[str] = []

        def look(*_: object) -> None:
            with connect(dashboard.database) as connection:  # what the worker writes each few seconds
                connection.execute("UPDATE cellwitness_next.workers SET events_per_second = 2.5")
            shown.append(page(dashboard.url))

        work = Rebuild(
            log,
            lambda schema: connect(dashboard.database, schema=schema),
            batch_records=4,
            judging=judging(),
            progress=look,
        )
        with work:
            work.prepare()
            assert work.load()
            comparison = work.compare()
            assert comparison is not None
            assert comparison.equal
            work.note("left beside")
            beside = page(dashboard.url)
            assert work.swap()
        assert len(shown) > 2
        assert all("A rebuild is under way." in each for each in shown)
        assert any("2 records per second" in each and "To go</dt><dd>about" in each for each in shown)
        assert "100.0 %" in beside
        after = page(dashboard.url)
        assert "No rebuild is under way" in after
        assert "put in place" in after
        assert "left beside" in after
        assert "<td>equal</td>" in after
