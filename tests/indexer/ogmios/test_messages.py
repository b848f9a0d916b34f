import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.chain import ORIGIN, Block, BoundaryBlock, Point, RollBackward, RollForward, Tip, UnreadableTransaction
from indexer.ogmios.messages import (
    InvalidFrame,
    NoIntersection,
    RequestFailed,
    find_intersection,
    read_block,
    read_header,
    read_intersection,
    read_result,
)
from indexer.ogmios.salvage import DEPTH_KEPT, salvage
from tests.recordings import preview_frames
from tests.shared import shared

VERSIONS = ("v6.0.0", "v6.14.0", "v7.0.0")
ID = "ab" * 32
HEADER = {"type": "praos", "era": "conway", "id": ID, "ancestor": "cd" * 32, "height": 7, "slot": 140}
GOOD: dict[str, Any] = {
    "id": "01" * 32,
    "spends": "inputs",
    "inputs": [{"transaction": {"id": "02" * 32}, "index": 0}],
    "outputs": [],
    "signatories": [],
}


def answer(transactions: list[Any], **more: Any) -> bytes:
    block = HEADER | {"transactions": transactions}
    tip = {"slot": 140, "id": ID, "height": 7}
    result = {"direction": "forward", "block": block, "tip": tip}
    return json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None} | more).encode()


def files(kind: str) -> list[Path]:
    return sorted(file for version in VERSIONS for file in shared(f"vectors/ogmios/{version}/{kind}").iterdir())


def test_all_recorded_answers_of_each_version_decode() -> None:
    seen = 0
    for file in files("NextBlockResponse"):
        frame = file.read_bytes()
        said = json.loads(frame)["result"]
        message = read_block(frame)
        header = read_header(frame)
        if said["direction"] == "backward":
            assert isinstance(message, RollBackward)
            assert msgspec.to_builtins(message.point) == said["point"]
        else:
            assert isinstance(message, RollForward)
            assert isinstance(header, RollForward)
            assert (message.block.height, message.block.parent) == (said["block"]["height"], said["block"]["ancestor"])
            assert (header.block.height, header.block.parent) == (message.block.height, message.block.parent)
            if isinstance(message.block, BoundaryBlock):
                assert said["block"]["type"] == "ebb"
            else:
                assert [getattr(each, "id", None) for each in message.block.transactions] == [
                    each["id"] for each in said["block"].get("transactions", [])
                ]
        seen += 1
    assert seen == 125


def test_a_transaction_read_is_the_transaction_sent() -> None:
    """No field that the decoder names is dropped or bent, in any version."""
    for file in files("NextBlockResponse"):
        frame = file.read_bytes()
        message = read_block(frame)
        if not isinstance(message, RollForward) or isinstance(message.block, BoundaryBlock):
            continue
        for read, sent in zip(
            message.block.transactions, json.loads(frame)["result"]["block"]["transactions"], strict=True
        ):
            assert not isinstance(read, UnreadableTransaction)
            assert read.spends == sent["spends"]
            assert read.mint == sent.get("mint", {})
            assert msgspec.to_builtins(read.inputs) == tuple(sent["inputs"])
            assert [each.redeemer for each in read.redeemers] == [
                each["redeemer"] for each in sent.get("redeemers", [])
            ]
            assert list(read.required_extra_signatories) == sent.get("requiredExtraSignatories", [])
            for output, original in zip(read.outputs, sent.get("outputs", []), strict=True):
                assert output.value == original["value"]
                assert (output.datum, output.datum_hash) == (original.get("datum"), original.get("datumHash"))
                assert (output.script is None) == ("script" not in original)


def test_all_recorded_intersections_decode_or_fail_by_name() -> None:
    for file in files("FindIntersectionResponse"):
        frame = file.read_bytes()
        said = json.loads(frame)
        if "result" in said:
            found = read_intersection(frame)
            assert msgspec.to_builtins(found) == said["result"]
        elif said["error"]["code"] == 1000:
            assert isinstance(read_intersection(frame), NoIntersection)
        else:
            with pytest.raises(RequestFailed, match="1001"):
                read_intersection(frame)


