import warnings
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import pytest
from nacl.signing import VerifyKey

from deploy.devnet.actors import Made
from deploy.devnet.deployment import Scripts
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan

KINDS = {
    *("deploy", "register", "commit", "submit", "rejected", "reclaim", "close", "top_up", "replace_key", "sell"),
    *("pay", "mint", "lock", "swap", "take"),
}


@pytest.fixture(scope="module")
def pycardano() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("pycardano")


@lru_cache
def examples() -> dict[str, list[Made]]:
    """Up to four transactions of each kind."""
    maker = Maker(Plan(batteries=30, reading_interval_slots=40_000))
    found: dict[str, list[Made]] = {}
    for _ in blocks(maker, 25 * 86_400):
        for made in maker.last:
            if len(found.setdefault(made.kind, [])) < 4:
                found[made.kind].append(made)
    return found


def test_the_maker_makes_every_kind() -> None:
    assert set(examples()) == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_pycardano_reads_the_bytes_and_finds_the_id_and_the_fields(kind: str, pycardano: Any) -> None:
    for made in examples()[kind]:
        transaction, shown = made.transaction, made.transaction.fields
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = pycardano.Transaction.from_cbor(transaction.cbor)
            body = read.transaction_body
            # pycardano hashes what it writes itself: equal ids mean that it understood every byte.
            assert str(body.id) == transaction.id == shown["id"]
            assert read.valid is (shown["spends"] == "inputs")
            inputs = [(str(item.transaction_id), item.index) for item in body.inputs]
            assert inputs == [(item["transaction"]["id"], item["index"]) for item in shown["inputs"]]
            assert inputs == sorted(inputs)
            assert [str(out.address) for out in body.outputs] == [out["address"] for out in shown["outputs"]]
            coins = [out.amount if isinstance(out.amount, int) else out.amount.coin for out in body.outputs]
            assert coins == [out["value"]["ada"]["lovelace"] for out in shown["outputs"]]
            assert body.fee == shown["fee"]["ada"]["lovelace"]
            assert body.ttl == shown["validityInterval"].get("invalidAfter")
            assert body.validity_start == shown["validityInterval"].get("invalidBefore")
            required = [key.payload.hex() for key in body.required_signers or []]
            assert required == shown.get("requiredExtraSignatories", [])
            redeemers = read.transaction_witness_set.redeemer or {}
            places = [(key.tag.name.lower(), key.index) for key in redeemers]
        wanted = [(r["validator"]["purpose"], r["validator"]["index"]) for r in shown.get("redeemers", [])]
        assert places == wanted


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_signature_is_over_the_id(kind: str) -> None:
    for made in examples()[kind]:
        shown = made.transaction.fields
        signers = set()
        for signatory in shown["signatories"]:
            key = bytes.fromhex(signatory["key"])
            VerifyKey(key).verify(bytes.fromhex(shown["id"]), bytes.fromhex(signatory["signature"]))
            signers.add(blake2b(key, digest_size=28).hexdigest())
        assert set(shown.get("requiredExtraSignatories", [])) <= signers


def test_what_goes_in_comes_out() -> None:
    """Lovelace and tokens of inputs known here equal outputs, fee and mint: the ledger's first rule."""
    maker = Maker(Plan(batteries=5, reading_interval_slots=20_000))
    owned: dict[tuple[str, int], dict[str, Any]] = {}
    checked = 0
    for _ in blocks(maker, 20 * 86_400):
        for made in maker.last:
            shown = made.transaction.fields
            failed = shown["spends"] == "collaterals"
            keys = [(i["transaction"]["id"], i["index"]) for i in shown["collaterals" if failed else "inputs"]]
            outputs = [shown["collateralReturn"]] if failed else shown["outputs"]
            first = len(shown["outputs"]) if failed else 0
            if all(key in owned for key in keys):
                checked += 1
                total = _sum([owned[key]["value"] for key in keys], 1)
                for value in [out["value"] for out in outputs]:
                    _sum([value], -1, total)
                if failed:
                    _sum([shown["totalCollateral"]], -1, total)
                else:
                    _sum([shown["fee"]], -1, total)
                    _sum([shown.get("mint", {})], 1, total)
                assert not any(total.values()), made.kind
            for key in keys:
                owned.pop(key, None)
            for index, out in enumerate(outputs, start=first):
                owned[shown["id"], index] = out
    assert checked > 200


def _sum(
    values: list[dict[str, dict[str, int]]], sign: int, total: dict[tuple[str, str], int] | None = None
) -> dict[tuple[str, str], int]:
    total = {} if total is None else total
    for value in values:
        for policy, names in value.items():
            for name, quantity in names.items():
                total[policy, name] = total.get((policy, name), 0) + sign * quantity
    return total


def test_script_hashes_are_those_of_the_reference_scripts(pycardano: Any) -> None:
    (deployed,) = examples()["deploy"]
    scripts = Scripts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = pycardano.Transaction.from_cbor(deployed.transaction.cbor).transaction_body
        hashes = [pycardano.script_hash(out.script).payload for out in body.outputs[:3]]
    assert hashes == [scripts.commitment, scripts.reporting, scripts.passport]
