"""What other clients find on a real broker is what the AsyncAPI document says."""

from contextlib import closing
from typing import Any

import msgspec
import pytest

from indexer.chain import Point, Tip
from indexer.events import ChainEvent, event_kind
from indexer.log.kafka import KafkaLog
from indexer.log.records import BlockEntry
from indexer.log.steps import forward_step, place, rollback_step
from indexer.log.urls import open_log
from indexer.schemas.asyncapi import asyncapi_document
from indexer.schemas.events import EVENTS
from tests.indexer.log.chains import MAGIC, TIME, live_above, name, opened
from tests.indexer.log.test_kafka import raw_records
from tests.indexer.schemas.devnet import devnet_events
from tests.indexer.schemas.validators import message_validators, problems
from tests.kafka import new_log

BLOCKS = [BlockEntry(height, 10 * height, name("block", height)) for height in (1, 2)]
TIP = Tip(20, BLOCKS[1].id, 2)

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def some_of_each_kind() -> list[ChainEvent]:
    events = devnet_events()
    return [event for kind in EVENTS for event in [each for each in events if event_kind(each) == kind][:15]]


def written(log: KafkaLog) -> None:
    """A step of each kind: devnet's events, forward in a block and taken back again."""
    with closing(log.writer()) as writer:
        writer.append(opened())
        for block, events in zip(BLOCKS, ([], some_of_each_kind()), strict=True):
            assert writer.end is not None
            forward = forward_step(
                writer.end,
                blocks=[block],
                parent=name("block", block.height - 1),
                boundaries={},
                tip=TIP,
                security_parameter=5,
                events=place(events, block, TIME, MAGIC),
                retracted={},
            )
            writer.append(forward)
        assert writer.end is not None
        kept = Point(BLOCKS[0].slot, BLOCKS[0].id)
        live = live_above(log, 1)
        back = rollback_step(writer.end, to=kept, to_height=1, left=BLOCKS[1], depth_blocks=1, tip=TIP, live=live)
        writer.append(back)


@pytest.mark.long
def test_every_record_on_the_broker_is_as_the_document_has_it(kafka_servers: str) -> None:
    log = open_log(new_log(kafka_servers))
    assert isinstance(log, KafkaLog)
    with closing(log):
        written(log)
        topics = {"chain": log.topics().chain, "events": log.topics().events}
    document = asyncapi_document()
    seen = set()
    for channel, topic in topics.items():
        for raw in raw_records(kafka_servers, topic):
            headers = {key: value.decode() for key, value in raw.headers}
            message = headers["ce_type"]
            seen.add(message)
            assert message in document["channels"][channel]["messages"]
            of_headers, of_payload = message_validators(message)
            assert problems(of_headers, headers) == []
            assert problems(of_payload, msgspec.json.decode(raw.value)) == []
            key: dict[str, Any] | None = document["components"]["messages"][message].get("bindings")
            assert (raw.key is None) is (key is None)
    expected = {f"cellwitness.{kind}{end}.v1" for kind in EVENTS for end in ("", "_retracted")}
    expected |= {f"cellwitness.{name}.v1" for name in ("marker", "step.opened", "step.forward", "step.rollback")}
    assert seen >= {each for each in expected if "quarantined" not in each}