def test_the_real_preview_run_links_from_block_to_block() -> None:
    frames = preview_frames()
    blocks = []
    for frame in frames:
        message = read_block(frame)
        assert isinstance(message, RollForward)
        assert isinstance(message.block, Block)
        blocks.append(message.block)
    assert len(blocks) == 864
    assert all(b.parent == a.point.id and b.height == a.height + 1 for a, b in pairwise(blocks))
    assert sum(len(each.transactions) for each in blocks) == 233


def test_every_truncation_of_a_real_block_is_a_typed_error() -> None:
    frame = next(frame for frame in preview_frames() if 4_000 < len(frame) < 8_000)
    for length in range(len(frame)):
        with pytest.raises(InvalidFrame):
            read_header(frame[:length])


def test_a_real_block_with_a_byte_too_many_is_a_typed_error() -> None:
    with pytest.raises(InvalidFrame):
        read_block(preview_frames()[0] + b"x")


def test_every_poison_frame_yields_all_its_good_transactions() -> None:
    frames = sorted(shared("vectors/poison").iterdir())
    assert len(frames) == 6
    for file in frames:
        message = read_block(file.read_bytes())
        assert isinstance(message, RollForward)
        assert isinstance(message.block, Block)
        assert [getattr(each, "id", "")[-4:] for each in message.block.transactions] == ["0001", "0002", "0003"], (
            file.name
        )
        assert read_header(file.read_bytes()) is not None


def deep(levels: int) -> str:
    return '{"clause":"all","from":[' * levels + "]}" * levels


def test_a_script_nested_deeper_than_any_parser_takes_nothing_else_with_it() -> None:
    frame = answer([GOOD, GOOD | {"scripts": {"aa": {"language": "native", "json": "DEEP"}}}, GOOD])
    message = read_block(frame.replace(b'"DEEP"', deep(20_000).encode()))
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    assert [type(each).__name__ for each in message.block.transactions] == ["Transaction"] * 3


def test_a_transaction_that_cannot_be_read_keeps_its_place_and_its_text() -> None:
    bad = GOOD | {"inputs": "none"}
    message = read_block(answer([GOOD, bad, GOOD]))
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    first, second, third = message.block.transactions
    assert isinstance(second, UnreadableTransaction)
    assert json.loads(second.raw) == bad
    assert "inputs" in second.reason
    assert not isinstance(first, UnreadableTransaction)
    assert not isinstance(third, UnreadableTransaction)


@pytest.mark.parametrize("deep_key", ["metadata", "certificates", "unknown"])
def test_deep_nesting_anywhere_takes_nothing_else_with_it(deep_key: str) -> None:
    frame = answer([GOOD, GOOD | {deep_key: "DEEP"}, GOOD]).replace(b'"DEEP"', b"[" * 5_000 + b"]" * 5_000)
    message = read_block(frame)
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    assert [type(each).__name__ for each in message.block.transactions] == ["Transaction"] * 3


def test_integers_beyond_64_bits_are_read_exactly() -> None:
    huge = 2**64 + 1
    message = read_block(answer([GOOD | {"mint": {"aa" * 28: {"": huge, "bb": -huge}}}]))
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    transaction = message.block.transactions[0]
    assert not isinstance(transaction, UnreadableTransaction)
    assert transaction.mint == {"aa" * 28: {"": huge, "bb": -huge}}


def test_strict_rpc_and_unknown_fields_change_nothing() -> None:
    frame = json.loads(answer([GOOD]))
    del frame["method"]
    frame["result"]["block"]["future"] = {"x": 1}
    frame["result"]["block"]["transactions"][0]["future"] = []
    assert read_block(json.dumps(frame).encode()) == read_block(answer([GOOD]))


def test_keys_in_another_order_change_nothing() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(each) for each in value] if isinstance(value, list) else value

    frame = json.loads(answer([GOOD]))
    assert read_block(json.dumps(turned(frame)).encode()) == read_block(answer([GOOD]))


