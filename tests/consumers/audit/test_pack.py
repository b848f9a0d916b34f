"""Packs of a devnet's battery, over a log with a fork: deterministic, whole, and altered in every way."""

import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.signing import SigningKey

from consumers.audit.answer import Answer
from consumers.audit.collect import Collected, NothingToExport, collect
from consumers.audit.container import PackRefused, read_container, write_container
from consumers.audit.evidence import RECORDS, SPINE, evidence_of, log_parts
from consumers.audit.judged import story_of
from consumers.audit.manifest import MANIFEST, SEAL, Manifest, decoded, sealed
from consumers.audit.pack import pack_of
from consumers.audit.tree import Tree
from consumers.audit.verify import verify_pack
from indexer.events import decode_event, encode_event
from indexer.log.port import Log
from indexer.log.records import encode_spine, records_blob, records_digest, step_digest
from projections.rules.thresholds import ThresholdBook
from tests.consumers.audit.conftest import KEY, Box, last_step
from tests.consumers.audit.poison import POISON, places, put
from tests.projections.verdicts.devnet import profile


def failing(answer: Answer) -> set[str]:
    return {line.name for line in answer.lines if line.result == "fails"}


def resealed(parts: dict[str, bytes], key: SigningKey | None = None) -> bytes:
    """As somebody would who alters parts and makes manifest, seal and container anew."""
    inner = {name: content for name, content in parts.items() if name not in (MANIFEST, SEAL)}
    manifest = decoded(parts[MANIFEST], Manifest, MANIFEST)
    return write_container(sealed(replace(manifest, signer=None, parts=()), inner, key))


def test_a_pack_holds_and_says_what_it_can_t_know(pack: bytes, collected: Collected) -> None:
    answer = verify_pack(pack)
    assert answer.holds, [line for line in answer.lines if line.result == "fails"]
    unknown = {line.name for line in answer.lines if line.result == "unknown"}
    assert unknown == {"operator_signature", "log_root", "transactions", "on_chain", "complete", "when"}
    assert len(answer.readings) == len(collected.story.opinions.verdicts) > 3


def test_retracted_facts_are_in_the_pack_and_hold_no_more(collected: Collected) -> None:
    kinds = [record.kind for group in collected.evidence.groups for record in group.records]
    assert "retraction" in kinds
    assert len(collected.story.facts) < kinds.count("event")


def test_the_same_facts_give_the_same_bytes(log: Log, battery: str, pack: bytes, signed: bytes) -> None:
    again = collect(log, profile(), ThresholdBook(), battery, step=last_step(log))
    assert pack_of(again) == pack
    assert pack_of(again, KEY) == signed != pack


def test_a_signed_pack_names_its_signer_and_another_is_refused(signed: bytes, pack: bytes) -> None:
    ours, other = bytes(KEY.verify_key).hex(), bytes(SigningKey(bytes(32)).verify_key).hex()
    assert verify_pack(signed, ours).holds
    assert failing(verify_pack(signed, other)) == {"operator_signature"}
    assert failing(verify_pack(pack, ours)) == {"operator_signature"}


def test_a_signature_can_t_be_taken_off_or_put_on(signed: bytes) -> None:
    parts = read_container(signed)
    seal = json.loads(parts[SEAL])
    for changes in ({"signature": None}, {"signature": "00" * 64}):
        altered = msgspec.json.encode(seal | changes) + b"\n"
        assert "operator_signature" in failing(verify_pack(write_container({**parts, SEAL: altered})))
    assert "operator_signature" in failing(verify_pack(resealed(parts), bytes(KEY.verify_key).hex()))


def test_a_pack_about_one_reading_holds_its_verdict_alone(log: Log, battery: str, collected: Collected) -> None:
    for number, reading in enumerate(collected.story.readings):
        about = collect(log, profile(), ThresholdBook(), battery, reading=reading.fact, step=last_step(log))
        assert [row.fact for row in about.story.opinions.verdicts] == [reading.fact]
        assert about.story.opinions.verdicts[0] == collected.story.opinions.verdicts[number]
        answer = verify_pack(pack_of(about))
        assert answer.holds
        assert len(answer.readings) == 1


