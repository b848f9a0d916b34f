import json
import tempfile
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.make import MadeBlock, blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network, OgmiosVersion
from deploy.devnet.recording import read_lines
from deploy.devnet.write import write_chain
from indexer.chain import Block, RollForward
from indexer.decode import decode
from indexer.events import (
    ChainEvent,
    CommitmentMinted,
    PassportEvent,
    ReadingEvent,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountUpdated,
    event_kind,
)
from indexer.ogmios.messages import read_block
from indexer.protocol.profile import Profile, load_profile

PLAN = Plan(seed=11, batteries=25, reading_interval_slots=30_000)


@lru_cache
def profile() -> Profile:
    return load_profile(profile_toml(Network(), Terms()), "devnet.toml")


@lru_cache
def made(version: OgmiosVersion) -> tuple[list[dict[str, object]], list[ChainEvent], list[int]]:
    """Labels, decoded events, and how many transactions each block has, of a made chain as its file tells it."""
    with tempfile.TemporaryDirectory() as folder:
        out, labels = Path(folder) / "chain.ndjson.zst", Path(folder) / "labels.ndjson"
        plan = msgspec.structs.replace(PLAN, ogmios_version=version)
        write_chain(plan, 0.05, out, labels)
        events: list[ChainEvent] = []
        sizes = []
        for _, line in read_lines(out):
            message = read_block(line)
            assert isinstance(message, RollForward)
            block = message.block
            assert isinstance(block, Block)
            events += decode(block, [profile()])
            sizes.append(len(block.transactions))
        return [json.loads(line) for line in labels.read_text().splitlines()], events, sizes


@pytest.mark.parametrize("version", ["6.14", "7"])
def test_decoding_a_made_chain_gives_exactly_what_its_labels_say(version: OgmiosVersion) -> None:
    labels, events, _ = made(version)
    decoded = Counter((event.transaction, event_kind(event)) for event in events)
    labelled = Counter((label["transaction"], kind) for label in labels for kind in label["events"])  # type: ignore[attr-defined]
    assert decoded == labelled
    assert len(labels) > 1_000


def test_readings_are_decoded_to_the_values_that_were_measured() -> None:
    labels, events, _ = made("6.14")
    readings = {label["transaction"]: label for label in labels if "reading" in label}
    found = [event for event in events if isinstance(event, ReadingEvent)]
    assert len(found) == len(readings)
    for event in found:
        label = readings[event.transaction]
        reading = event.decoded.reading
        assert reading is not None
        assert event.decoded.departures == ()
        assert event.decoded.deterministic
        assert not event.account_unproven
        assert reading.battery_id == str(label["battery_id"]).encode().hex()
        assert reading.challenge == label["challenge"]
        shown = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in msgspec.structs.asdict(reading).items()
            if value is not None and name not in ("battery_id", "challenge", "schema_version")
        }
        assert shown == label["reading"]
        assert isinstance(event, ReadingRejected) == (label["kind"] == "rejected")


def test_every_fact_of_a_made_chain_is_without_fault() -> None:
    for event in made("6.14")[1]:
        if isinstance(event, CommitmentMinted):
            assert event.name_scheme == "blake2b_256/serialise_data"
            assert event.claimed_slot == event.invalid_before
            assert event.user_pkh in event.required_signers
            assert event.user_pkh in event.witnesses
        if isinstance(event, ReportingAccountUpdated):
            assert (event.departures, event.account_unproven, event.thread_minted) == ((), False, True)
        if isinstance(event, PassportEvent):
            assert event.departures == ()


def test_counters_rise_and_refused_readings_leave_gaps() -> None:
    _, events, _ = made("6.14")
    last: dict[tuple[str, str], int] = {}
    gaps = 0
    for event in events:
        if not isinstance(event, ReadingSubmitted):
            continue
        assert event.account_datum is not None
        assert event.decoded.reading is not None
        key = (event.battery_key, event.account_datum.bms_public_key)
        counter = event.decoded.reading.counter
        assert counter == event.account_datum.last_counter
        assert counter is not None
        assert counter > last.get(key, -1)
        gaps += counter > last.get(key, -1) + 1
        last[key] = counter
    assert gaps > 0


def test_four_blocks_of_five_are_empty_and_some_readings_are_refused() -> None:
    labels, _, sizes = made("6.14")
    assert 0.75 < sizes.count(0) / len(sizes) < 0.85
    kinds = Counter(label["kind"] for label in labels)
    assert 0.002 < kinds["rejected"] / kinds["submit"] < 0.08
    assert kinds["reclaim"] > 0
    assert kinds["commit"] <= kinds["submit"] + kinds["reclaim"] + PLAN.batteries


def content(plan: Plan, slots: int) -> list[bytes]:
    return [block.json for block in blocks(Maker(plan), slots)]


def test_a_chain_follows_from_its_seed() -> None:
    assert content(PLAN, 90_000) == content(PLAN, 90_000)
    assert content(PLAN, 90_000) != content(msgspec.structs.replace(PLAN, seed=12), 90_000)


def test_every_block_leaves_no_hour_out() -> None:
    plan = Plan(batteries=1, unrelated_share=0.0, every_block=True)
    slots = [block.header.slot for block in blocks(Maker(plan), 200_000)]
    assert 7_000 < len(slots) < 9_000
    assert max(b - a for a, b in pairwise(slots)) < 400


def test_include_cbor_adds_the_bytes_whose_hash_is_the_id() -> None:
    plan = msgspec.structs.replace(PLAN, include_cbor=True)
    found: list[MadeBlock] = [block for block in blocks(Maker(plan), 4_000) if block.transactions]
    for block in found:
        for transaction in json.loads(block.json)["transactions"]:
            assert bytes.fromhex(transaction["cbor"])
    assert found
