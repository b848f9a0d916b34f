"""A record of each kind, made by the code that writes them: what the AsyncAPI document shows as examples."""

from typing import Any, Final

import msgspec

from indexer.chain import ORIGIN, Point, Tip
from indexer.log.port import Step, StoredSpine
from indexer.log.records import BlockEntry, Record, encode_spine, step_digest
from indexer.log.steps import forward_step, opened_step, place, rollback_step
from indexer.schemas.events import EVENTS, Schema, components

MAGIC: Final = 1
K: Final = 2_160
_HASH: Final = "ab" * 32
_BLOCK: Final = BlockEntry(100, 2_000, _HASH)
_TIP: Final = Tip(_BLOCK.slot, _BLOCK.id, _BLOCK.height)


def sample_steps() -> tuple[Step, Step, Step]:
    """Step 0, a block with one event of each kind, and the rollback of that block; in one partition."""
    opened = opened_step(
        network="preprod",
        network_magic=MAGIC,
        security_parameter=K,
        deployments={"example": _HASH},
        since=ORIGIN,
        partitions=1,
    )
    schemas = components(*EVENTS.values())
    events: list[Any] = [
        msgspec.convert(_value(schemas[each.__name__], schemas, "") | {"index": index, "deployment": "example"}, each)
        for index, each in enumerate(EVENTS.values())
    ]
    forward = forward_step(
        _stored(opened),
        blocks=[_BLOCK],
        parent="cd" * 32,
        boundaries={},
        tip=_TIP,
        security_parameter=K,
        events=place(events, _BLOCK, "2026-01-01T00:00:00Z", MAGIC),
        retracted={},
    )
    live = [(0, record) for record in forward.records[0] if record.kind == "event"]
    back = rollback_step(
        _stored(forward),
        to=Point(1_980, "cd" * 32),
        to_height=99,
        left=_BLOCK,
        depth_blocks=1,
        tip=_TIP,
        live=live,
    )
    return opened, forward, back


def sample_records() -> list[Record]:
    """An event of each kind, its retraction, and a marker."""
    _, forward, back = sample_steps()
    return [*forward.records[0], *(record for record in back.records[0] if record.kind == "retraction")]


def _stored(step: Step) -> StoredSpine:
    return StoredSpine(step.spine, step_digest(encode_spine(step.spine)))


def _value(schema: Schema, schemas: dict[str, Schema], name: str) -> Any:
    """The smallest value that a schema of ours takes: fields without a default, and hex as long as it must be."""
    if "$ref" in schema:
        return _value(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "enum" in schema:
        return schema["enum"][-1]
    match schema["type"]:
        case "object":
            return {key: _value(schema["properties"][key], schemas, key) for key in schema.get("required", ())}
        case "integer":
            return 1
        case "array":
            return []
        case _:
            pattern = schema.get("pattern", "")
            size = next((size for size in (56, 64) if f"{{{size}}}" in pattern), 4)
            return "ab" * (size // 2) if pattern else f"example-{name}"