def test_nothing_is_exported_of_what_the_log_does_not_hold(log: Log, battery: str) -> None:
    for key, reading in (("ab" * 28, None), (battery, "cd" * 32)):
        with pytest.raises(NothingToExport):
            collect(log, profile(), ThresholdBook(), key, reading=reading, step=last_step(log))


def test_a_root_from_elsewhere_binds_the_pack_to_the_operator_s_log(pack: bytes, collected: Collected) -> None:
    assert verify_pack(pack, root=collected.tree_root).holds
    assert failing(verify_pack(pack, root="00" * 32)) == {"log_root"}


def test_each_part_that_is_taken_out_or_put_in_is_missed(pack: bytes) -> None:
    parts = read_container(pack)
    for name in parts:
        left = {each: content for each, content in parts.items() if each != name}
        assert not verify_pack(write_container(left)).holds, name
        if name not in (MANIFEST, SEAL):
            assert not verify_pack(resealed(left)).holds, f"{name}, and the manifest made anew"
    for name in ("readme.txt", "readings/" + "ab" * 32 + ".cose", "transactions/" + "ab" * 32 + ".cbor"):
        added = {**parts, name: b"\x84\xa0\xa0\xf5\xf6"}
        assert "parts" in failing(verify_pack(write_container(added)))
        assert failing(verify_pack(resealed(added))) & {"derived", "transactions"}


@pytest.mark.parametrize("part", [MANIFEST, SEAL])
def test_each_changed_byte_of_manifest_and_seal_is_found(signed: bytes, part: str) -> None:
    parts = read_container(signed)
    for at in range(len(parts[part])):
        altered = bytearray(parts[part])
        altered[at] ^= 1 << (at % 8)
        assert not verify_pack(write_container({**parts, part: bytes(altered)})).holds, at


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_byte_of_any_part_is_found(pack: bytes, data: st.DataObject) -> None:
    parts = read_container(pack)
    name = data.draw(st.sampled_from(sorted(parts)))
    altered = bytearray(parts[name])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    assert not verify_pack(write_container({**parts, name: bytes(altered)})).holds


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_each_flipped_byte_of_a_small_pack_is_found(log: Log, battery: str, collected: Collected) -> None:
    """The file as it lies on a disk: every byte, one bit of it, the whole verifier each time."""
    first = collected.story.readings[0]
    content = pack_of(collect(log, profile(), ThresholdBook(), battery, reading=first.fact, step=last_step(log)))
    assert verify_pack(content).holds
    found: dict[str, int] = {}
    for at in range(len(content)):
        altered = bytearray(content)
        altered[at] ^= 1 << (at % 8)
        answer = verify_pack(bytes(altered))
        assert not answer.holds, f"byte {at}"
        found[answer.lines[-1].name] = found.get(answer.lines[-1].name, 0) + 1
    assert sum(found.values()) == len(content)


def altered_event(body: dict[str, Any], name: str) -> dict[str, Any]:
    """One field of an event, a little different."""
    value = body[name]
    match value:
        case bool():
            return body | {name: not value}
        case int():
            return body | {name: value + 1}
        case str() if value and all(digit in "0123456789abcdef" for digit in value):
            return body | {name: ("0" if value[0] != "0" else "1") + value[1:]}
        case str():
            return body | {name: value + "x"}
        case dict() if value:
            key = min(value)
            return body | {name: altered_event(value, key)}
        case list() if value:
            return body | {name: value[1:]}
        case _:
            return body


