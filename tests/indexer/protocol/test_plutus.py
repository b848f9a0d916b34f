import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.protocol.cbor import Limits, Malformed
from indexer.protocol.plutus import Constr, Data, PlutusMap, constructor_index, datum_hash, read_plutus
from tests.indexer.build import plutus
from tests.shared import shared


def example() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared("vectors/protocol_worked_example.json").read_text())
    return loaded


def reason_of(raw: str) -> str:
    with pytest.raises(Malformed) as caught:
        read_plutus(bytes.fromhex(raw))
    return caught.value.reason


def test_every_datum_of_the_worked_example_is_read_and_written_back_to_the_byte() -> None:
    for name, text in example()["plutus_data_hex"].items():
        raw = bytes.fromhex(text)
        assert plutus(read_plutus(raw).value) == raw, name
        assert datum_hash(raw) == example()["datum_hash_blake2b_256"][name]


def test_the_worked_example_s_redeemer_holds_the_cose_bytes_joined() -> None:
    value = read_plutus(bytes.fromhex(example()["plutus_data_hex"]["redeemer_submit"])).value
    assert value == Constr(0, (bytes.fromhex(example()["inputs"]["cose"]),))


def test_the_unit_datum_has_the_ledger_s_hash() -> None:
    assert datum_hash(bytes.fromhex("d87980")) == "923918e403bf43c34b4ef6b48eb2ee04babed17320d8d1b9ff9ad086e86f44ec"


def test_every_truncation_of_a_good_datum_is_named_and_so_is_a_byte_too_many() -> None:
    for text in example()["plutus_data_hex"].values():
        for length in range(0, len(text), 2):
            assert reason_of(text[:length]) == "truncated"
        assert reason_of(text + "00") == "trailing_bytes"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("d8799f0102ff", Constr(0, (1, 2))),
        ("d879820102", Constr(0, (1, 2))),
        ("d9050080", Constr(7, ())),
        ("d9057880", Constr(127, ())),
        ("d8668218809f01ff", Constr(128, (1,))),
        ("d8669f18808101ff", Constr(128, (1,))),
        ("d8669f18809f01ffff", Constr(128, (1,))),
        ("d8669f188080ff", Constr(128, ())),
        ("d866821bffffffffffffffff80", Constr((1 << 64) - 1, ())),
        ("a201020103", PlutusMap(((1, 2), (1, 3)))),
        ("bf01020201ff", PlutusMap(((1, 2), (2, 1)))),
        ("a0", PlutusMap(())),
        ("bfff", PlutusMap(())),
        ("9fff", ()),
        ("80", ()),
        ("5fff", b""),
        ("5f41014102ff", b"\x01\x02"),
        ("c25f4801000000000000004100ff", 1 << 64),
        ("c240", 0),
        ("c340", -1),
        ("1b0000000000000001", 1),
        ("3bffffffffffffffff", -(1 << 64)),
    ],
)
def test_both_list_forms_all_constructors_and_big_integers_are_read(raw: str, value: Data) -> None:
    assert read_plutus(bytes.fromhex(raw)).value == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("60", "not_plutus_data"),
        ("f5", "not_plutus_data"),
        ("f93c00", "not_plutus_data"),
        ("ff", "unexpected_break"),
        ("81ff", "unexpected_break"),
        ("bf01ff", "odd_map"),
        ("d87a01", "wrong_constructor"),
        ("d87aa0", "wrong_constructor"),
        ("d8668101", "wrong_constructor"),
        ("d86683018000", "wrong_constructor"),
        ("d866822080", "wrong_constructor"),
        ("d8669f018000ff", "wrong_constructor"),
        ("c200", "wrong_big_integer"),
        ("c001", "unknown_tag"),
        ("d88001", "unknown_tag"),
        ("5f01ff", "wrong_chunk"),
        ("5f5f4101ffff", "wrong_chunk"),
        ("1c", "reserved_length"),
        ("9b" + "ff" * 8, "too_many_items"),
        ("bb" + "ff" * 8, "too_many_items"),
    ],
)
def test_bytes_that_are_no_plutus_data_have_a_reason(raw: str, reason: str) -> None:
    assert reason_of(raw) == reason


@pytest.mark.parametrize("opening", ["81", "9f", "a100", "bf00", "d87981", "d8799f", "d866820081"])
def test_16_000_levels_are_refused_at_once(opening: str) -> None:
    started = time.perf_counter()
    assert reason_of((opening * 16_000)[: 2 * 65_536]) == "too_deep"
    assert time.perf_counter() - started < 1


def test_a_limit_of_its_own_lets_16_000_levels_through() -> None:
    limits = Limits(depth=20_000, items=40_000, size=65_536)
    value = read_plutus(b"\x81" * 16_000 + b"\x00", limits).value
    depth = 0
    while isinstance(value, tuple):
        (value,) = value
        depth += 1
    assert depth == 16_000


def test_size_and_items_are_bounded() -> None:
    assert reason_of("00" * 65_537) == "too_large"
    assert reason_of("9f" + "00" * 40_000 + "ff") == "too_many_items"


def test_an_integer_of_a_whole_transaction_is_read_fast() -> None:
    raw = b"\xc2\x5f" + (b"\x58\x40" + b"\xff" * 64) * 240 + b"\xff"
    started = time.perf_counter()
    assert read_plutus(raw).value == (1 << 8 * 64 * 240) - 1
    assert time.perf_counter() - started < 1


def test_a_string_of_over_64_bytes_in_one_piece_is_read_and_noted() -> None:
    assert not read_plutus(b"\x58\x40" + b"a" * 64).long_chunks
    assert read_plutus(b"\x58\x41" + b"a" * 65).long_chunks
    assert read_plutus(b"\x5f\x58\x41" + b"a" * 65 + b"\xff").long_chunks


def test_each_constructor_tag_stands_for_its_number() -> None:
    found = [constructor_index(tag) for tag in (*range(121, 128), *range(1280, 1401))]
    assert found == list(range(128))
    assert [constructor_index(tag) for tag in (102, 120, 128, 1279, 1401)] == [None] * 5


leaves = st.integers() | st.integers(-(1 << 600), 1 << 600) | st.binary(max_size=200)
data = st.recursive(
    leaves,
    lambda held: (
        st.lists(held, max_size=4).map(tuple)
        | st.lists(st.tuples(held, held), max_size=3).map(lambda pairs: PlutusMap(tuple(pairs)))
        | st.builds(Constr, st.integers(0, 300), st.lists(held, max_size=4).map(tuple))
    ),
    max_leaves=15,
)


@given(data, st.booleans())
def test_any_value_in_either_form_comes_back_as_it_was(value: Data, definite: bool) -> None:
    assert read_plutus(plutus(value, definite=definite)).value == value


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_as_malformed(raw: bytes) -> None:
    with suppress(Malformed):
        read_plutus(raw)


@given(data, st.data())
def test_any_truncation_of_any_value_is_named(value: Data, choice: st.DataObject) -> None:
    raw = plutus(value)
    length = choice.draw(st.integers(0, len(raw) - 1))
    assert reason_of(raw[:length].hex()) == "truncated"
