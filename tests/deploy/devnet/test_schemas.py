from typing import Any

import pytest

from deploy.devnet.network import OgmiosVersion
from tests.deploy.devnet.client import SMALL_K, Client, Json, lively_chain, served
from tests.deploy.devnet.schemas import problems, validator

VERSIONS = [("6.14", "v6.14"), ("7", "v7.0")]

QUERIES = {
    "queryNetwork/tip": "QueryNetworkTipResponse",
    "queryNetwork/blockHeight": "QueryNetworkBlockHeightResponse",
    "queryNetwork/startTime": "QueryNetworkStartTimeResponse",
    "queryLedgerState/eraSummaries": "QueryLedgerStateEraSummariesResponse",
    "queryLedgerState/epoch": "QueryLedgerStateEpochResponse",
    "queryLedgerState/tip": "QueryLedgerStateTipResponse",
}


def shape(value: Any) -> Any:
    """The kinds of a value's parts, so that two messages of one kind are checked once."""
    match value:
        case dict():
            return tuple(sorted((key if len(key) < 40 else "hex", shape(part)) for key, part in value.items()))
        case list():
            return tuple(sorted({repr(shape(part)) for part in value}))
        case bool() | int() | None:
            return type(value).__name__
        case _:
            return value if len(value) < 12 and not value[:1].isdigit() else "text"


@pytest.mark.parametrize(("version", "schema"), VERSIONS)
def test_every_kind_of_nextblock_answer_is_as_the_schema_has_it(version: OgmiosVersion, schema: str) -> None:
    chain, maker = lively_chain(2_500, version=version, batteries=30, interval_slots=600)
    kinds = {made.kind for made in maker._made.values()}
    assert {"deploy", "register", "commit", "submit", "rejected", "reclaim", "close", "top_up", "sell"} <= kinds
    seen: set[str] = set()
    checked = 0
    with served(chain) as (_, one):
        one.find("origin")
        for number in range(len(chain) + 1):
            answer = one.call("nextBlock", id=number % 3)
            block = answer["result"].get("block", {})
            for tx in block.get("transactions", [{}]):
                kind = repr(shape(tx)) if tx else repr(shape(answer))
                if kind not in seen:
                    seen.add(kind)
                    checked += 1
                    assert problems(schema, "NextBlockResponse", answer) == []
                    break
        chain.fork(SMALL_K)
        assert problems(schema, "NextBlockResponse", one.call("nextBlock")) == []
        assert problems(schema, "NextBlockResponse", one.call("nextBlock")) == []
    assert checked > 10


@pytest.mark.parametrize(("version", "schema"), VERSIONS)
def test_every_other_answer_is_as_the_schema_has_it(version: OgmiosVersion, schema: str) -> None:
    chain, _ = lively_chain(30, version=version)
    with served(chain) as (_, one):
        for points in (["origin"], [{"slot": 3, "id": "00" * 32}]):
            assert problems(schema, "FindIntersectionResponse", one.find(*points)) == []
        for method, name in QUERIES.items():
            assert problems(schema, name, one.call(method, id="x")) == [], method
        shelley = one.call("queryNetwork/genesisConfiguration", params={"era": "shelley"})
        assert problems(schema, "QueryNetworkGenesisConfigurationResponse", shelley) == []
        byron = one.call("queryNetwork/genesisConfiguration", params={"era": "byron"})
        assert problems(schema, "QueryNetworkInvalidGenesis", byron) == []
        for text in ("{", "[]", '{"jsonrpc":"2.0","method":"x"}'):
            assert problems(schema, "RpcError", one.send_raw(text).receive()) == []
        assert problems(schema, "FindIntersectionResponse", _interleaved(one, len(chain))) == []


def _interleaved(one: Client, blocks: int) -> Json:
    one.find("origin")
    for _ in range(blocks + 2):
        one.send("nextBlock")
    for _ in range(blocks + 1):
        one.receive()
    return one.find("origin")


def test_v7_leaves_out_what_is_empty_and_v6_does_not() -> None:
    transactions = {}
    for version in ("6.14", "7"):
        chain, _ = lively_chain(300, version=version)
        with served(chain) as (_, one):
            blocks = [one.next()["block"] for _ in range(300)]
        transactions[version] = [tx for block in blocks for tx in block.get("transactions", [])]
    old, new = transactions["6.14"], transactions["7"]
    assert [tx["id"] for tx in old] == [tx["id"] for tx in new]
    assert all("validityInterval" in tx and "outputs" in tx for tx in old)
    assert any("validityInterval" not in tx for tx in new)
    assert all(tx.get("validityInterval", True) and tx.get("outputs", True) for tx in new)


def test_the_schemas_refuse_what_is_wrong() -> None:
    """The validators look at what we send: a field too many or too few does not pass."""
    assert validator("v6.14", "NextBlockResponse").is_valid({"jsonrpc": "2.0", "method": "nextBlock"}) is False
    wrong = {"jsonrpc": "2.0", "method": "queryNetwork/tip", "result": {"slot": 1, "id": "00" * 31}}
    assert problems("v7.0", "QueryNetworkTipResponse", wrong)
