import json
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from indexer.protocol.keys import UNVERIFIED, battery_key, label_of, label_prefix, name_scheme, passport_token
from tests.indexer.build import plutus
from tests.shared import shared


def test_label_prefixes_are_those_of_cip_67() -> None:
    vectors = json.loads(shared("vectors/cip67_vectors.json").read_text())
    for label, prefix in (vectors["label_to_prefix_hex"] | vectors["derived_not_in_cip"]).items():
        assert label_prefix(int(label)).hex() == prefix
        assert label_of(bytes.fromhex(prefix) + b"name") == int(label)


@given(st.integers(0, 65_535), st.integers(0, 31))
def test_a_label_with_any_bit_changed_is_another_or_none(label: int, bit: int) -> None:
    changed = (int.from_bytes(label_prefix(label), "big") ^ 1 << bit).to_bytes(4, "big")
    assert label_of(changed) != label


def test_a_battery_s_key_is_the_hash_of_its_id_or_the_id_itself() -> None:
    assert battery_key(b"urn:x", "blake2b_224") == blake2b(b"urn:x", digest_size=28).hexdigest()
    assert battery_key(b"k" * 28, "raw") == (b"k" * 28).hex()


def test_a_raw_id_of_another_length_or_that_begins_like_a_label_has_no_key() -> None:
    assert battery_key(b"k" * 27, "raw") is None
    assert battery_key(label_prefix(100) + b"k" * 24, "raw") is None


def test_token_names_say_role_and_battery() -> None:
    key = b"k" * 28
    for prefix, role in ((label_prefix(100), "reference"), (label_prefix(222), "user"), (b"", "thread")):
        for rule in ("blake2b_224", "raw"):
            token = passport_token(prefix + key, rule)
            assert token is not None
            assert (token.role, token.battery_key) == (role, key.hex())


def test_names_that_follow_no_rule_are_no_token() -> None:
    key = b"k" * 28
    for name in (b"", key[:27], key + b"k", label_prefix(333) + key, label_prefix(100), label_prefix(100) + key[:27]):
        assert passport_token(name, "blake2b_224") is None


def test_a_28_byte_name_that_looks_labelled_is_a_thread_token_by_hash_and_none_by_raw_id() -> None:
    name = label_prefix(100) + b"k" * 24
    token = passport_token(name, "blake2b_224")
    assert token is not None
    assert token.role == "thread"
    assert passport_token(name, "raw") is None
    assert passport_token(label_prefix(222) + name, "raw") is None


def test_every_candidate_scheme_of_the_worked_example_is_recognised() -> None:
    worked = json.loads(shared("vectors/protocol_worked_example.json").read_text())
    inputs = worked["inputs"]
    battery, user = inputs["battery_id"].encode(), bytes.fromhex(inputs["user_pkh"])
    for scheme, name in worked["token_name_candidates"].items():
        assert name_scheme(bytes.fromhex(name), battery, user, inputs["slot"], None) == scheme


def test_the_reference_contracts_name_and_others_are_told_apart() -> None:
    battery, user, slot = b"urn:x", b"u" * 28, 1_000
    listed = plutus((battery, user, slot))
    assert (
        name_scheme(blake2b(listed, digest_size=32).digest(), battery, user, slot, None) == "blake2b_256/serialise_data"
    )
    definite = plutus((battery, user, slot), definite=True)
    assert name_scheme(blake2b(definite, digest_size=32).digest(), battery, user, slot, None) == "blake2b_256/cbor_list"
    nonce = blake2b(battery + user + b"n", digest_size=32).digest()
    assert name_scheme(nonce, battery, user, None, b"n") == "blake2b_256/nonce"
    assert name_scheme(b"x" * 32, battery, user, slot, b"n") == UNVERIFIED


@given(st.binary(max_size=40), st.binary(), st.binary(), st.none() | st.integers(), st.none() | st.binary())
def test_any_datum_has_a_scheme(
    name: bytes, battery: bytes, user: bytes, slot: int | None, nonce: bytes | None
) -> None:
    assert name_scheme(name, battery, user, slot, nonce)
