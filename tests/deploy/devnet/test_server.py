import json
import time
import urllib.error
import urllib.request

import pytest

from deploy.devnet.chain import Chain
from deploy.devnet.network import Network
from deploy.devnet.server import serve
from indexer.chain import Tip
from indexer.errors import ConfigurationError
from tests.deploy.devnet.client import Json, client, empty_chain, ids, lively_chain, served


def point(chain: Chain, position: int) -> Json | str:
    found = chain.point(position)
    return found if isinstance(found, str) else {"slot": found.slot, "id": found.id}


def tip(chain: Chain) -> Json:
    assert isinstance(chain.tip, Tip)
    return {"slot": chain.tip.slot, "id": chain.tip.id, "height": chain.tip.height}


def test_the_first_answer_after_an_intersection_is_a_roll_backward_to_it() -> None:
    chain = empty_chain(10)
    with served(chain) as (_, one):
        found = one.find(point(chain, 4))
        assert found["result"] == {"intersection": point(chain, 4), "tip": tip(chain)}
        assert one.next() == {"direction": "backward", "point": point(chain, 4), "tip": tip(chain)}
        forward = one.next()
        assert forward["direction"] == "forward"
        assert forward["block"]["id"] == ids(chain)[4]
        assert forward["tip"] == tip(chain)


def test_a_client_that_asks_for_no_intersection_starts_at_the_origin() -> None:
    chain = empty_chain(3)
    with served(chain) as (_, one):
        assert one.next()["block"]["ancestor"] == "genesis"


def test_origin_is_a_point() -> None:
    chain = empty_chain(3)
    with served(chain) as (_, one):
        assert one.find("origin")["result"]["intersection"] == "origin"
        assert one.next()["point"] == "origin"
        assert one.next()["block"]["id"] == ids(chain)[0]


def test_an_intersection_that_is_not_found_leaves_the_cursor_where_it_was() -> None:
    chain = empty_chain(10)
    with served(chain) as (_, one):
        one.find(point(chain, 6))
        one.next()
        refused = one.find({"slot": 1, "id": "ab" * 32})
        assert refused["error"]["code"] == 1000
        assert refused["error"]["data"] == {"tip": tip(chain)}
        assert one.next()["block"]["id"] == ids(chain)[6]


def test_an_intersection_while_a_request_waits_is_refused_as_interleaved() -> None:
    chain = empty_chain(2)
    with served(chain) as (_, one):
        one.find(point(chain, 2))
        one.next()
        one.send("nextBlock")
        assert one.find("origin")["error"]["code"] == 1001
        chain.grow(1)
        assert one.receive()["result"]["direction"] == "forward"
        assert "result" in one.find("origin")


def test_a_hundred_requests_in_flight_are_answered_once_each_and_in_order() -> None:
    chain = empty_chain(2_000)
    with served(chain) as (_, one):
        for number in range(100):
            one.send("nextBlock", id=number)
        answers = []
        for number in range(100, 2_000):
            answers.append(one.receive())
            one.send("nextBlock", id=number)
        answers += [one.receive() for _ in range(100)]
        assert [answer["id"] for answer in answers] == list(range(2_000))
        assert [answer["result"]["block"]["id"] for answer in answers] == ids(chain)


def test_a_request_at_the_tip_waits_for_the_next_block() -> None:
    chain = empty_chain(1)
    with served(chain) as (_, one):
        one.next()
        one.send("nextBlock")
        with pytest.raises(TimeoutError):
            one.receive(timeout=0.2)
        header = chain.grow(1)[0]
        assert one.receive()["result"]["block"]["id"] == header.id


def test_requests_that_wait_are_told_of_a_fork() -> None:
    chain = empty_chain(30)
    with served(chain) as (_, one):
        one.find(point(chain, 30))
        one.next()
        one.send("nextBlock").send("nextBlock")
        chain.fork(7)
        assert one.receive()["result"] == {"direction": "backward", "point": point(chain, 23), "tip": tip(chain)}
        assert one.receive()["result"]["block"]["id"] == ids(chain)[23]


def test_the_tip_of_an_answer_is_the_chains_tip_now() -> None:
    chain = empty_chain(5)
    with served(chain) as (_, one):
        first = one.next()["tip"]
        chain.grow(5)
        assert one.next()["tip"] == tip(chain) != first


def test_each_client_has_a_cursor_of_its_own() -> None:
    chain = empty_chain(10)
    with served(chain) as (node, one), client(node) as other:
        one.find(point(chain, 8))
        one.next()
        assert other.next()["block"]["id"] == ids(chain)[0]
        assert one.next()["block"]["id"] == ids(chain)[8]


def test_any_json_value_is_mirrored_as_id() -> None:
    with served(empty_chain(10)) as (_, one):
        for value in ("text", 7, None, {"a": [1, 2]}, ["x"], 18446744073709551616):
            assert one.call("nextBlock", id=value)["id"] == value
            assert one.call("queryNetwork/tip", id=value)["id"] == value
        assert one.call("queryNetwork/blockHeight")["id"] is None


