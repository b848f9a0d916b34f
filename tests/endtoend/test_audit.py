"""Packs, statements and replays of a real log and real tables, by the command, as an auditor uses them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct
from psycopg import sql

from consumers.audit.container import read_container
from consumers.audit.verify import transaction_id
from deploy.postgres import EmbeddedPostgres
from projections.database import connect
from tests.endtoend.commands import CommandLine
from tests.endtoend.pipeline import Pipeline, devnet, pipeline
from tests.endtoend.processes import run as run_command
from tests.postgres import fresh_database
from tests.shared import ROOT


class World(Struct, frozen=True):
    """A pipeline that has settled, its tables with verdicts, and a battery of it."""

    pipeline: Pipeline
    database: str
    battery: str

    def export(self, subject: str, out: Path, *flags: str) -> tuple[str, ...]:
        profile, log = str(self.pipeline.profile), self.pipeline.log_url
        fixed = ("--profile", profile, "--log", log, "--db", self.database, "-o", str(out))
        return ("audit", "export", subject, *fixed, *flags)


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    database = fresh_database(postgres)
    with pipeline(tmp_path_factory.mktemp("audit"), devnet(blocks=120, cbor=True)) as made:
        for grown in (0, 1):
            if grown:
                made.chain.fork(3)
                made.chain.grow(30)
            followed = run_command(made.folder, *made.follow_command("--until-tip"))
            assert followed.returncode == 0, followed.stderr
        flags = ("--log", made.log_url, "--db", database, "--profile", str(made.profile), "--until-caught-up")
        projected = run_command(made.folder, "project", *flags)
        assert projected.returncode == 0, projected.stderr
        yield World(made, database, "urn:eudpp:battery:demo:0002")


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(folder, monkeypatch, capsys)


@pytest.fixture
def key(folder: Path) -> tuple[Path, str]:
    """An operator's key, and its public half in hex."""
    private = Ed25519PrivateKey.generate()
    file = folder / "operator.pem"
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file, private.public_key().public_bytes_raw().hex()


def test_a_pack_is_exported_verified_and_checked_against_the_auditor_s_node(
    world: World, command: CommandLine, folder: Path, key: tuple[Path, str]
) -> None:
    out = folder / "pack.zip"
    said = command(*world.export(world.battery, out, "--sign-with", str(key[0]), "--json"))
    assert said.code == 0, said.errors
    told = json.loads(said.out)
    assert told["readings"] > 3
    assert told["signer"] == key[1]
    found = command("audit", "verify", str(out), "--signer", key[1], "--root", told["tree_root"], "--json")
    assert found.code == 0, found.out
    unknown = {line["name"] for line in json.loads(found.out)["lines"] if line["result"] == "unknown"}
    assert unknown == {"transactions", "on_chain", "complete", "when"}
    asked = command("audit", "verify", str(out), "--ogmios", world.pipeline.ogmios, "--json")
    assert asked.code == 0, asked.out
    lines = {line["name"]: line for line in json.loads(asked.out)["lines"]}
    assert lines["on_chain"]["result"] == "holds"
    assert f"all {told['facts']} facts" in lines["on_chain"]["words"]


def test_whole_transactions_from_a_node_have_the_ids_by_which_facts_name_them(
    world: World, command: CommandLine, folder: Path
) -> None:
    out = folder / "pack.zip"
    said = command(*world.export(world.battery, out, "--ogmios", world.pipeline.ogmios))
    assert said.code == 0, said.errors
    found = command("audit", "verify", str(out), "--json")
    assert found.code == 0, found.out
    (line,) = [line for line in json.loads(found.out)["lines"] if line["name"] == "transactions"]
    assert line["result"] == "holds"
    parts = read_container(out.read_bytes())
    names = [name for name in parts if name.startswith("transactions/")]
    assert len(names) > 10
    for name in names:
        assert transaction_id(parts[name]) == name.removeprefix("transactions/").removesuffix(".cbor")