@pytest.mark.parametrize(
    "header",
    [
        {"id": "ab" * 31},
        {"id": "AB" * 32},
        {"id": "\x1b[2J".ljust(64, "0")},
        {"id": "ab" * 32 + "\n"},
        {"ancestor": ""},
        {"slot": -1},
        {"height": -1},
    ],
)
def test_a_header_that_can_be_no_blocks_is_refused_by_name(header: dict[str, Any]) -> None:
    frame = json.loads(answer([GOOD]))
    frame["result"]["block"] |= header
    for read in (read_block, read_header):
        with pytest.raises(InvalidFrame):
            read(json.dumps(frame).encode())


@pytest.mark.parametrize("tip", [{"slot": 10**400}, {"height": 2**64}, {"slot": -1}])
def test_a_tip_beyond_64_bits_is_refused_by_name(tip: dict[str, Any]) -> None:
    frame = json.loads(answer([GOOD]))
    frame["result"]["tip"] |= tip
    with pytest.raises(InvalidFrame):
        read_block(json.dumps(frame).encode())


def test_an_error_answer_is_named_by_its_code() -> None:
    with pytest.raises(RequestFailed, match="-32603"):
        read_block(b'{"jsonrpc":"2.0","error":{"code":-32603,"message":"oops"},"id":null}')
    with pytest.raises(RequestFailed, match="2001"):
        read_result(b'{"jsonrpc":"2.0","error":{"code":2001,"message":"era mismatch"},"id":null}', "queryX")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_name(frame: bytes) -> None:
    try:
        read_block(frame)
    except (InvalidFrame, RequestFailed):
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('[]{}"\\aé'), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['"', "a", "[", "b"]), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(JSON, st.integers(0, 3))
def test_salvage_cuts_out_exactly_what_is_nested_too_deep(value: Any, above: int) -> None:
    """Whatever brackets and quotes the strings hold."""

    def cut(value: Any, depth: int) -> Any:
        if isinstance(value, dict | list) and depth == DEPTH_KEPT:
            return None
        if isinstance(value, dict):
            return {key: cut(each, depth + 1) for key, each in value.items()}
        return [cut(each, depth + 1) for each in value] if isinstance(value, list) else value

    for _ in range(DEPTH_KEPT - above):
        value = [value]
    assert json.loads(salvage(json.dumps(value).encode())) == cut(value, 0)


def test_the_points_offered_are_as_ogmios_reads_them() -> None:
    request = json.loads(find_intersection((Point(5, ID), ORIGIN)))
    assert request["params"] == {"points": [{"slot": 5, "id": ID}, "origin"]}


def test_a_tip_and_a_point_may_be_the_origin() -> None:
    message = read_block(b'{"result":{"direction":"backward","point":"origin","tip":"origin"}}')
    assert message == RollBackward(ORIGIN, ORIGIN)
    message = read_block(b'{"result":{"direction":"backward","tip":{"slot":1,"id":"aa","height":1},"point":"origin"}}')
    assert message == RollBackward(ORIGIN, Tip(1, "aa", 1))


NOT_UTF_8 = b"\x9f"
NESTED = b"[" * 50_000 + b"]" * 50_000


@pytest.mark.parametrize("place", [b'{"result":%s}', b'{"error":{"code":1000,"message":"","data":%s}}', b'{"new":%s}'])
@pytest.mark.parametrize(
    "poison", [NESTED, b'"%s"' % NOT_UTF_8, b'{"%s":1}' % NOT_UTF_8], ids=["nested", "text", "key"]
)
def test_no_answer_of_a_node_ends_in_anything_but_a_refusal_or_a_value(place: bytes, poison: bytes) -> None:
    frame = place % poison
    for read in (read_block, read_header, read_intersection, lambda frame: read_result(frame, "queryNetwork/tip")):
        try:
            read(frame)
        except (InvalidFrame, RequestFailed):
            pass


def test_a_transaction_whose_text_is_not_utf_8_is_unreadable_and_takes_no_other_with_it() -> None:
    frame = answer([GOOD, GOOD | {"spends": "POISON"}, GOOD]).replace(b"POISON", NOT_UTF_8)
    message = read_block(frame)
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    kinds = [type(each) for each in message.block.transactions]
    assert kinds[1] is UnreadableTransaction
    assert UnreadableTransaction not in (kinds[0], kinds[2])
