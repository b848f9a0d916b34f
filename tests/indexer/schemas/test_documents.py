"""The documents are what the code says, and what their own standards' tools take."""

import json

import msgspec
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from deploy.commands.schema import DOCUMENTS, schema
from indexer.events import CommitmentMinted, OutputView, ReadingSubmitted, encode_event, event_kind
from indexer.schemas.asyncapi import asyncapi_document
from indexer.schemas.events import EVENTS, comments, events_schema
from tests.indexer.schemas.devnet import devnet_events
from tests.indexer.schemas.official import asyncapi_validator
from tests.indexer.schemas.validators import event_validator, message_validators, problems
from tests.shared import ROOT


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_committed_documents_are_the_generated_ones(name: str) -> None:
    committed = (ROOT / "docs" / "schemas" / name).read_text()
    assert committed == DOCUMENTS[name](), f"docs/schemas/{name} is not what the code says: run `make schemas`"


@pytest.mark.parametrize(("command", "name"), list(zip(("events", "asyncapi", "cddl"), DOCUMENTS, strict=True)))
def test_the_command_prints_them(command: str, name: str) -> None:
    ran = CliRunner().invoke(schema, [command])
    assert (ran.exit_code, ran.output) == (0, DOCUMENTS[name]())


def test_the_events_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(events_schema())


def test_the_asyncapi_document_is_as_asyncapis_own_schema_has_it() -> None:
    document = asyncapi_document()
    assert problems(asyncapi_validator(), document) == []
    assert problems(asyncapi_validator(), document | {"channels": []})
    document["channels"]["events"]["bindings"]["kafka"]["partitions"] = "12"
    assert problems(asyncapi_validator(), document)


def test_every_event_of_a_devnet_is_as_its_schema_has_it() -> None:
    kinds = set()
    for event in devnet_events():
        kind = event_kind(event)
        kinds.add(kind)
        assert problems(event_validator(kind), msgspec.json.decode(encode_event(event))) == []
    assert kinds >= set(EVENTS) - {"transaction_quarantined"}, "the chain has to show every kind"


def test_an_events_schema_refuses_what_the_event_is_not() -> None:
    event = next(event for event in devnet_events() if isinstance(event, ReadingSubmitted))
    sound = msgspec.json.decode(encode_event(event))
    for key in ("type", "battery_key", "cose", "account_output"):
        assert problems(event_validator("reading_submitted"), {k: v for k, v in sound.items() if k != key}), key
    for change in ({"battery_key": "AB" * 28}, {"index": "1"}, {"type": "reading_rejected"}, {"cose": "abc"}):
        assert problems(event_validator("reading_submitted"), sound | change), change


def test_every_example_is_as_its_message_has_it() -> None:
    messages = asyncapi_document()["components"]["messages"]
    assert len(messages) == 2 * len(EVENTS) + 5
    for name, message in messages.items():
        headers, payload = message_validators(name)
        for example in message.get("examples", ()):
            assert problems(headers, example["headers"]) == []
            assert problems(payload, example["payload"]) == []


def test_what_stands_beside_a_field_is_its_description() -> None:
    assert comments(OutputView)["address"] == "bech32 or base58, both parts"
    assert comments(CommitmentMinted)["deployment"].startswith("name in the profile")
    defs = events_schema()["$defs"]
    assert defs["ReportingDatum"]["properties"]["reward_per_read"]["description"] == "lovelace"
    assert "    " not in json.dumps([each["description"] for each in defs.values()])
