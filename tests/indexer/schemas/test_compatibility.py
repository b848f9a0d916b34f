"""What was released stays readable. `released/` is v1 as it went out: `make schemas` never touches it."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from deploy.commands.schema import schema
from indexer.schemas.asyncapi import asyncapi_document
from indexer.schemas.cddl import reading_cddl
from indexer.schemas.compatibility import changes

RELEASED = Path(__file__).parent / "released"
HELP = (
    "What reads the released v1 can't read this. Give a new field a default, or take the change back; "
    "else it is a new EVENT_VERSION and a new log, with a folder of its own here. Changing released/ mends nothing"
)
Json = dict[str, Any]


def released() -> Json:
    document: Json = json.loads((RELEASED / "asyncapi.json").read_bytes())
    return document


def test_what_is_written_now_can_be_read_by_what_reads_the_released_log() -> None:
    found = changes(released(), asyncapi_document())
    assert not found, f"{HELP}:\n" + "\n".join(found)


def test_the_reading_is_the_released_one() -> None:
    def rules(text: str) -> list[str]:
        return [line.partition(";")[0].strip() for line in text.splitlines() if line.partition(";")[0].strip()]

    assert rules(reading_cddl()) == rules((RELEASED / "reading.cddl").read_text()), (
        "the reading's bytes are fixed by what batteries sign: another form is another profile"
    )


def schemas(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]
    return found


def message(document: Json, name: str) -> Json:
    found: Json = document["components"]["messages"][f"cellwitness.{name}.v1"]
    return found


def drop_event(document: Json) -> None:
    del document["channels"]["events"]["messages"]["cellwitness.reading_rejected.v1"]


def add_event(document: Json) -> None:
    messages = document["channels"]["events"]["messages"]
    messages["cellwitness.new.v1"] = messages["cellwitness.marker.v1"]


def drop_field(document: Json) -> None:
    del schemas(document, "Reading")["properties"]["soh_bp"]


def add_required(document: Json) -> None:
    schemas(document, "ReadingSubmitted")["properties"]["new"] = {"type": "string"}
    schemas(document, "ReadingSubmitted")["required"].append("new")


def add_without_default(document: Json) -> None:
    schemas(document, "OutputView")["properties"]["new"] = {"type": "string"}


def need_an_optional_field(document: Json) -> None:
    schemas(document, "OutputView")["required"].append("payment")


def forgo_a_required_field(document: Json) -> None:
    schemas(document, "OutputView")["required"].remove("lovelace")


def change_type(document: Json) -> None:
    schemas(document, "OutputRef")["properties"]["index"]["type"] = "string"


def narrow_pattern(document: Json) -> None:
    schemas(document, "CommitmentMinted")["properties"]["user_pkh"]["pattern"] = "^[0-9a-f]{56}$"


def widen_choice(document: Json) -> None:
    schemas(document, "CommitmentClosed")["properties"]["how"]["enum"].append("lost")


def change_default(document: Json) -> None:
    schemas(document, "OwnershipTokenMoved")["properties"]["minted"]["default"] = True


def change_tag(document: Json) -> None:
    schemas(document, "ReadingSubmitted")["properties"]["type"]["enum"] = ["reading"]


def change_place_in_list(document: Json) -> None:
    schemas(document, "BlockEntry")["items"].reverse()


def change_marker(document: Json) -> None:
    schemas(document, "Marker")["required"].remove("final_height")


def drop_header(document: Json) -> None:
    del message(document, "reading_submitted")["headers"]["properties"]["seq"]


def change_ce_type(document: Json) -> None:
    message(document, "marker")["headers"]["properties"]["ce_type"]["const"] = "cellwitness.mark.v1"


def change_key(document: Json) -> None:
    message(document, "reading_submitted")["bindings"]["kafka"]["key"]["pattern"] = "^[0-9a-f]{64}$"


def change_partitioner(document: Json) -> None:
    document["channels"]["events"]["x-partition-examples"][4]["partition"] += 1


def change_spine_partitions(document: Json) -> None:
    document["channels"]["chain"]["bindings"]["kafka"]["partitions"] = 2


def change_retention(document: Json) -> None:
    document["channels"]["events"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] = 1


def change_address(document: Json) -> None:
    document["channels"]["chain"]["address"] = "{log}.spine.v1"


INCOMPATIBLE: list[tuple[Callable[[Json], None], str]] = [
    (drop_event, "reading_rejected.v1: is gone"),
    (add_event, "cellwitness.new.v1: is new"),
    (drop_field, "soh_bp: is gone"),
    (add_required, "'new' is new"),
    (add_without_default, "new: is new, and has no default"),
    (need_an_optional_field, "'payment' is new"),
    (forgo_a_required_field, "'lovelace' is gone"),
    (change_type, "index/type: was 'integer', is 'string'"),
    (narrow_pattern, "user_pkh/pattern"),
    (widen_choice, "how/enum: 'lost' is new"),
    (change_default, "minted/default: was False, is True"),
    (change_tag, "type/enum: 'reading_submitted' is gone"),
    (change_place_in_list, "blocks/items/items/0"),
    (change_marker, "'final_height' is gone"),
    (drop_header, "headers/properties/seq: is gone"),
    (change_ce_type, "ce_type/const"),
    (change_key, "key/pattern"),
    (change_partitioner, "x-partition-examples/4/partition"),
    (change_spine_partitions, "chain/bindings/kafka/partitions"),
    (change_retention, "retention.ms: was -1, is 1"),
    (change_address, "chain/address"),
]


@pytest.mark.parametrize(("change", "said"), INCOMPATIBLE, ids=lambda each: getattr(each, "__name__", ""))
def test_each_incompatible_change_is_found_and_named(change: Callable[[Json], None], said: str) -> None:
    current = deepcopy(released())
    change(current)
    assert any(said in found for found in changes(released(), current))


def walk(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all plain values that mean something."""
    if isinstance(node, dict):
        prose = {"description", "title", "summary", "examples", "name", "info", "discriminator", "asyncapi"}
        inside = bool(path) and path[-1] == "properties"
        return [each for key, part in node.items() if inside or key not in prose for each in walk(part, (*path, key))]
    if isinstance(node, list):
        return [each for number, part in enumerate(node) for each in walk(part, (*path, number))]
    return [path]


