"""Hostile files: each fault by its name, before anything is unpacked."""

import io
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.audit import container
from consumers.audit.container import PackRefused, read_container, write_container
from consumers.audit.verify import verify_pack

PARTS = {"a.json": b"{}\n", "log/b.jsonl": b"x" * 100}
NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9_.-]{0,8}(/[a-z0-9][a-z0-9_.-]{0,8}){0,2}\Z")


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def code_of(content: bytes) -> str:
    with pytest.raises(PackRefused) as refused:
        read_container(content)
    answer = verify_pack(content)
    assert not answer.holds
    assert answer.lines[-1].name == refused.value.code
    return refused.value.code


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=6))
def test_what_is_written_is_read_and_has_one_byte_form(parts: dict[str, bytes]) -> None:
    content = write_container(parts)
    assert read_container(content) == parts
    assert write_container(dict(reversed(parts.items()))) == content


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped(("a.json", bytes(100 << 20)), method=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    assert code_of(bomb) == "compressed_member"


@pytest.mark.parametrize(
    "name", ["../a.json", "/etc/passwd", "a/../b", "A.json", "c:\\x", "a//b", "a/", "é", "x" * 200]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    assert code_of(zipped((name, b"x"))) == "member_name"


def test_a_name_that_stands_twice_is_refused() -> None:
    assert code_of(zipped(("a.json", b"1"), ("a.json", b"2"))) == "duplicate_member"


def test_members_that_share_bytes_are_refused() -> None:
    """As the bombs that need no compression: many members over the same bytes."""
    content = bytearray(zipped(("a.json", b"x" * 1_000), ("b.json", b"x" * 1_000)))
    end = content.rindex(b"PK\x05\x06")
    first = content.index(b"PK\x01\x02")
    entry = bytes(content[first : content.index(b"PK\x01\x02", first + 1)])
    entries = b"".join(entry.replace(b"a.json", f"{number:06}".encode()) for number in range(60))
    tail = bytearray(content[end:])
    tail[8:12] = (60).to_bytes(2, "little") * 2
    tail[12:16] = len(entries).to_bytes(4, "little")
    assert code_of(bytes(content[:first]) + entries + bytes(tail)) == "members_overlap"


def test_too_many_members_and_too_large_a_file_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_MEMBERS", 3)
    assert code_of(zipped(*((f"{number}.json", b"") for number in range(4)))) == "too_many_members"
    assert code_of(b"PK\x01\x02" * 7) == "too_many_members"
    monkeypatch.setattr(container, "MAX_PACK_BYTES", 10)
    assert code_of(bytes(11)) == "pack_too_large"


def test_encrypted_members_are_refused() -> None:
    content = bytearray(write_container(PARTS))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    assert code_of(bytes(content)) == "encrypted_member"


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18) + b"x", bytes(1_000), b"\xff" * 100])
def test_what_is_no_zip_is_said_to_be_none(content: bytes) -> None:
    assert code_of(content) in ("not_a_zip", "not_canonical")


def test_nothing_may_stand_around_the_members() -> None:
    content = write_container(PARTS)
    commented = io.BytesIO(content)
    with zipfile.ZipFile(commented, "a") as archive:
        archive.comment = b"hello"
    dated = zipped(*((zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), part) for name, part in sorted(PARTS.items())))
    swapped = zipped(*((zipfile.ZipInfo(name), PARTS[name]) for name in sorted(PARTS, reverse=True)))
    for other in (b"#!/bin/sh\n" + content, commented.getvalue(), dated, swapped):
        assert code_of(other) == "not_canonical"


@given(st.binary(max_size=400))
def test_no_bytes_are_a_pack_by_accident(content: bytes) -> None:
    assert not verify_pack(content).holds