def test_strict_rpc_leaves_the_method_out() -> None:
    with served(empty_chain(5), strict_rpc=True) as (_, one):
        for answer in (one.call("nextBlock"), one.call("queryNetwork/tip"), one.find({"slot": 0, "id": "00" * 32})):
            assert "method" not in answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("nonsense", -32700),
        ("[]", -32600),
        ("{}", -32600),
        ('{"method":"nextBlock"}', -32600),
        ('{"jsonrpc":"1.0","method":"nextBlock"}', -32600),
        ('{"jsonrpc":"2.0","method":7}', -32600),
        ('{"jsonrpc":"2.0","method":"requestNext","id":4}', -32601),
        ('{"jsonrpc":"2.0","method":"findIntersection","params":{"points":[{"slot":"x"}]},"id":4}', -32602),
        ('{"jsonrpc":"2.0","method":"findIntersection","params":{"blocks":[]},"id":4}', -32602),
        ('{"jsonrpc":"2.0","method":"queryNetwork/genesisConfiguration","id":4}', -32602),
        ('{"jsonrpc":"2.0","method":"devnet/fork","params":{"depth":"deep"},"id":4}', -32602),
    ],
)
def test_a_bad_request_is_answered_and_the_connection_goes_on(text: str, code: int) -> None:
    with served(empty_chain(3)) as (_, one):
        answer = one.send_raw(text).receive()
        assert answer["error"]["code"] == code
        assert answer["error"]["message"]
        assert set(answer) == {"jsonrpc", "error", "id"}
        assert answer["id"] == (4 if '"id":4' in text else None)
        assert one.next()["direction"] == "forward"


def test_the_network_is_that_of_the_chain() -> None:
    chain = Chain(Network(name="other", magic=77, k=9))
    chain.grow(3)
    with served(chain) as (_, one):
        genesis = one.call("queryNetwork/genesisConfiguration", params={"era": "shelley"})["result"]
        assert (genesis["networkMagic"], genesis["securityParameter"]) == (77, 9)
        assert genesis["slotLength"] == {"milliseconds": 1000}
        assert one.call("queryNetwork/startTime")["result"] == genesis["startTime"]
        assert one.call("queryNetwork/blockHeight")["result"] == 2
        assert one.call("queryNetwork/tip")["result"] == point(chain, 3)
        assert one.call("queryLedgerState/tip")["result"] == point(chain, 3)
        assert one.call("queryLedgerState/epoch")["result"] == 0
        (era,) = one.call("queryLedgerState/eraSummaries")["result"]
        assert era["start"] == {"time": {"seconds": 0}, "slot": 0, "epoch": 0}
        other = one.call("queryNetwork/genesisConfiguration", params={"era": "byron"})
        assert other["error"]["code"] == 2004


def test_an_empty_chain_has_its_tip_at_the_origin() -> None:
    with served(Chain()) as (_, one):
        assert one.call("queryNetwork/tip")["result"] == "origin"
        assert one.call("queryNetwork/blockHeight")["result"] == "origin"
        assert one.find("origin")["result"] == {"intersection": "origin", "tip": "origin"}
        assert one.next() == {"direction": "backward", "point": "origin", "tip": "origin"}


def test_fork_on_command_says_what_it_did() -> None:
    chain, _ = lively_chain(100)
    with served(chain) as (_, one):
        done = one.call("devnet/fork", params={"depth": 4}, id=1)["result"]
        assert (done["depth"], done["blocks"]) == (4, 5)
        assert done["new_tip"] == tip(chain)
        assert one.call("devnet/status")["result"]["forks"] == 1
        emptied = one.call("devnet/fork", params={"depth": 4, "drop_share": 1.0}, id=2)["result"]
        assert emptied["moved"] == 0
        refused = one.call("devnet/fork", params={"depth": 1_000})
        assert refused["error"]["code"] == -32000
        assert len(chain) == 102


def _page(url: str, path: str) -> tuple[int, bytes, str]:
    try:
        with urllib.request.urlopen(url.replace("ws://", "http://") + path, timeout=5) as answer:
            return answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), ""


def test_health_tells_version_network_and_tip() -> None:
    chain = empty_chain(5)
    with served(chain) as (node, _):
        status, body, kind = _page(node.url, "/health")
        health = json.loads(body)
        assert (status, kind) == (200, "application/json;charset=utf-8")
        assert health["version"].startswith("v6.14")
        assert health["network"] == "devnet"
        assert health["networkSynchronization"] == 1
        assert health["lastKnownTip"] == tip(chain)
        assert health["connectionStatus"] == "connected"
        assert health["metrics"]["activeConnections"] == 1
        chain.complete = False
        status, body, _ = _page(node.url, "/health")
        assert status == 202
        assert json.loads(body)["networkSynchronization"] < 1
        assert _page(node.url, "/nothing")[0] == 404


def test_metrics_have_ogmios_own_names() -> None:
    chain = empty_chain(5)
    with served(chain) as (node, one):
        one.send_raw("nonsense").receive()
        text = _page(node.url, "/metrics")[1].decode()
        assert "ogmios_tip_block 4" in text
        assert "ogmios_active_connections 1" in text
        assert "ogmios_total_unrouted 1" in text


def test_the_server_answers_pings() -> None:
    with served(empty_chain(1)) as (_, one):
        assert one.ping()


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    chain = empty_chain(1)
    with (
        serve(chain) as node,
        pytest.raises(ConfigurationError, match=f"127.0.0.1:{node.port}"),
        serve(chain, port=node.port),
    ):
        pass


def test_a_disconnected_client_can_come_back() -> None:
    chain = empty_chain(5)
    with serve(chain) as node:
        with client(node) as one:
            one.next()
            node.disconnect(code=1000, reason='{"error":{"code":-32000,"message":"Connection with the node lost."}}')
            time.sleep(0.1)
        with client(node) as other:
            assert other.next()["direction"] == "forward"
