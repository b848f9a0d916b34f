"""The AsyncAPI 3.0 document of the log's topics on Kafka, made from the code that writes them."""

import json
from typing import Any, Final

import msgspec

from indexer.events import EVENT_VERSION
from indexer.log.kafka_lease import Claim
from indexer.log.kafka_records import Headers, record_headers, spine_headers
from indexer.log.kafka_settings import PREFIX, KafkaPlace, KafkaSettings
from indexer.log.kafka_topics import FOR_EVER, LEASE, MAX_MESSAGE_BYTES, SAFE, Topics
from indexer.log.partition import partition_of
from indexer.log.records import DEFAULT_PARTITIONS, Marker, Record, encode_spine, step_digest
from indexer.schemas.events import EVENTS, STEPS, Schema, components
from indexer.schemas.samples import MAGIC, sample_records, sample_steps

BINDING: Final = "0.5.0"
PARTITION_EXAMPLES: Final = ("00" * 28, "ab" * 28, "0123456789abcdef" * 3 + "01234567")

_NUMBER: Final = "^(0|-1|[1-9][0-9]*)$"
_HASH: Final = "^[0-9a-f]{64}$"
_HEADERS: Final[dict[str, Schema]] = {
    "ce_specversion": {"description": "CloudEvents"},
    "ce_id": {"description": "the record's id"},
    "ce_type": {"description": "what the value is"},
    "ce_source": {"pattern": "^/cardano/[0-9]+(/.+)?$", "description": "/cardano/MAGIC/DEPLOYMENT"},
    "content-type": {"description": "of the value"},
    "step": {"pattern": _NUMBER, "description": "number of the step, from 0 without gaps"},
    "seq": {"pattern": _NUMBER, "description": "number in the partition, from 0 without gaps"},
    "slot": {"pattern": _NUMBER, "description": "of the block; of a marker, where the chain stands"},
    "height": {"pattern": _NUMBER, "description": "of the block; of a marker, where the chain stands"},
    "ce_subject": {"description": "the battery's id"},
    "ce_time": {"format": "date-time", "description": "of the slot"},
    "ce_partitionkey": {"pattern": "^[0-9a-f]{56}$", "description": "the battery's key, which is Kafka's key too"},
    "block": {"pattern": _HASH, "description": "header hash of the block"},
    "fact": {"pattern": _HASH, "description": "what is stated, whichever block includes it"},
    "retracts": {"pattern": _HASH, "description": "id of the event that is taken back"},
    "incarnation": {"pattern": _NUMBER, "description": "the how-manieth time of this fact in this block"},
    "digest": {"pattern": _HASH, "description": "blake2b-256 of the value"},
}
_CONSTANT: Final = ("ce_specversion", "ce_type", "content-type")
_OPTIONAL_OF_MARKERS: Final = "block"  # before the first block there is none


def asyncapi_document() -> dict[str, Any]:
    """The three topics, their messages and settings, as JSON. Raises KeyError where a header has no description."""
    topics = Topics(KafkaPlace((), ""), "{log}", KafkaSettings())
    events = dict(_record_message(record) for record in sample_records())
    steps = dict(_step_message(step) for step in sample_steps())
    heartbeat = {
        "heartbeat": {
            "summary": "A follower lives, or ends; the broker's time counts.",
            "payload": {"$ref": "#/components/schemas/Claim"},
            "contentType": "application/json",
        }
    }
    channels = {
        "chain": _channel(topics.chain, "The spine: one record a step.", steps, FOR_EVER | SAFE, 1),
        "events": _channel(topics.events, "Events, retractions and markers.", events, FOR_EVER | SAFE, None),
        "lease": _channel(topics.lease, "Heartbeats, for liveness only.", heartbeat, LEASE, 1),
    }
    channels["events"]["x-partition-examples"] = [
        {"key": key, "partitions": count, "partition": partition_of(key, count)}
        for key in PARTITION_EXAMPLES
        for count in (1, 7, DEFAULT_PARTITIONS)
    ]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The cellwitness event log",
            "version": EVENT_VERSION,
            "description": "Read committed records only, assign partitions by hand, and take seq == last + 1. "
            "A key's partition is (murmur2(key) & 0x7fffffff) % partitions.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "components": {
            "messages": steps | events | heartbeat,
            "schemas": _draft7(components(*EVENTS.values(), Marker, *STEPS.values(), Claim)),
        },
    }


def _channel(
    address: str, summary: str, messages: dict[str, Any], settings: dict[str, str], partitions: int | None
) -> dict[str, Any]:
    wanted = settings | {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    kafka: dict[str, Any] = {"topicConfiguration": {key: _setting(value) for key, value in wanted.items()}}
    kafka["topicConfiguration"]["cleanup.policy"] = [settings["cleanup.policy"]]
    kafka |= {"partitions": partitions or DEFAULT_PARTITIONS, "bindingVersion": BINDING}
    chosen = "" if partitions else " The number of partitions is chosen when the log is made, and never changes."
    return {
        "address": address,
        "summary": summary + chosen,
        "parameters": {
            "log": {"description": f"{PREFIX}.NETWORK, or a name with a dot", "examples": [f"{PREFIX}.preprod"]}
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": kafka},
    }


def _setting(value: str) -> Any:
    return int(value) if value.lstrip("-").isdigit() else {"true": True, "false": False}.get(value, value)


def _record_message(record: Record) -> tuple[str, dict[str, Any]]:
    optional = (_OPTIONAL_OF_MARKERS,) if record.kind == "marker" else ()
    payload = Marker if record.kind == "marker" else EVENTS[record.type]
    name, message = _message(record_headers(record, MAGIC), payload, bytes(record.body), optional)
    if record.key:
        key = {"type": "string", "pattern": _HEADERS["ce_partitionkey"]["pattern"]}
        message["bindings"] = {"kafka": {"key": key, "bindingVersion": BINDING}}
    return name, message


def _step_message(step: Any) -> tuple[str, dict[str, Any]]:
    value = encode_spine(step.spine)
    return _message(spine_headers(step.spine, step_digest(value), MAGIC), type(step.spine), value, ())


def _message(headers: Headers, payload: type, value: bytes, optional: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    said = {name: content.decode() for name, content in headers}
    properties = {
        name: {"type": "string"}
        | ({"const": content} if name in _CONSTANT else {})
        | ({"default": ""} if name in optional else {})
        | _HEADERS[name]
        for name, content in said.items()
    }
    return said["ce_type"], {
        "name": said["ce_type"],
        "contentType": said["content-type"],
        "headers": {
            "type": "object",
            "properties": properties,
            "required": [name for name in said if name not in optional],
        },
        "payload": {"$ref": f"#/components/schemas/{payload.__name__}"},
        "examples": [{"headers": said, "payload": msgspec.json.decode(value)}],
    }


def _draft7(schemas: dict[str, Schema]) -> Any:
    """AsyncAPI's schemas are of draft 7: a list with a place for each part is spelled otherwise there."""
    text = json.dumps(schemas).replace('"#/$defs/', '"#/components/schemas/')
    return json.loads(text.replace('"prefixItems"', '"items"'))
