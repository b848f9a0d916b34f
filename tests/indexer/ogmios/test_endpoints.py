from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from indexer.chain import Point, PointOrOrigin
from indexer.eras import Bound, Era, EraHistory, EraParameters, SlotLength
from indexer.errors import Retryable
from indexer.ogmios.endpoints import LAG_LIMIT_SLOTS, Expected, NoEndpoint, Survey, judge, nobody_left, states, survey
from indexer.ogmios.node import Genesis, NodeFacts, NodeRefused, inspect_node
from tests.indexer.nodes import MAGIC, K, ScriptedNode, scripted

ERAS = EraHistory(
    datetime(2026, 1, 1, tzinfo=UTC), (Era(Bound({"seconds": 0}, 0, 0), EraParameters(86_400, SlotLength(1_000))),)
)


def node(tip: PointOrOrigin = "origin", magic: int = MAGIC, k: int = K) -> NodeFacts:
    return NodeFacts("v6.14.0", "devnet", Genesis("testnet", magic, k), ERAS, tip)


def found(**nodes: NodeFacts) -> Survey:
    return Survey({f"ws://{name}:1337": facts for name, facts in nodes.items()}, {}, {})


def at(slot: int) -> Point:
    return Point(slot, "ab" * 32)


def test_the_first_endpoint_that_is_sound_is_followed_first() -> None:
    _, order = judge(found(a=node(at(100)), b=node(at(110))), Expected(MAGIC, K))
    assert order == ["ws://a:1337", "ws://b:1337"]


def test_another_network_is_refused_for_good_and_a_lagging_node_for_now() -> None:
    nodes = found(a=node(at(9_000), magic=7), b=node(at(10)), c=node(at(11 + LAG_LIMIT_SLOTS)))
    left, order = judge(nodes, Expected(MAGIC, K))
    assert order == ["ws://c:1337"]
    assert "magic 7" in left.refused["ws://a:1337"]
    assert "lags" in left.unwell["ws://b:1337"]


def test_a_node_of_another_network_makes_no_other_look_late() -> None:
    nodes = found(a=node(at(10**9), magic=7), b=node(at(10)))
    assert judge(nodes, Expected(MAGIC, K))[1] == ["ws://b:1337"]


def test_a_log_that_is_not_begun_takes_any_k() -> None:
    assert judge(found(a=node(k=5)), Expected(MAGIC, None))[1] == ["ws://a:1337"]
    left, order = judge(found(a=node(k=5)), Expected(MAGIC, K))
    assert order == []
    assert "k = 5" in left.refused["ws://a:1337"]


def test_all_refused_is_final_and_some_unwell_is_worth_another_try() -> None:
    assert isinstance(nobody_left(Survey({}, {}, {"ws://a:1": "is another network"})), NodeRefused)
    some = nobody_left(Survey({}, {"ws://b:1": "hung up"}, {"ws://a:1": "is another network"}))
    assert isinstance(some, NoEndpoint)
    assert "is another network" in str(some)
    assert "hung up" in str(some)


class Unwell(ScriptedNode):
    """An Ogmios that answers, without a node behind it."""

    def health(self) -> dict[str, Any]:
        return super().health() | {"connectionStatus": "disconnected"}


def test_an_ogmios_that_lost_its_node_is_worth_another_try() -> None:
    with scripted(Unwell([])) as url, pytest.raises(Retryable, match="lost its node"):
        inspect_node(url)
    with scripted(Unwell([])) as url:
        assert "lost its node" in survey((url,), {}).unwell[url]


def test_what_must_be_known_is_asked_before_the_first_block() -> None:
    with scripted(script := ScriptedNode([])) as url:
        facts = inspect_node(url)
    assert (facts.genesis.network_magic, facts.genesis.security_parameter) == (MAGIC, K)
    assert facts.eras.time(5) == "2026-01-01T00:00:05Z"
    assert script.requests == []  # no nextBlock


def test_a_server_that_is_no_ogmios_is_refused_with_the_reason() -> None:
    class Page(ScriptedNode):
        def health(self) -> dict[str, Any]:
            return {"hello": "world"}

    with scripted(Page([])) as url, pytest.raises(NodeRefused, match="is it an Ogmios"):
        inspect_node(url)


def test_a_proxy_whose_ogmios_is_away_is_worth_another_try() -> None:
    class Proxy(ScriptedNode):
        def page(self, _: ServerConnection, request: Request) -> Response:
            del request
            return Response(HTTPStatus.BAD_GATEWAY, "Bad Gateway", Headers({"Content-Length": "4"}), b"<h1>")

    with scripted(Proxy([])) as url, pytest.raises(Retryable, match="502"):
        inspect_node(url)


def test_an_endpoint_that_was_set_aside_is_not_asked_again() -> None:
    left = survey(("ws://127.0.0.1:9",), {"ws://127.0.0.1:9": "sent nonsense"})
    assert left == Survey({}, {}, {"ws://127.0.0.1:9": "sent nonsense"})


def test_what_is_told_of_each_endpoint_is_in_order_and_holds_no_password() -> None:
    follow, spare, gone, other = "wss://me:secret@a/key", "ws://b:1337", "ws://c:1337", "ws://d:1337"
    left = Survey({follow: node(at(90)), spare: node(at(80))}, {gone: "can't connect"}, {other: "has magic 7"})
    told = states((spare, gone, follow, other), left, {}, follow, {follow: (2, "closed the connection")})
    assert [(each.state, each.reason, each.tip_slot, each.faults) for each in told] == [
        ("sound", "", 80, 0),
        ("unwell", "can't connect", None, 0),
        ("followed", "", 90, 2),
        ("refused", "has magic 7", None, 0),
    ]
    assert "secret" not in str(told)
    assert told[2].last_fault == "closed the connection"


def test_an_endpoint_that_was_left_out_of_a_choice_is_not_called_sound() -> None:
    (told,) = states(("ws://a:1337",), found(), {"ws://a:1337": "sent no block"}, "", {})
    assert (told.state, told.reason) == ("unwell", "sent no block")
