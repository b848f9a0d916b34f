"""The pre-filter is complete: what it lets pass by unread states no fact."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from indexer.chain import Block, ChainMessage, RollForward, Transaction
from indexer.decode import decode
from indexer.ogmios import prefilter
from indexer.ogmios.messages import InvalidFrame, read_block, read_header
from indexer.protocol.profile import needles
from tests.indexer import build
from tests.recordings import preview_frames
from tests.shared import shared

PROFILES = (build.profile("one"), build.profile("two"))
NEEDLES = [needle for profile in PROFILES for needle in needles(profile)]


def honest() -> list[Transaction]:
    makers = (build.register, build.commit, build.submit, build.reclaim, build.close)
    return [make(to=profile) for profile in PROFILES for make in makers]


def frame_of(transactions: list[Any]) -> bytes:
    block = {
        "type": "praos",
        "id": "ab" * 32,
        "ancestor": "cd" * 32,
        "height": 7,
        "slot": 140,
        "transactions": transactions,
        "filler": "x" * prefilter.WORTH_FILTERING_BYTES,
    }
    return msgspec.json.encode({"result": {"direction": "forward", "block": block, "tip": "origin"}})


def facts(frame: bytes, *, filtered: bool) -> list[Any]:
    if not filtered:
        return facts_of(read_block(frame))
    buffer = bytearray(b"before" + frame + b"after")
    (message,) = prefilter.read_all([(buffer, 6, 6 + len(frame))], prefilter.make_prefilter(NEEDLES))
    return facts_of(message)


def facts_of(message: ChainMessage) -> list[Any]:
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    return decode(message.block, PROFILES)


@st.composite
def mutilated(draw: st.DrawFn) -> list[Any]:
    """Transactions of deployments, unrelated ones, and both with parts taken out, moved or made unreadable."""
    chosen = draw(st.lists(st.sampled_from(honest()), max_size=3))
    plain: list[dict[str, Any]] = [msgspec.to_builtins(each) for each in chosen]
    for transaction in plain:
        for key in draw(st.lists(st.sampled_from(sorted(transaction)), max_size=4)):
            transaction.pop(key, None)
        if draw(st.booleans()):
            transaction["spends"] = "collaterals"
        if draw(st.booleans()) and transaction.get("outputs"):
            transaction["collateralReturn"] = transaction["outputs"][0]
        if draw(st.booleans()):
            transaction["inputs"] = draw(st.sampled_from(["none", [], 5]))
        if draw(st.booleans()):
            transaction["subTransactions"] = [dict(each) for each in plain if each is not transaction]
    return plain


@given(mutilated())
def test_filtered_equals_unfiltered(transactions: list[Any]) -> None:
    frame = frame_of(transactions)
    assert facts(frame, filtered=True) == facts(frame, filtered=False)


@pytest.mark.parametrize("transaction", honest(), ids=lambda t: t.id[:8])
def test_each_kind_of_transaction_of_a_deployment_is_let_through(transaction: Transaction) -> None:
    frame = frame_of([msgspec.to_builtins(transaction)])
    assert facts(frame, filtered=True) != []
    assert facts(frame, filtered=True) == facts(frame, filtered=False)


def test_blocks_of_others_are_passed_by() -> None:
    concerns = prefilter.make_prefilter(NEEDLES)
    large = [frame for frame in preview_frames() if len(frame) >= prefilter.WORTH_FILTERING_BYTES]
    assert large
    assert not any(concerns(bytearray(frame), 0, len(frame)) for frame in large)


def test_poison_frames_of_others_state_no_fact_either_way() -> None:
    for file in sorted(shared("vectors/poison").iterdir()):
        frame = file.read_bytes()
        assert facts(frame, filtered=True) == facts(frame, filtered=False) == []


@given(st.integers(0, prefilter.WORTH_FILTERING_BYTES), st.sampled_from(NEEDLES))
def test_a_needle_is_found_wherever_it_lies_and_not_beyond_the_frame(at: int, needle: bytes) -> None:
    hay = (needle[:-1] * prefilter.WORTH_FILTERING_BYTES)[: prefilter.WORTH_FILTERING_BYTES]
    with_needle = bytearray(hay[:at] + needle + hay[at:])
    concerns = prefilter.make_prefilter([needle])
    assert concerns(with_needle, 0, len(with_needle))
    cut = bytearray(hay + needle)
    assert not concerns(cut, 0, len(cut) - 1)


@given(st.lists(st.sampled_from(range(4)), min_size=1, max_size=6), st.integers(0, 6))
def test_messages_received_together_say_what_each_says_by_itself(kinds: list[int], apart: int) -> None:
    """One search may serve them all; a message put together of fragments lies in a buffer of its own."""
    concerning = [frame_of([msgspec.to_builtins(each)]) for each in honest()[:2]]
    frames = [[*concerning, preview_frames()[0], preview_frames()[2]][kind] for kind in kinds]
    buffer = bytearray()
    places: list[prefilter.Place] = []
    for number, frame in enumerate(frames):
        buffer += b"\x81\x7e.."
        places.append((frame, 0, len(frame)) if number == apart else (buffer, len(buffer), len(buffer) + len(frame)))
        buffer += frame
    read = prefilter.read_all(places, prefilter.make_prefilter(NEEDLES))
    assert [facts_of(message) for message in read] == [facts(frame, filtered=False) for frame in frames]


def passed_by(frame: bytes) -> ChainMessage:
    """A message that concerns nobody, read from the middle of a buffer."""
    (message,) = prefilter.read_all([(bytearray(b"[]" + frame + b"]"), 2, 2 + len(frame))], lambda *_: False)
    return message


def test_of_a_message_passed_by_only_the_transactions_are_missing() -> None:
    frames = [*preview_frames(), *(file.read_bytes() for file in sorted(shared("vectors/poison").iterdir()))]
    for frame in frames:
        expected, read = read_block(frame), passed_by(frame)
        assert isinstance(expected, RollForward)
        assert isinstance(expected.block, Block)
        assert read == RollForward(replace(expected.block, transactions=()), expected.tip)


@given(st.permutations(["type", "id", "ancestor", "height", "slot", "transactions", "more"]), st.booleans())
def test_where_the_transactions_stand_in_a_message_makes_no_difference(keys: list[str], tip_first: bool) -> None:
    hostile = {"id": "ef" * 32, "metadata": 'x"transactions":[ ]}],"slot":1,"tip":"origin"' * 60}
    fields: dict[str, Any] = {"type": "praos", "id": "ab" * 32, "ancestor": "cd" * 32, "height": 7, "slot": 140}
    fields |= {"transactions": [hostile, {"transactions": [[]], "slot": 3}], "more": {"of": ["what", ["comes"]]}}
    result: dict[str, Any] = {"direction": "forward", "block": {key: fields[key] for key in keys}, "tip": "origin"}
    if tip_first:
        result = {key: result[key] for key in ("tip", "block", "direction")}
    frame = msgspec.json.encode({"result": result, "id": None})
    assert len(frame) > prefilter.WORTH_FILTERING_BYTES
    assert passed_by(frame) == read_header(frame)


def test_a_message_cut_short_is_an_error_though_it_concerns_nobody() -> None:
    frame = next(each for each in preview_frames() if len(each) > 4_000)
    for length in range(len(frame)):
        with pytest.raises(InvalidFrame):
            passed_by(frame[:length])


def test_without_memmem_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefilter, "_memmem", lambda: None)
    for transaction in honest():
        assert facts(frame_of([msgspec.to_builtins(transaction)]), filtered=True) != []
