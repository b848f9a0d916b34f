"""Packs made to hurt the verifier: sealed as they should be, and anything at all inside."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.audit.container import read_container, write_container
from consumers.audit.manifest import MANIFEST, SEAL, canonical, seal_of
from consumers.audit.verify import verify_pack
from tests.consumers.audit.poison import POISON, places, put
from tests.consumers.audit.test_pack import resealed

JSON_PARTS = ("log/spine.jsonl", "log/records.jsonl", "log/tree.json", "judging.json", "verdicts.json", "passport.json")
DEEP = "[" * 5_000 + "]" * 5_000


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(JSON_PARTS), st.integers(0, 1 << 30), st.integers(0, 1 << 30), st.sampled_from(POISON))
def test_no_value_in_any_place_of_any_part_ends_the_verifier(
    pack: bytes, name: str, which: int, where: int, value: Any
) -> None:
    parts = read_container(pack)
    lines = parts[name].splitlines(keepends=True)
    at = which % len(lines)
    document = json.loads(lines[at])
    paths = places(document)
    path = paths[where % len(paths)]
    lines[at] = json.dumps(put(document, path, value), separators=(",", ":")).encode() + b"\n"
    altered = {**parts, name: b"".join(lines)}
    answer = verify_pack(resealed(altered))
    assert answer.lines
    # Another profile or other thresholds may judge: as long as the verdicts follow, that is a pack of its own.
    if altered[name] != parts[name] and name != "judging.json":
        assert not answer.holds


@pytest.mark.parametrize("last", [1 << 40, 1 << 64, -(1 << 200)])
def test_a_step_that_claims_more_records_than_memory_holds_is_found_out_at_once(pack: bytes, last: int) -> None:
    parts = read_container(pack)
    lines = parts["log/spine.jsonl"].splitlines(keepends=True)
    for at, line in enumerate(lines):
        step = json.loads(line)
        step["partitions"] = [[first, last, *rest] for first, _, *rest in step["partitions"]]
        lines[at] = json.dumps(step, separators=(",", ":")).encode() + b"\n"
    assert not verify_pack(resealed({**parts, "log/spine.jsonl": b"".join(lines)})).holds


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from(POISON))
def test_no_value_in_any_place_of_the_manifest_ends_the_verifier(pack: bytes, where: int, value: Any) -> None:
    parts = read_container(pack)
    document = json.loads(parts[MANIFEST])
    paths = places(document)
    content = msgspec.json.encode(put(document, paths[where % len(paths)], value)) + b"\n"
    answer = verify_pack(write_container({**parts, MANIFEST: content, SEAL: canonical(seal_of(content, None))}))
    assert answer.lines
    if content != parts[MANIFEST]:
        assert not answer.holds


def depth_in(name: str, old: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def nested(parts: dict[str, bytes]) -> dict[str, bytes]:
        assert old in parts[name]
        return {**parts, name: parts[name].replace(old, DEEP.encode(), 1)}

    return nested


@pytest.mark.parametrize(
    "poison",
    [
        depth_in("log/records.jsonl", b'"urn:eudpp:battery:demo:0002"'),
        depth_in("log/records.jsonl", b'"NMC"'),
        depth_in("log/spine.jsonl", b'"testnet"'),
        depth_in("log/tree.json", b'["'),
        depth_in("judging.json", b"{}"),
        lambda parts: {**parts, "log/records.jsonl": b""},
        lambda parts: {**parts, "log/records.jsonl": b"\n" * 100_000},
        lambda parts: {**parts, "log/spine.jsonl": b""},
        lambda parts: {**parts, "log/tree.json": b"9" * 100_000 + b"\n"},
        lambda parts: {**parts, "judging.json": b'{"profile":' + b"9" * 100_000},
        lambda parts: {**parts, "log/records.jsonl": parts["log/records.jsonl"] * 40},
    ],
)
def test_depth_size_and_nothing_at_all_are_refused(
    pack: bytes, poison: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    answer = verify_pack(resealed(poison(read_container(pack))))
    assert not answer.holds