def test_a_verifier_on_a_bare_machine_needs_no_settings_no_home_and_no_network(
    world: World, command: CommandLine, folder: Path
) -> None:
    out = folder / "pack.zip"
    assert command(*world.export(world.battery, out)).code == 0
    (folder / "bare").mkdir()
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('no network here')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "from deploy.cli import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", "verify", str(out)],
        cwd=folder / "bare",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("THE PACK HOLDS: ")
    assert "Whether these blocks are on the chain" in done.stdout
    assert list((folder / "bare").iterdir()) == []


def test_the_same_facts_give_the_same_file_from_a_copied_log_too(
    world: World, command: CommandLine, folder: Path
) -> None:
    first, second, third = (folder / name for name in ("1.zip", "2.zip", "3.zip"))
    assert command(*world.export(world.battery, first)).code == 0
    assert command(*world.export(world.battery, second)).code == 0
    copy = f"sqlite:{folder / 'copy.db'}"
    assert command("log", "copy", "--from", world.pipeline.log_url, "--to", copy).code == 0
    flags = ("--profile", str(world.pipeline.profile), "--log", copy, "--db", world.database, "-o", str(third))
    assert command("audit", "export", world.battery, *flags).code == 0
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_a_reading_is_exported_by_its_transaction(world: World, command: CommandLine, folder: Path) -> None:
    said = command("timeline", world.battery, "--db", world.database, "--json")
    lines = [line for line in json.loads(said.out)["lines"] if line["type"] == "reading_submitted"]
    for name in (lines[1]["transaction"], lines[1]["fact"], lines[1]["event_id"]):
        out = folder / f"{name[:8]}.zip"
        assert command(*world.export(name, out)).code == 0
        found = command("audit", "verify", str(out), "--json")
        assert found.code == 0
        assert [reading["fact"] for reading in json.loads(found.out)["readings"]] == [lines[1]["fact"]]
        assert f"readings/{lines[1]['fact']}.cose" in read_container(out.read_bytes())


def test_a_changed_file_another_signer_and_a_node_of_another_chain_are_no(
    world: World, command: CommandLine, folder: Path, key: tuple[Path, str]
) -> None:
    out = folder / "pack.zip"
    assert command(*world.export(world.battery, out)).code == 0
    content = bytearray(out.read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "changed.zip").write_bytes(content)
    said = command("audit", "verify", str(folder / "changed.zip"))
    assert said.code == 1
    assert said.out.startswith("THE PACK DOES NOT HOLD: ")
    assert command("audit", "verify", str(out), "--signer", key[1]).code == 1
    with pipeline(folder, devnet(seed=9, blocks=200)) as other:
        asked = command("audit", "verify", str(out), "--ogmios", other.ogmios, "--json")
        assert asked.code == 1
        (line,) = [line for line in json.loads(asked.out)["lines"] if line["result"] == "fails"]
        assert line["name"] == "on_chain"


def test_what_can_t_be_exported_is_said_with_what_to_do(world: World, command: CommandLine, folder: Path) -> None:
    out = folder / "pack.zip"
    (folder / "bad.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    without = (
        "audit",
        "export",
        world.battery,
        "--log",
        world.pipeline.log_url,
        "--db",
        world.database,
        "-o",
        str(out),
    )
    for arguments, code, words in (
        (world.export("urn:eudpp:battery:demo:00002", out), 1, "did you mean"),
        (world.export("ab" * 32, out), 1, "no battery and no reading"),
        (world.export(world.battery, out, "--sign-with", str(folder / "bad.pem")), 2, "openssl genpkey"),
        (world.export(world.battery, out, "--step", "999999"), 3, "not yet 999999"),
        (world.export(world.battery, folder / "nowhere" / "pack.zip"), 4, "can't write"),
        (without, 2, "--profile FILE"),
        (("audit", "verify", str(folder / "none.zip")), 2, "can't read"),
        (("audit", "verify", str(folder / "bad.pem")), 1, ""),
        (("audit", "verify", str(folder / "bad.pem"), "--signer", "xy"), 2, "64 hex digits"),
    ):
        said = command(*arguments)
        assert said.code == code, (arguments, said.errors)
        assert words in said.errors
        assert not out.exists()


