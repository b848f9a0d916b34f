"""Each kind of fraud is on the chain and looks as its label says; a contract that checks lets none take effect."""

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.fraud import Fraud
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from deploy.devnet.recording import read_lines
from deploy.devnet.schemes import CATALOGUE
from deploy.devnet.write import write_chain
from indexer.chain import Block, RollForward
from indexer.events import ChainEvent, ReadingSubmitted, event_kind
from indexer.ogmios.messages import read_block
from indexer.protocol.profile import load_profile
from tests.deploy.devnet.oracle import Judged, Oracle

KINDS = {fraud.name: fraud for fraud in CATALOGUE}
ISSUE = """
    replayed stale counter_regress duplicate gap equivocation cloned_key forged_account tampered_payload wrong_signer
    high_s other_battery not_the_committer no_ownership_token missing_burn unpaid_reward changed_account soh_over_range
    soh_jump decreasing_cycles frozen_values crossed_temperatures null_frame non_deterministic untagged trailing_bytes
    legacy_form sensor_noise recalibration pack_replacement odometer_reset farming ring cherry_picking
"""


class Chain:
    """What the labels of a made chain say, and what its blocks do."""

    def __init__(self, folder: Path, *, weak: bool) -> None:
        out, labels = folder / f"{weak}.ndjson.zst", folder / f"{weak}.labels"
        plan = Plan(seed=3, batteries=12, reading_interval_slots=40_000, fraud_share=0.25, weak_contract=weak)
        write_chain(plan, 30 / 365.25, out, labels)
        profile = load_profile(profile_toml(Network(), Terms(), weak=weak), "devnet.toml")
        oracle = Oracle(profile)
        self.labels: list[dict[str, Any]] = [json.loads(line) for line in labels.read_text().splitlines()]
        self.events: list[ChainEvent] = []
        self.judged: dict[str, Judged] = {}
        for _, line in read_lines(out):
            message = read_block(line)
            assert isinstance(message, RollForward)
            assert isinstance(message.block, Block)
            for event, judged in oracle.take(message.block):
                self.events.append(event)
                if judged is not None:
                    self.judged[event.transaction] = judged

    def of(self, fraud: str) -> list[dict[str, Any]]:
        return [label for label in self.labels if label.get("fraud") == fraud]


@pytest.fixture(scope="module", params=[False, True], ids=["contract", "weak contract"])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return made(tmp_path_factory.getbasetemp(), weak=request.param)


@lru_cache
def made(folder: Path, *, weak: bool) -> Chain:
    return Chain(folder, weak=weak)


def test_the_catalogue_has_every_kind_that_was_asked_for() -> None:
    assert set(ISSUE.split()) <= KINDS.keys()


@pytest.mark.parametrize("fraud", CATALOGUE, ids=lambda fraud: fraud.name)
def test_every_kind_is_on_the_chain_and_labelled(chain: Chain, fraud: Fraud) -> None:
    found = chain.of(fraud.name)
    assert found
    assert all(label["honest"] == fraud.honest and label["rules"] == list(fraud.rules) for label in found)


def test_decoding_gives_exactly_the_events_that_the_labels_say(chain: Chain) -> None:
    decoded = Counter((event.transaction, event_kind(event)) for event in chain.events)
    assert decoded == Counter((label["transaction"], kind) for label in chain.labels for kind in label["events"])


def test_a_message_says_what_its_label_says(chain: Chain) -> None:
    checked = 0
    for label in chain.labels:
        if "reading" in label:
            reading = chain.judged[label["transaction"]].event.decoded.reading
            assert reading is not None
            assert {name: getattr(reading, name) for name in label["reading"]} == {
                name: tuple(value) if isinstance(value, list) else value for name, value in label["reading"].items()
            }
            checked += 1
    assert checked > 300


def test_a_fraud_fails_the_checks_that_its_label_names(chain: Chain) -> None:
    for label in chain.labels:
        if label["kind"] in ("submit", "rejected") and "fraud" in label:
            judged = chain.judged[label["transaction"]]
            assert set(label["fails_checks"]) <= judged.failed | judged.unknown, label


def test_where_the_contract_checks_nothing_takes_effect_that_fails_a_check(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    strict = made(tmp_path_factory.getbasetemp(), weak=False)
    for judged in strict.judged.values():
        if isinstance(judged.event, ReadingSubmitted):
            assert judged.failed == frozenset()
            assert not judged.event.account_unproven


def test_a_fraud_that_a_contract_would_refuse_is_a_failed_submission_there_and_takes_effect_on_a_weak_one(
    chain: Chain, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weak = chain is made(tmp_path_factory.getbasetemp(), weak=True)
    for fraud in CATALOGUE:
        if fraud.refused:
            kinds = {label["kind"] for label in chain.of(fraud.name)}
            assert ("submit" if weak else "rejected") in kinds, fraud.name
            assert ("rejected" if weak else "submit") not in kinds, fraud.name


def test_encodings_depart_as_they_should(chain: Chain) -> None:
    def views(fraud: str) -> list[Any]:
        found = [
            chain.judged[x["transaction"]].event.decoded for x in chain.of(fraud) if x["kind"] in ("submit", "rejected")
        ]
        assert found
        return found

    assert all(not view.deterministic for view in views("non_deterministic"))
    assert all("trailing_bytes" in view.departures for view in views("trailing_bytes"))
    assert all(not view.tagged and view.departures == () for view in views("untagged"))
    assert all(view.form != "commitment-v2" for view in views("legacy_form"))
    for view in views("crossed_temperatures"):
        assert view.reading.temp_min_c > view.reading.temp_max_c
    for view in views("null_frame"):
        assert (view.reading.soh_bp, view.reading.voltage_mv, view.reading.temp_max_c) == (0, 0, 0)


def test_the_forged_account_has_no_thread_token(chain: Chain) -> None:
    for label in chain.of("forged_account"):
        if label["kind"] in ("submit", "rejected"):
            assert chain.judged[label["transaction"]].event.account_unproven


def test_a_cloned_key_is_that_of_another_battery(chain: Chain) -> None:
    keys: dict[str, set[str]] = {}
    for label in chain.labels:
        if "public_key" in label:
            keys.setdefault(label["public_key"], set()).add(label["battery_id"])
    clones = [label for label in chain.of("cloned_key") if label["kind"] == "replace_key"]
    assert clones
    assert all(len(keys[label["public_key"]]) > 1 for label in clones)


def test_a_ring_shares_its_submitters(chain: Chain) -> None:
    batteries: dict[str, set[str]] = {}
    for label in chain.of("ring"):
        if label["kind"] == "commit":
            batteries.setdefault(label["user_pkh"], set()).add(label["battery_id"])
    assert len(batteries) == 3
    assert all(len(each) > 5 for each in batteries.values())


def test_frauds_follow_from_the_seed() -> None:
    def content(seed: int) -> list[bytes]:
        plan = Plan(seed=seed, batteries=6, reading_interval_slots=20_000, fraud_share=0.5)
        return [block.json for block in blocks(Maker(plan), 400_000)]

    assert content(5) == content(5)
    assert content(5) != content(6)
