"""The optimised scripts accept exactly what the same sources accept unoptimised, whatever they are told."""

import random
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contracts.blueprint import load_traced_contracts
from deploy.contracts.context import Contexts, script_hash
from deploy.contracts.ledger import NotJudged, read_transaction, resolve
from deploy.contracts.machine import Machine
from deploy.contracts.parameters import load_mainnet_parameters
from indexer.protocol.plutus import Constr, Data, PlutusMap
from tests.deploy.contracts import scene
from tests.deploy.contracts.scene import CONTRACTS, Case

TWINS: Final = dict(
    zip(
        (contract.hash for contract in CONTRACTS.all),
        zip(
            (contract.content for contract in CONTRACTS.all),
            (contract.content for contract in load_traced_contracts().all),
            strict=True,
        ),
        strict=True,
    )
)
PARAMETERS: Final = load_mainnet_parameters()


def contexts(case: Case) -> Iterator[tuple[bytes, bytes, Data]]:
    """Script, twin and context of each script run of a transaction."""
    transaction = read_transaction(case.transaction().cbor)
    resolved = case.resolved()
    outputs = {each: resolve(resolved, each) for each in (*transaction.inputs, *transaction.references)}
    told = Contexts(transaction, outputs, case.slots)
    for redeemer in transaction.redeemers:
        script, twin = TWINS[script_hash(transaction, outputs, redeemer)]
        yield script, twin, told.of(redeemer)


CASES: Final = (scene.commit(), scene.submit(), scene.submit(algorithm=-8), scene.reclaim(), scene.close())
HONEST: Final = [run for case in CASES for run in contexts(case)]


def parts(data: Data) -> tuple[Data, ...]:
    if isinstance(data, Constr):
        return data.fields
    if isinstance(data, PlutusMap):
        return tuple(part for pair in data.pairs for part in pair)
    return data if isinstance(data, tuple) else ()


def rebuilt(data: Data, inner: tuple[Data, ...]) -> Data:
    if isinstance(data, Constr):
        return Constr(data.index, inner)
    if isinstance(data, PlutusMap):
        return PlutusMap(tuple(zip(inner[::2], inner[1::2], strict=False)))
    return inner


def changed(data: Data, chance: random.Random) -> Data:
    """One place, anywhere, is something else."""
    inner = parts(data)
    if inner and chance.random() < 0.9:
        at = chance.randrange(len(inner))
        return rebuilt(data, (*inner[:at], changed(inner[at], chance), *inner[at + 1 :]))
    if isinstance(data, int):
        return chance.choice((data + 1, data - 1, -data, 0, b""))
    if isinstance(data, bytes):
        return chance.choice((data[:-1], data + b"\x00", bytes(len(data)), data[::-1], 0))
    if isinstance(data, Constr) and chance.random() < 0.5:
        return Constr(chance.choice((data.index + 1, 0, 1, 2)), data.fields)
    if inner and chance.random() < 0.7:
        step = 2 if isinstance(data, PlutusMap) else 1
        at = chance.randrange(0, len(inner), step)
        kept = (*inner[:at], *inner[at + step :])
        return rebuilt(data, kept if chance.random() < 0.5 else (*inner[:at], *inner[at : at + step], *inner[at:]))
    return chance.choice((0, b"", (), Constr(0, ()), PlutusMap(())))


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine(PARAMETERS.plutus_v3_cost_model)


def test_script_and_twin_accept_what_is_honest(machine: Machine) -> None:
    for script, twin, context in HONEST:
        assert not machine.run(script, context, PARAMETERS.max_units).failure
        assert not machine.run(twin, context, PARAMETERS.max_units).failure


@pytest.mark.long
@given(run=st.sampled_from(HONEST), seed=st.integers(0, 1 << 32), changes=st.integers(1, 2))
@settings(max_examples=300, deadline=None)
def test_script_and_twin_agree_on_any_changed_context(
    machine: Machine, run: tuple[bytes, bytes, Data], seed: int, changes: int
) -> None:
    script, twin, context = run
    chance = random.Random(seed)
    for _ in range(changes):
        context = changed(context, chance)
    try:
        first = machine.run(script, context, PARAMETERS.max_units)
        second = machine.run(twin, context, PARAMETERS.max_units)
    except NotJudged:
        return  # a map with one key twice
    assert bool(first.failure) == bool(second.failure), (first, second)
