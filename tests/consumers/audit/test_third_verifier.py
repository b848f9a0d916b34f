"""Three verifiers of one page agree: what docs/pack-format.md says is enough to write one."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.audit.container import read_container, write_container
from consumers.audit.manifest import SEAL
from consumers.audit.verify import verify_pack
from tests.consumers.audit import third_verifier
from tests.consumers.audit.test_pack import resealed
from tests.shared import ROOT


def test_it_agrees_that_packs_hold(pack: bytes, signed: bytes) -> None:
    for content in (pack, signed):
        assert third_verifier.verify(content)["subject"]["deployment"] == "demo"
        assert verify_pack(content).holds


def test_the_container_s_bytes_are_as_the_page_says(pack: bytes) -> None:
    assert third_verifier.container(read_container(pack)) == pack


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_it_finds_every_flipped_bit(signed: bytes, at: int, bit: int) -> None:
    altered = bytearray(signed)
    altered[at % len(altered)] ^= 1 << bit
    with pytest.raises(third_verifier.Wrong):
        third_verifier.verify(bytes(altered))


def test_it_finds_what_was_made_anew_around_a_change(pack: bytes) -> None:
    parts = read_container(pack)
    records = parts["log/records.jsonl"]
    verdicts = json.loads(parts["verdicts.json"])
    verdicts["verdicts"][0]["checks"]["own_verification"]["result"] = "failed"
    for name, content, rule in (
        ("log/records.jsonl", records.replace(b'"lovelace":2', b'"lovelace":3', 1), "records"),
        ("log/tree.json", parts["log/tree.json"].replace(b"a", b"b", 1), "tree"),
        ("verdicts.json", msgspec.json.encode(verdicts) + b"\n", "signed"),
    ):
        assert content != parts[name]
        with pytest.raises(third_verifier.Wrong, match=rule):
            third_verifier.verify(resealed({**parts, name: content}))
        assert not verify_pack(resealed({**parts, name: content})).holds
    seal = write_container({**parts, SEAL: parts[SEAL].replace(b"null", b'"00"')})
    with pytest.raises(third_verifier.Wrong, match="signature"):
        third_verifier.verify(seal)


def test_it_uses_nothing_of_cellwitness() -> None:
    source = (ROOT / "tests" / "consumers" / "audit" / "third_verifier.py").read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"io", "json", "zipfile", "hashlib", "typing", "zlib", "cryptography"}
