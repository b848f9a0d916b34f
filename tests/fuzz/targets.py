"""What strangers' bytes reach, each as a function of bytes that may end in the errors that its docstring names, or not
at all. Whatever else comes out is a crash."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec.structs import replace

from consumers.audit.container import read_container, write_container
from consumers.audit.manifest import MANIFEST, SEAL, Manifest, decoded, sealed
from consumers.audit.verify import verify_pack
from consumers.dashboard.endpoints import read_cursor
from consumers.dashboard.moment import read_moment
from consumers.dashboard.problems import Refused
from consumers.queries import QUERIES
from consumers.queries.model import BadParameter
from consumers.queries.parameters import check_parameters
from indexer.chain import Block, RollForward
from indexer.decode import decode
from indexer.eras import read_era_history
from indexer.errors import CellwitnessError, ConfigurationError, InvalidChainData
from indexer.events import decode_event, encode_event
from indexer.ogmios.messages import read_block, read_header, read_intersection, read_result
from indexer.protocol import cbor
from indexer.protocol.address import read_address
from indexer.protocol.cose import read_cose
from indexer.protocol.datums import (
    read_commitment_datum,
    read_passport_datum,
    read_reporting_datum,
    read_spend_redeemer,
)
from indexer.protocol.plutus import read_plutus
from indexer.protocol.profile import load_profile
from indexer.protocol.reading import read_json_draft, read_payload
from projections.rules.thresholds import Thresholds, load_thresholds
from projections.verdicts.one import judge_one, message_of
from tests.fuzz import seeds
from tests.indexer import build
from tests.indexer.build import BATTERY, PROFILE

MOST_BYTES: Final = 16_384
"""A transaction has no more; a frame has, but is made of parts that have not."""


@dataclass(frozen=True)
class Target:
    """One entrance."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    share: float  # of the inputs of a run: what is quick and much exposed gets more
    most_bytes: int = MOST_BYTES
    words: tuple[bytes, ...] = ()  # that a fuzzer would be long in finding


def frame(data: bytes) -> None:
    """A node's answer, read, decoded, and written as the log has it. InvalidChainData, or a refusal of the node's."""
    for read in (read_block, read_header):
        with suppress(InvalidChainData, CellwitnessError):
            message = read(data)
            if read is read_block and isinstance(message, RollForward) and isinstance(message.block, Block):
                _written(message.block)
    with suppress(CellwitnessError):
        read_intersection(data)
    with suppress(CellwitnessError):
        read_result(data, "queryNetwork/tip")


def node(data: bytes) -> None:
    """What a node says of itself and its eras, a line each. InvalidChainData."""
    start, _, summaries = data.partition(b"\n")
    with suppress(InvalidChainData):
        history = read_era_history(start, summaries)
        for slot in (0, 1, 1 << 40):
            with suppress(InvalidChainData):
                history.time(slot)


def transaction(data: bytes) -> None:
    """Bytes where a transaction of ours carries datum, redeemer or message. Never raises: bad parts are quarantined."""
    kind, rest = (data[0] if data else 0) % 6, data[1:]
    match kind:
        case 0:
            found = build.submit(cose=rest)
        case 1:
            found = build.transaction("x", outputs=(build.account_output(datum=rest),))
        case 2:
            outputs = (
                build.output(build.script(PROFILE.commitment_script), {PROFILE.commitment_policy: {NAME: 1}}, rest),
            )
            found = build.transaction("x", outputs=outputs, mint={PROFILE.commitment_policy: {NAME: 1}})
        case 3:
            tokens = {PROFILE.passport_policy: {BATTERY.reference_token: 1}}
            outputs = (build.output(build.address(build.OPERATOR), tokens, rest),)
            found = build.transaction("x", outputs=outputs, mint=tokens)
        case 4:
            redeemers = tuple(build.spend(index, rest) for index in range(2))
            spent = tuple(each for each in build.submit().inputs)
            found = build.transaction("x", spent, redeemers=redeemers, mint={PROFILE.commitment_policy: {NAME: -1}})
        case _:
            name = rest.hex()
            mint = {PROFILE.commitment_policy: {name: 1}, PROFILE.passport_policy: {name: -1}}
            found = build.transaction("x", outputs=(build.account_output(),), mint=mint)
    _written(build.block(found))


