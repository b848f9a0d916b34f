"""The canonical log: its lines, its digest, how far it goes."""

import json
from hashlib import blake2b

import pytest

from indexer.errors import ConfigurationError
from indexer.log.canonical import CanonicalDigest, canonical_lines, up_to
from indexer.log.port import LogEmpty
from tests.indexer.log.chains import Scribe, Tree, canonical_of
from tests.indexer.log.memory import MemoryLog, MemoryStore


@pytest.fixture
def scribe() -> Scribe:
    scribe = Scribe(MemoryLog(MemoryStore()), k=5)
    tree = Tree(5)
    scribe.forward(tree.grow([], 12))
    scribe.rollback(4)
    scribe.forward(tree.grow(scribe.chain, 6, 1))
    return scribe


def test_a_line_is_json_with_the_event_and_its_place_on_the_chain(scribe: Scribe) -> None:
    line = json.loads(next(canonical_lines(scribe.log, 14)))
    assert list(line) == ["height", "slot", "block", "fact", "type", "key", "deployment", "event"]
    assert line["event"]["type"] == line["type"]


def test_nothing_of_how_a_follower_came_to_know_is_in_it(scribe: Scribe) -> None:
    other = Scribe(MemoryLog(MemoryStore()), k=5, partitions=1)
    for block in scribe.chain:
        other.forward([block])
    assert list(canonical_lines(other.log, 14)) == list(canonical_lines(scribe.log, 14)) == canonical_of(scribe.chain)


@pytest.mark.parametrize("height", range(15))
def test_up_to_a_height_it_is_the_chain_up_to_that_height(scribe: Scribe, height: int) -> None:
    assert list(canonical_lines(scribe.log, height)) == canonical_of(scribe.chain[:height])


def test_heights_have_names(scribe: Scribe) -> None:
    assert [up_to(scribe.log, to) for to in ("final", "tip", "3")] == [9, 14, 3]
    for wrong in ("15", "-1", "head", "٣", ""):
        with pytest.raises(ConfigurationError):
            up_to(scribe.log, wrong)


def test_an_empty_log_has_no_heights() -> None:
    log = MemoryLog(MemoryStore())
    with pytest.raises(LogEmpty):
        up_to(log, "final")
    with pytest.raises(LogEmpty):
        next(canonical_lines(log, 1))


def test_the_digest_is_a_chain_that_can_be_taken_up_again(scribe: Scribe) -> None:
    lines = list(canonical_lines(scribe.log, 14))
    digest = CanonicalDigest()
    expected = bytes(32)
    for line in lines:
        digest.add(line)
        expected = blake2b(expected + line, digest_size=32).digest()
    assert digest.hexdigest() == expected.hex()
    half = CanonicalDigest()
    for line in lines[:7]:
        half.add(line)
    rest = CanonicalDigest(bytes.fromhex(half.hexdigest()))
    for line in lines[7:]:
        rest.add(line)
    assert rest.hexdigest() == digest.hexdigest()