def statement(world: World, command: CommandLine, out: Path, *flags: str) -> tuple[int, str]:
    said = command("audit", "statement", "--log", world.pipeline.log_url, "-o", str(out), *flags)
    return said.code, said.errors


def test_statements_are_chained_signed_and_hold_against_the_log(
    world: World, command: CommandLine, folder: Path, key: tuple[Path, str]
) -> None:
    first, second = folder / "1.json", folder / "2.json"
    sign = ("--sign-with", str(key[0]))
    assert statement(world, command, first, "--from", "1", "--to", "60", *sign) == (0, "")
    assert statement(world, command, second, "--from", "61", "--to", "110", "--previous", str(first), *sign) == (0, "")
    told = json.loads(second.read_bytes().splitlines()[0])
    assert (told["blocks"], told["first"]["height"], told["last"]["height"]) == (50, 61, 110)
    assert told["after"]["events"] - told["before"]["events"] == sum(told["facts"].values()) > 0
    flags = ("--signer", key[1], "--previous", str(first), "--log", world.pipeline.log_url, "--json")
    found = command("audit", "statement", "verify", str(second), *flags)
    assert found.code == 0, found.out
    assert {line["name"] for line in json.loads(found.out)["lines"] if line["result"] == "unknown"} == {"on_chain"}


def test_a_changed_statement_and_one_that_does_not_follow_are_no(
    world: World, command: CommandLine, folder: Path
) -> None:
    first, second = folder / "1.json", folder / "2.json"
    assert statement(world, command, first, "--from", "1", "--to", "50")[0] == 0
    assert statement(world, command, second, "--from", "52", "--to", "60", "--previous", str(first))[0] == 0
    found = command("audit", "statement", "verify", str(second), "--previous", str(first), "--json")
    assert found.code == 1
    assert [line["name"] for line in json.loads(found.out)["lines"] if line["result"] == "fails"] == ["previous"]
    content = first.read_bytes()
    for at in range(0, len(content), 7):
        altered = bytearray(content)
        altered[at] ^= 1
        (folder / "altered.json").write_bytes(altered)
        assert command("audit", "statement", "verify", str(folder / "altered.json")).code == 1, at


def test_a_statement_of_another_log_does_not_hold_against_this_one(
    world: World, command: CommandLine, folder: Path
) -> None:
    out = folder / "1.json"
    with pipeline(folder, devnet(seed=9, blocks=120)) as other:
        assert run_command(folder, *other.follow_command("--until-tip")).returncode == 0
        said = command("audit", "statement", "--log", other.log_url, "--from", "1", "--to", "60", "-o", str(out))
        assert said.code == 0, said.errors
    found = command("audit", "statement", "verify", str(out), "--log", world.pipeline.log_url, "--json")
    assert found.code == 1
    assert [line["name"] for line in json.loads(found.out)["lines"] if line["result"] == "fails"] == ["log"]


def test_what_is_not_final_is_stated_as_provisional_only(world: World, command: CommandLine, folder: Path) -> None:
    out = folder / "1.json"
    code, errors = statement(world, command, out, "--from", "1", "--to", "150")
    assert code == 1
    assert "--provisional" in errors
    assert statement(world, command, out, "--from", "1", "--to", "150", "--provisional")[0] == 0
    assert "PROVISIONAL" in command("audit", "statement", "verify", str(out)).out
    assert statement(world, command, out, "--from", "1", "--to", "9999", "--provisional")[0] == 2
    assert statement(world, command, out)[0] == 2
    assert statement(world, command, out, "--from", "yesterday")[0] == 2


