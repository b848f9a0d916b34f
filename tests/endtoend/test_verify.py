"""``cellwitness verify``: what a person who holds one reading learns of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.devnet.element import SecureElement
from indexer.events import ReadingSubmitted, decode_event
from indexer.log.canonical import canonical_lines, up_to
from indexer.log.urls import open_log
from tests.endtoend.commands import CommandLine
from tests.endtoend.pipeline import Pipeline, devnet, pipeline
from tests.endtoend.processes import run as run_command
from tests.projections.verdicts.test_signatures import reading, signed
from tests.shared import shared


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(folder, monkeypatch, capsys)


KEY, COSE = signed(-47, reading(7))


@pytest.mark.parametrize("form", ["binary", "hex", "spaced", "redeemer"])
def test_a_reading_is_read_in_whatever_form_it_is_kept(command: CommandLine, form: str) -> None:
    example = json.loads(shared("vectors/protocol_worked_example.json").read_text())
    cose, redeemer = example["inputs"]["cose"], example["plutus_data_hex"]["redeemer_submit"]
    content = {
        "binary": bytes.fromhex(cose),
        "hex": f"0x{cose.upper()}\n".encode(),
        "spaced": " ".join(cose[at : at + 2] for at in range(0, len(cose), 2)).encode(),
        "redeemer": redeemer.encode(),
    }[form]
    Path("reading").write_bytes(content)
    said = command("verify", "reading", "--key", "02fd3cc21073e73800a0194a00fde40f67750edaae2f7805708d7647f429f626d1")
    assert (said.code, said.errors) == (0, "")
    assert said.out.startswith("AUTHENTIC: ")
    for words in ("urn:eudpp:battery:de:example:2024:001", "88.00 %", "counter            4891", "takes the chain"):
        assert words in said.out


def test_another_key_a_changed_byte_and_a_wrong_algorithm_are_no(command: CommandLine) -> None:
    Path("good").write_bytes(COSE)
    Path("changed").write_bytes(COSE[:-1] + bytes((COSE[-1] ^ 1,)))
    for file, key, flags in (
        ("good", SecureElement("other").public_key, ()),
        ("changed", KEY, ()),
        ("good", KEY, ("--algorithm", "ES256")),
    ):
        said = command("verify", file, "--key", key.hex(), *flags)
        assert said.code == 1
        assert said.out.startswith("NOT AUTHENTIC: ")
    assert command("verify", "good", "--key", KEY.hex(), "--algorithm", "ES256K").code == 0


def test_the_answer_in_json_holds_each_line_and_the_message(command: CommandLine) -> None:
    Path("reading").write_bytes(COSE)
    said = command("verify", "reading", "--key", KEY.hex(), "--json")
    found = json.loads(said.out)
    assert (said.code, found["authentic"]) == (0, True)
    assert {line["check"]: line["result"] for line in found["checks"]} == {
        "cose_structure": "passed",
        "algorithm": "passed",
        "own_verification": "passed",
        "signature": "passed",
        "fresh": "not_assessable",
        "counter": "not_assessable",
        "course": "not_assessable",
    }
    assert found["message"]["reading"]["counter"] == 7


def test_what_can_t_be_used_is_said_with_what_to_do(command: CommandLine) -> None:
    Path("reading").write_bytes(COSE)
    Path("empty").write_bytes(b" \n")
    Path("large").write_bytes(bytes(300_000))
    for arguments, words in (
        (("reading",), "--key HEX or --battery ID"),
        (("reading", "--key", "02", "--battery", "urn:x"), "--key HEX or --battery ID"),
        (("reading", "--key", "0x02"), "33 (compressed)"),
        (("reading", "--key", "zz"), "not hex"),
        (("nowhere", "--key", KEY.hex()), "can't read nowhere"),
        (("empty", "--key", KEY.hex()), "empty"),
        (("large", "--key", KEY.hex()), "no single reading"),
    ):
        said = command("verify", *arguments)
        assert said.code == 2, arguments
        assert words in said.errors


@pytest.mark.parametrize("content", [b"\x00", b"not a reading", b"{}", b"\xd2\x84" * 4_000, b"\x1b[31m\x00\xff"])
def test_no_bytes_are_authentic_by_accident_or_reach_the_terminal_raw(command: CommandLine, content: bytes) -> None:
    Path("reading").write_bytes(content)
    said = command("verify", "reading", "--key", KEY.hex())
    assert said.code == 1
    assert "\x1b" not in said.out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with pipeline(tmp_path_factory.mktemp("whole"), devnet(blocks=200)) as made:
        followed = run_command(made.folder, *made.follow_command("--until-tip"))
        assert followed.returncode == 0, followed.stderr
        yield made


def readings(whole: Pipeline) -> Iterator[ReadingSubmitted]:
    log = open_log(whole.log_url)
    for line in canonical_lines(log, up_to(log, "tip")):
        body = msgspec.json.decode(line)
        event = decode_event(msgspec.json.encode(body.get("event", body)))
        if isinstance(event, ReadingSubmitted):
            yield event
    log.close()


def test_a_reading_from_the_log_is_verified_by_its_battery_s_passport_and_by_no_other(
    command: CommandLine, whole: Pipeline, reference: str
) -> None:
    projected = command.process("project", "--log", whole.log_url, "--db", reference, "--until-caught-up")
    assert projected.code == 0, projected.errors
    event = next(readings(whole))
    assert event.decoded.reading is not None
    assert event.decoded.reading.battery_id is not None
    name = bytes.fromhex(event.decoded.reading.battery_id).decode()
    Path("redeemer.hex").write_text(event.redeemer)
    said = command("verify", "redeemer.hex", "--battery", name, "--db", reference)
    assert said.code == 0, said.out + said.errors
    assert "The reading names the battery of the passport" in said.out
    other = name[:-1] + ("1" if name[-1] != "1" else "2")
    assert command("verify", "redeemer.hex", "--battery", other, "--db", reference).code == 1
    unknown = command("verify", "redeemer.hex", "--battery", "urn:nobody", "--db", reference)
    assert unknown.code == 1
    assert "no battery urn:nobody" in unknown.errors
