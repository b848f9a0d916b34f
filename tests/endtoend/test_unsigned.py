"""Transactions for signing elsewhere: no key is in reach of the command; what it wrote, once signed, is accepted."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest

from deploy.devnet.keys import Key
from deploy.devnet.site import OPERATOR
from deploy.user.node import Refused, UserNode
from tests.endtoend.processes import Running, run, wait_until

BATTERY = "urn:eudpp:battery:elsewhere"
DETAILS = 'manufacturer = "Somebody"\nmodel = "S-1"\nchemistry = "NMC"\ncell_count = 96\nnominal_capacity_mah = 50000\n'


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A chain that is treated as a stranger's: its deployment is told by a file, and its people only by address."""
    folder = tmp_path_factory.mktemp("elsewhere")
    quiet = ("--batteries", "1", "--block-seconds", "0.25", "--reading-minutes", "600")
    with Running(folder, "devnet", "devnet", "run", "--port", "0", "--json", *quiet) as running:
        wait_until(lambda: running.out.endswith("}\n"), "the devnet")
        url = running.json()["url"]
        there = UserNode(url)
        (folder / "deployment.json").write_bytes(msgspec.json.encode(there.deployment()))
        (folder / "details.toml").write_text(DETAILS)
        for key in (Key(OPERATOR), Key("user/alice")):
            there.give(key.place.text, 500_000_000)
        yield url, folder


def signed(cbor: bytes, key: Key, identity: str) -> bytes:
    """As any wallet does it: the body's bytes stay, a key and its signature join the witnesses."""
    stream = BytesIO(cbor[1:])
    cbor2.load(stream)
    at = 1 + stream.tell()
    witnesses, rest = cbor[at], cbor[at + 1 :]
    assert (witnesses >> 5, rest[:2]) == (5, b"\x00\x80"), "a map that begins with an empty list of signatures"
    pair = [key.public, key.sign(bytes.fromhex(identity))]
    return cbor[: at + 1] + b"\x00" + cbor2.dumps([pair]) + rest[2:]


def written(node: tuple[str, Path], key: Key, *command: str) -> tuple[str, bytes, dict[str, Any]]:
    url, folder = node
    options = ("--ogmios", url, "--deployment", "deployment.json", "--address", key.place.text)
    done = run(folder, *command, *options, "--unsigned", "tx.json", "--json")
    assert done.returncode == 0, done.stderr
    told, envelope = json.loads(done.stdout), json.loads((folder / "tx.json").read_text())
    assert envelope["type"] == "Unwitnessed Tx ConwayEra"
    return told["transaction"], bytes.fromhex(envelope["cborHex"]), told


def test_what_is_written_unsigned_is_accepted_once_it_is_signed_elsewhere(node: tuple[str, Path]) -> None:
    url, folder = node
    there = UserNode(url)
    assert run(folder, "element", "new", "--out", "chip.json").returncode == 0
    alice, operator = Key("user/alice"), Key(OPERATOR)
    battery = ("--battery", BATTERY)
    passport = ("--element", "chip.json", "--owner", alice.place.text, "--details", "details.toml")
    for who, command in ((operator, ("passport", "register", *battery, *passport)), (alice, ("commit", *battery))):
        identity, cbor, told = written(node, who, *command)
        assert told["fee_lovelace"] > 0
        assert there.output(identity, 0) is None
        with pytest.raises(Refused, match=r"(?i)witness|signator"):
            there.submit(cbor)
        assert there.submit(signed(cbor, who, identity)) == identity
        there.wait_for(identity)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--owner", "alice", "--details", "details.toml"), "give the owner's address"),
        (("--owner", "addr_test1nonsense", "--details", "details.toml"), "--owner addr_test1nonsense"),
        (("--owner", Key("user/alice").place.text), "--details is missing"),
        (("--owner", Key("user/alice").place.text, "--details", "key.toml"), "bms_public_key follows from"),
        (("--owner", Key("user/alice").place.text, "--details", "half.toml"), "soh must be a text or a whole number"),
        (("--owner", Key("user/alice").place.text, "--details", "long.toml"), "model has more than 64 bytes"),
    ],
)
def test_a_real_network_gets_neither_devnet_names_nor_a_simulated_pack(
    node: tuple[str, Path], options: tuple[str, ...], why: str
) -> None:
    url, folder = node
    (folder / "key.toml").write_text('bms_public_key = "aa"\n')
    (folder / "half.toml").write_text("soh = 0.5\n")
    (folder / "long.toml").write_text(f'model = "{"x" * 65}"\n')
    run(folder, "element", "new", "--out", "other.json")
    done = run(
        folder,
        *("passport", "register", "--battery", BATTERY, "--element", "other.json", *options),
        *("--ogmios", url, "--deployment", "deployment.json", "--address", Key(OPERATOR).place.text),
        *("--unsigned", "tx.json"),
    )
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
