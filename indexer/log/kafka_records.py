"""Records as Kafka carries them: CloudEvents 1.0 in binary mode. The body is the value, all else are headers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from indexer.log.port import LogDamaged, StoredSpine
from indexer.log.records import Record, Spine, decode_spine, step_digest
from indexer.log.steps import step_kind

Headers = list[tuple[str, bytes]]

JSON: Final = ("content-type", b"application/json")
VERSION: Final = ("ce_specversion", b"1.0")
MARKER_TYPE: Final = "cellwitness.marker.v1"
RETRACTED: Final = "_retracted"
EVENT_HEADERS: Final = (
    *("ce_specversion", "ce_id", "ce_type", "ce_source", "content-type", "step", "seq", "slot", "height"),
    *("ce_subject", "ce_time", "ce_partitionkey", "block", "fact", "incarnation"),
)
"""Of an event, in the order in which ``record_headers`` writes them."""


def record_headers(record: Record, network_magic: int) -> Headers:
    """Everything of a record but its body. A field that is empty has no header."""
    source = f"/cardano/{network_magic}" + (f"/{record.deployment}" if record.deployment else "")
    headers = [
        VERSION,
        ("ce_id", record.id.encode()),
        ("ce_type", _ce_type(record).encode()),
        ("ce_source", source.encode()),
        JSON,
        ("step", b"%d" % record.step),
        ("seq", b"%d" % record.seq),
        ("slot", b"%d" % record.slot),
        ("height", b"%d" % record.height),
    ]
    optional = (
        ("ce_subject", record.subject),
        ("ce_time", record.time),
        ("ce_partitionkey", record.key),
        ("block", record.block),
        ("fact", record.fact),
        ("retracts", record.retracts),
        ("incarnation", str(record.incarnation) if record.incarnation else ""),
    )
    headers += [(name, value.encode()) for name, value in optional if value]
    return headers


def record_from_kafka(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> Record:
    """The record, byte for byte as it was. Raises LogDamaged for what no writer of ours wrote."""
    found = dict(headers)
    text = found.get
    try:
        if tuple(found) == EVENT_HEADERS and len(headers) == len(found):
            return _event([*found.values()], value)
        kind, event_type = _kind(found["ce_type"])
        return Record(
            seq=int(found["seq"]),
            step=int(found["step"]),
            kind=kind,
            id=found["ce_id"].decode(),
            type=event_type,
            key=text("ce_partitionkey", b"").decode(),
            subject=text("ce_subject", b"").decode(),
            deployment=_deployment(found["ce_source"]),
            fact=text("fact", b"").decode(),
            retracts=text("retracts", b"").decode(),
            incarnation=int(text("incarnation", b"0")),
            time=text("ce_time", b"").decode(),
            slot=int(found["slot"]),
            height=int(found["height"]),
            block=text("block", b"").decode(),
            body=msgspec.Raw(value or b""),
        )
    except (KeyError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        what = f"the header {error} is missing" if isinstance(error, KeyError) else str(error)
        step = found.get("step", b"")
        raise LogDamaged(f"a record can't be read: {what}", step=int(step) if step.isdigit() else None) from error


def _event(values: Sequence[bytes], value: bytes | None) -> Record:
    """An event, of its headers in the order in which they are written: nearly all that a reader reads, so by place."""
    _, id_, ce_type, source, _, step, seq, slot, height, subject, time, key, block, fact, incarnation = values
    kind, event_type = _kind(ce_type)
    return Record(
        seq=int(seq),
        step=int(step),
        kind=kind,
        id=id_.decode(),
        type=event_type,
        key=key.decode(),
        subject=subject.decode(),
        deployment=_deployment(source),
        fact=fact.decode(),
        incarnation=int(incarnation),
        time=time.decode(),
        slot=int(slot),
        height=int(height),
        block=block.decode(),
        body=msgspec.Raw(value or b""),
    )


def spine_headers(spine: Spine, digest: str, network_magic: int) -> Headers:
    """Headers of a step's spine record. The digest stands beside the bytes that it is of, as the last has no other."""
    return [
        VERSION,
        ("ce_id", b"%d" % spine.step),
        ("ce_type", f"cellwitness.step.{step_kind(spine)}.v1".encode()),
        ("ce_source", b"/cardano/%d" % network_magic),
        JSON,
        ("step", b"%d" % spine.step),
        ("digest", digest.encode()),
    ]


def spine_from_kafka(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> StoredSpine:
    """A step's spine record. Raises LogDamaged where it is not what a writer wrote."""
    found = dict(headers)
    text = found.get("step", b"")
    step = int(text) if text.isdigit() else None
    named = "a step" if step is None else f"step {step}"
    digest = step_digest(value or b"")
    if found.get("digest", b"").decode(errors="replace") != digest:
        raise LogDamaged(f"the spine record of {named} was altered: it no longer has its digest", step=step)
    try:
        spine = decode_spine(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogDamaged(f"the spine record of {named} can't be read: {error}", step=step) from error
    if spine.step != step:
        raise LogDamaged(f"the spine has step {spine.step} in the place of {named}", step=step)
    return StoredSpine(spine, digest)


def number(headers: Sequence[tuple[str, bytes]], name: str) -> int:
    """A header that holds a number, such as ``step`` or ``seq``; -1 where it is not there or none."""
    for key, value in headers:
        if key == name:
            return int(value) if value.isdigit() else -1
    return -1


def _ce_type(record: Record) -> str:
    match record.kind:
        case "marker":
            return MARKER_TYPE
        case "retraction":
            return f"cellwitness.{record.type}{RETRACTED}.v1"
        case "event":
            return f"cellwitness.{record.type}.v1"


@lru_cache(maxsize=256)
def _kind(header: bytes) -> tuple[Literal["event", "retraction", "marker"], str]:
    ce_type = header.decode()
    if ce_type == MARKER_TYPE:
        return "marker", ""
    prefix, _, rest = ce_type.partition(".")
    name, _, version = rest.rpartition(".")
    if prefix != "cellwitness" or version != "v1":
        raise ValueError(f"its ce_type is {ce_type!r}")
    return ("retraction", name.removesuffix(RETRACTED)) if name.endswith(RETRACTED) else ("event", name)


@lru_cache(maxsize=256)
def _deployment(header: bytes) -> str:
    source = header.decode()
    _, root, _, *rest = f"{source}/".split("/")
    if root != "cardano":
        raise ValueError(f"its ce_source is {source!r}")
    return rest[0]
