"""What the log holds: spine records and data records. Plain values with one byte form, the same in every engine."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

import msgspec
from msgspec import Struct

from indexer.chain import PointOrOrigin, TipOrOrigin

FORMAT_VERSION = 1
DEFAULT_PARTITIONS = 12
GENESIS_DIGEST = "0" * 64


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One data record: an event, the retraction of one, or a step's marker. CloudEvents attributes are derived.

    ``seq`` has no gaps within a partition and counts markers too. A retraction's body is its target's, byte for byte.
    """

    seq: int
    step: int
    kind: Literal["event", "retraction", "marker"]
    id: str  # event_id, retraction_id, or "step/partition" of a marker
    type: str = ""  # the event's name, such as "reading_submitted"; of a retraction, its target's
    key: str = ""  # battery key, 28 bytes hex; empty for markers
    subject: str = ""  # battery id as text where it is printable, else hex
    deployment: str = ""
    fact: str = ""  # fact_id
    retracts: str = ""  # event_id of the target
    incarnation: int = 0  # of the event, from 1
    time: str = ""  # of the slot, RFC 3339 UTC
    slot: int = 0  # of the event's block; of a marker: where the chain stands after the step
    height: int = 0
    block: str = ""
    body: msgspec.Raw = msgspec.Raw(b"null")  # JSON: events.ChainEvent, or Marker


class Marker(Struct, frozen=True, kw_only=True):
    """Body of a marker: this partition is complete up to the step."""

    step: int
    step_kind: Literal["opened", "forward", "rollback"]
    final_height: int  # nothing at or below this height is ever retracted
    tip_height: int  # the node's, when the step was written


class BlockEntry(Struct, frozen=True, array_like=True):
    """A block in the spine: ``[height, slot, id]``."""

    height: int
    slot: int
    id: str


class PartitionRange(Struct, frozen=True, array_like=True):
    """What one step wrote to one partition: ``[first_seq, last_seq, count, digest]``.

    The digest is blake2b-256 over the step's records there, each as JSON with a line feed after it.
    """

    first_seq: int
    last_seq: int
    count: int
    digest: str


class SpineRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """One step: the unit of atomicity. ``height`` and ``point`` say where the chain stands after it."""

    step: int
    point: PointOrOrigin
    height: int
    tip: TipOrOrigin
    final_height: int
    partitions: tuple[PartitionRange, ...]
    previous: str  # digest of the step before


class Opened(SpineRecord, frozen=True, kw_only=True, tag="opened"):
    """Step 0: what the log is of. Nothing here ever changes."""

    format_version: int
    network: str
    network_magic: int
    security_parameter: int  # k, blocks
    deployments: dict[str, str]  # name -> digest of the profile
    since: PointOrOrigin  # events start after this point; ``height`` is -1 where that of the point is not known


class Forward(SpineRecord, frozen=True, kw_only=True, omit_defaults=True, tag="forward"):
    """The chain went on by these blocks, oldest first."""

    parent: str  # header hash that the first block names as its parent
    blocks: tuple[BlockEntry, ...]
    boundaries: dict[str, str] = {}  # block id -> id of the Byron boundary block between it and its predecessor


class Rollback(SpineRecord, frozen=True, kw_only=True, tag="rollback"):
    """Everything above ``point`` is no longer on the chain. Each event there is retracted in this step."""

    left: BlockEntry  # the newest block before the rollback
    depth_blocks: int


Spine = Opened | Forward | Rollback

encode_spine = msgspec.json.Encoder().encode
decode_spine = msgspec.json.Decoder(Spine).decode
encode_record = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
decode_record = msgspec.json.Decoder(Record).decode
decode_records = msgspec.json.Decoder(Record).decode_lines
decode_marker = msgspec.json.Decoder(Marker).decode
encode_marker = msgspec.json.Encoder().encode


def step_digest(spine: bytes) -> str:
    """Digest of a step: blake2b-256 over its spine record as stored, which holds the digests of all else it wrote
    and the digest of the step before it. 32 bytes, hex.
    """
    return blake2b(spine, digest_size=32).hexdigest()


def records_blob(records: Iterable[Record]) -> bytes:
    """The byte form of a step's records in one partition: a JSON document a line."""
    return _encode_lines(records)


def records_digest(blob: bytes) -> str:
    return blake2b(blob, digest_size=32).hexdigest()