@pytest.mark.long
@pytest.mark.timeout(1_800)
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 20), st.integers(0, 1 << 20), st.sampled_from([..., ..., *POISON]))
def test_any_single_alteration_of_a_fact_is_found_whoever_makes_the_rest_anew(
    pack: bytes, boxed: Box, which: int, what: int, value: Any
) -> None:
    """The forger makes all digests, the tree, every derived part, manifest and seal again. What is left to find him by
    is what he can't make: names that follow from content, bytes that say something else, signatures, and the root.
    """
    collected = boxed.held
    evidence = collected.evidence
    own = [
        (at, number)
        for at, group in enumerate(evidence.groups)
        for number, record in enumerate(group.records)
        if record.kind == "event" and record.key == collected.subject.battery_key
    ]
    at, number = own[which % len(own)]
    group = evidence.groups[at]
    body = json.loads(bytes(group.records[number].body))
    names, paths = sorted(body.keys() - {"type"}), places(body)
    name, path = names[what % len(names)], paths[what % len(paths)]
    altered = altered_event(body, name) if value is ... else put(body, path, value)
    try:
        event = decode_event(json.dumps(altered))
    except msgspec.ValidationError:
        return
    content = encode_event(event)
    if content == bytes(group.records[number].body):
        return
    records = tuple(
        replace(record, body=msgspec.Raw(content)) if each == number else record
        for each, record in enumerate(group.records)
    )
    parts = read_container(pack)
    parts[RECORDS] = b"".join(
        records_blob(records) if each == at else other.content for each, other in enumerate(evidence.groups)
    )
    assert "log_records" in failing(verify_pack(resealed(parts))), "the digest of the step alone"
    forged = forged_log(parts, collected, group.step, records_digest(records_blob(records)))
    if forged is None:
        return
    assert failing(verify_pack(forged, root=collected.tree_root))


def forged_log(parts: dict[str, bytes], collected: Collected, step: int, digest: str) -> bytes | None:
    """The pack with a step's digest changed, and everything that rests on it made anew. None: it does not even fold."""
    evidence = evidence_of(parts)
    partition = evidence.partition(collected.subject)
    spines = dict(evidence.spines)
    ranges = list(spines[step].partitions)
    ranges[partition] = replace(ranges[partition], digest=digest)
    spines[step] = replace(spines[step], partitions=tuple(ranges))
    digests: dict[int, str] = {}
    for number, spine in sorted(spines.items()):
        before = digests.get(number - 1)
        spines[number] = spine if before is None else replace(spine, previous=before)
        digests[number] = step_digest(encode_spine(spines[number]))
    tree = Tree(digests.get(number, "00" * 32) for number in range(collected.tree_size))
    evidence = replace(evidence, spines=spines, paths={number: tree.path(number) for number in spines})
    try:
        story = story_of(evidence, collected.subject)
    except PackRefused:
        return None
    last = collected.tree_size - 1
    return pack_of(replace(collected, evidence=evidence, story=story, step_digest=digests[last], tree_root=tree.root))


def test_a_better_verdict_can_t_be_written_in(pack: bytes) -> None:
    parts = read_container(pack)
    better = parts["verdicts.json"].replace(b'"not_assessable"', b'"passed"', 1)
    assert better != parts["verdicts.json"]
    assert failing(verify_pack(resealed({**parts, "verdicts.json": better}))) == {"verdicts"}


def test_other_thresholds_or_another_profile_are_found(collected: Collected) -> None:
    kinder = replace(collected.evidence.judged_by, thresholds=ThresholdBook(everywhere={"cycles_per_day": 1_000_000}))
    other = replace(collected.evidence, judged_by=kinder)
    parts = read_container(pack_of(collected)) | log_parts(other)
    assert "verdicts" in failing(verify_pack(resealed(parts)))
    stranger = replace(collected.evidence.judged_by.profile, passport_policy="ab" * 28)
    parts |= log_parts(replace(collected.evidence, judged_by=replace(kinder, profile=stranger)))
    assert "log_beginning" in failing(verify_pack(resealed(parts)))


def test_the_seal_is_the_sha256_of_the_manifest(pack: bytes) -> None:
    parts = read_container(pack)
    assert json.loads(parts[SEAL])["sha256"] == sha256(parts[MANIFEST]).hexdigest()
    assert parts[SPINE].count(b"\n") > 3