PLACES = [path for path in walk(released()) if path[-1] != "$ref" and path[-1] != "defaultContentType"]


@given(st.sampled_from(PLACES))
def test_no_value_can_change_unseen(path: tuple[Any, ...]) -> None:
    current = released()
    node: Any = current
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = "something else"
    assert changes(released(), current)


@given(
    st.sampled_from(sorted(name for name, each in released()["components"]["schemas"].items() if "properties" in each)),
    st.from_regex("new_[a-z]{1,9}", fullmatch=True),
    st.sampled_from([{"type": "integer", "default": 0}, {"type": "array", "items": {"type": "string"}, "default": []}]),
)
def test_a_field_added_with_a_default_is_compatible_anywhere(name: str, field: str, added: Json) -> None:
    current = released()
    schemas(current, name)["properties"][field] = added
    assert changes(released(), current) == []
    assert changes(current, released()) != [], "and taking it away again is not"


def test_prose_may_change() -> None:
    current = released()
    current["info"]["description"] = "other"
    schemas(current, "Marker")["description"] = schemas(current, "Marker")["title"] = "other"
    message(current, "marker")["examples"] = []
    assert changes(released(), current) == []


def test_the_command_answers_with_its_exit_code(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(released()))
    assert CliRunner().invoke(schema, ["check", str(file)]).exit_code == 0
    altered = released()
    change_type(altered)
    file.write_text(json.dumps(altered))
    ran = CliRunner().invoke(schema, ["check", str(file), "--json"])
    assert ran.exit_code == 1
    assert json.loads(ran.output)["compatible"] is False