NAME: Final = build.challenge_name()


def _written(block: Block) -> None:
    for event in decode(block, (PROFILE,)):
        assert decode_event(encode_event(event)) == event


def cbor_item(data: bytes) -> None:
    """Malformed."""
    with suppress(cbor.Malformed):
        cbor.read(data)
    with suppress(cbor.Malformed):
        read_plutus(data)


def datum(data: bytes) -> None:
    """Malformed."""
    for read in (read_reporting_datum, read_commitment_datum, read_passport_datum, read_spend_redeemer):
        reader: Callable[[bytes], Any] = read
        with suppress(cbor.Malformed):
            reader(data)


def message(data: bytes) -> None:
    """A signed message, judged as `cellwitness verify` does. Never raises."""
    view = read_cose(message_of(data))
    assert view.departures is not None
    for key, algorithm in ((BATTERY.public_key, -47), (bytes(32), -8), (BATTERY.public_key, -7)):
        judge_one(data, key, algorithm, THRESHOLDS)


THRESHOLDS: Final = Thresholds()


def payload(data: bytes) -> None:
    """Never raises: what is wrong is in the view."""
    read_payload(data)
    read_json_draft(data)


def profile(data: bytes) -> None:
    """TOML of a deployment, and of thresholds. ConfigurationError."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(ConfigurationError):
        load_profile(text, "fuzzed.toml")
    with suppress(ConfigurationError):
        load_thresholds(text, "fuzzed.toml")


def address(data: bytes) -> None:
    """Malformed."""
    with suppress(cbor.Malformed):
        read_address(data.decode("latin-1"))


def pack(data: bytes) -> None:
    """A pack by a stranger: the file itself; and, sealed as it should be, one of its parts. Never raises."""
    assert verify_pack(data).lines
    sound = read_container(seeds.pack())
    names = sorted(name for name in sound if name not in (MANIFEST, SEAL))
    which, content = (data[0] if data else 0) % len(names), data[1:]
    manifest = replace(decoded(sound[MANIFEST], Manifest, MANIFEST), signer=None, parts=())
    parts = {name: sound[name] for name in names} | {names[which]: content}
    assert verify_pack(write_container(sealed(manifest, parts, None))).lines


def asked(data: bytes) -> None:
    """What an address asks of the dashboard: a moment, a query's parameters, a cursor. BadParameter, Refused."""
    text = data.decode("utf-8", "replace")
    given = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50)) if text.count("&") < 50 else {}
    with suppress(BadParameter):
        read_moment(given)
    with suppress(Refused):
        read_cursor(text, tuple[int, str])
    for query in QUERIES.values():
        with suppress(BadParameter):
            check_parameters(query, {name: value for name, value in given.items() if query.parameter(name)})


# The slow ones first, with fewer inputs: the quick ones fill the rest of the time.
TARGETS: Final[dict[str, Target]] = {
    "pack": Target(pack, lambda: [seeds.pack(), *seeds.parts()], 0.002, most_bytes=200_000),
    "frame": Target(frame, seeds.frames, 0.005, most_bytes=65_536, words=seeds.WORDS_OF_FRAMES),
    "message": Target(message, seeds.messages, 0.005),
    "transaction": Target(transaction, seeds.transactions, 0.015),
    "profile": Target(profile, seeds.profiles, 0.01, words=seeds.WORDS_OF_PROFILES),
    "node": Target(node, seeds.eras, 0.02, words=seeds.WORDS_OF_FRAMES),
    "address": Target(address, seeds.addresses, 0.145, most_bytes=512),
    "asked": Target(asked, seeds.questions, 0.018, most_bytes=2_048),
    "cbor": Target(cbor_item, seeds.items, 0.18),
    "datum": Target(datum, seeds.datums, 0.3),
    "payload": Target(payload, seeds.payloads, 0.3),
}

FOUND: Final = Path(__file__).parent / "found"
"""Inputs that once were crashes, by target: each is run again by every test run."""