def test_a_day_is_the_blocks_whose_slots_lie_in_it(world: World, command: CommandLine, folder: Path) -> None:
    out = folder / "day.json"
    said = command("timeline", world.battery, "--db", world.database, "--json")
    day = json.loads(said.out)["lines"][0]["time"][:10]
    assert statement(world, command, out, "--from", day, "--provisional") == (0, "")
    told = json.loads(out.read_bytes().splitlines()[0])
    assert told["blocks"] > 140
    assert statement(world, command, out, "--from", "1999-01-01")[0] == 2


def test_another_node_of_the_chain_gives_the_same_log(world: World, command: CommandLine) -> None:
    profile, log = str(world.pipeline.profile), world.pipeline.log_url
    done = command.process("audit", "replay", "--ogmios", world.pipeline.ogmios, "--profile", profile, "--log", log)
    assert done.code == 0, done.errors
    assert done.out.startswith("equal: ")


def test_a_log_that_says_otherwise_is_found_at_its_first_block(
    world: World, command: CommandLine, folder: Path
) -> None:
    profile, log = str(world.pipeline.profile), world.pipeline.log_url
    with pipeline(folder, devnet(seed=9, blocks=150)) as other:
        flags = ("--ogmios", other.ogmios, "--profile", profile, "--log", log, "--json")
        done = command.process("audit", "replay", *flags)
    assert done.code == 1, done.errors
    difference = json.loads(done.out)["difference"]
    assert difference["what"] == "block"
    assert difference["step"] == 1
    assert difference["ours"] != difference["theirs"]


def test_a_pack_is_recorded_with_who_asked_and_refused_to_who_may_not_see_all(
    world: World, command: CommandLine, folder: Path
) -> None:
    out = folder / "pack.zip"
    assert command(*world.export(world.battery, out, "--who", "Ada", "--legal-basis", "contract 14")).code == 0
    said = command(*world.export(world.battery, folder / "not.zip", "--who", "Bob", "--access", "legitimate-interest"))
    assert said.code == 1
    assert "may not have a pack" in said.errors
    assert not (folder / "not.zip").exists()
    listed = command("audit", "questions", "--db", world.database, "--json", "--limit", "2")
    refused, answered = json.loads(listed.out)
    assert (answered["who"], answered["legal_basis"], answered["what"]) == ("Ada", "contract 14", "pack")
    assert answered["parameters"]["sha256"] == sha256(out.read_bytes()).hexdigest()
    assert answered["step"] > 0
    assert (refused["who"], refused["outcome"]) == ("Bob", "refused")


def test_a_pack_of_an_earlier_step_says_what_was_known_then(world: World, command: CommandLine, folder: Path) -> None:
    early, late = folder / "early.zip", folder / "late.zip"
    told = [
        json.loads(command(*world.export(world.battery, out, "--json", *flags)).out)
        for out, flags in ((early, ("--step", "1")), (late, ()))
    ]
    assert told[0]["step"] == 1 < told[1]["step"]
    assert told[0]["facts"] <= told[1]["facts"]
    assert told[0]["tree_root"] != told[1]["tree_root"]
    for out in (early, late):
        assert command("audit", "verify", str(out)).code == 0


def test_tables_that_say_otherwise_than_the_log_are_not_exported(
    world: World, command: CommandLine, folder: Path
) -> None:
    out = folder / "pack.zip"
    statement = "UPDATE verdicts SET {} WHERE known_until_step IS NULL"
    for change, back in (("crypto = 'failed'", "crypto = 'passed'"), ("rule_set = 77", "rule_set = 1")):
        with connect(world.database) as connection:
            found = connection.execute("SELECT DISTINCT crypto FROM verdicts WHERE known_until_step IS NULL").fetchall()
            assert found == [("passed",)]
            connection.execute(sql.SQL(statement).format(sql.SQL(change)))
        said = command(*world.export(world.battery, out))
        assert said.code == 4
        assert "cellwitness rebuild" in said.errors
        assert not out.exists()
        with connect(world.database) as connection:
            connection.execute(sql.SQL(statement).format(sql.SQL(back)))
    assert command(*world.export(world.battery, out)).code == 0
