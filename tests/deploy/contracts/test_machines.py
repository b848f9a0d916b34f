"""The two machines: the same context for a script, the ledger's answers of the built-ins, and honest refusals."""

import sys
from collections.abc import Callable
from typing import Any

import cbor2
import msgspec
import pytest
from msgspec.structs import replace

from deploy.contracts import machine
from deploy.contracts.judge import (
    REDEEMER_MISSING,
    SCRIPT_MISSING,
    UNITS_EXCEEDED,
    Accepted,
    Pointer,
    Refused,
    Verdict,
    judge,
)
from deploy.contracts.ledger import NotJudged
from deploy.contracts.parameters import ProtocolParameters
from deploy.devnet import datums
from deploy.devnet.keys import script_place
from deploy.devnet.plutus_writer import UNIT, constructor, integer, octets, sequence
from deploy.devnet.transactions import Draft, Out, Script
from indexer.errors import InvalidChainData
from tests.deploy.contracts import scene
from tests.deploy.contracts.scene import ACCOUNT, OTHER, POLICY, USER, Case, at, commit, submit, use
from tests.deploy.contracts.second_evaluator import SecondEvaluator
from tests.shared import shared

Judge = Callable[[Case], Verdict]

TELL_CONTEXT = """
from opshin.prelude import *
from opshin.std.builtins import *

def validator(context: BuiltinData) -> None:
    print(blake2b_256(serialise_data(context)).hex())
    assert False
"""


@pytest.fixture(scope="module")
def tell_context() -> Script:
    """A script that refuses, and says the hash of all that it was told."""
    import uplc  # noqa: PLC0415
    from opshin import builder, compiler, compiler_config  # noqa: PLC0415

    with machine.deep_recursion():
        config = compiler_config.DEFAULT_CONFIG.update(compiler_config.OPT_O1_CONFIG)
        return Script(uplc.flatten(builder.compile(compiler.parse(TELL_CONTEXT, filename="tell"), config=config)))


def told(case: Case, second: SecondEvaluator, parameters: ProtocolParameters) -> tuple[str, str]:
    transaction, outputs = case.transaction().cbor, case.resolved()
    first = judge(transaction, outputs, case.slots, parameters)
    answer = second.judge(transaction, outputs, case.slots, parameters.plutus_v3_cost_model)
    assert isinstance(first, Refused)
    return first.trace, str(answer["logs"][-1])


def mint_with(script: Script, case: Case) -> Case:
    case.draft.scripts = [script]
    case.draft.mint[script.hash] = {b"": 3, b"\x01" * 32: 1, b"\x02": -5}
    case.draft.mints[script.hash] = use(constructor(1, sequence(integer(1), octets(bytes(70))), integer(-(1 << 70))))
    return case


@pytest.mark.parametrize("begin", [None, 1_000])
@pytest.mark.parametrize("end", [None, 2_000])
def test_both_machines_tell_a_script_the_same_context(
    tell_context: Script,
    second_evaluator: SecondEvaluator,
    parameters: ProtocolParameters,
    begin: int | None,
    end: int | None,
) -> None:
    """Compared as the hash of the serialised context: inputs, values, datums, addresses, bounds, redeemers, order."""
    draft = Draft(
        inputs=[], outputs=[], fee=300_000, signers=[USER, OTHER], mint={}, spends={}, mints={}, references=[]
    )
    case = Case(draft, {})
    draft.required = [OTHER.hash, USER.hash]
    assets = {bytes((number,)) * 28: {b"": 1, b"b": 2, b"ab": 3} for number in (9, 1, 5)}
    case.spent(at("plain", 5_000_000, first="f"), Out(place=USER.place, lovelace=5_000_000, assets=assets))
    case.spent(at("staked", 6_000_000), Out(place=scene.with_stake(scene.REPORTING_PLACE), lovelace=6_000_000))
    case.unspent(draft.inputs[-1])
    case.draft.references = [at("staked", 6_000_000)]
    case.refer(scene.CONTRACTS.passport)
    draft.outputs = [
        Out(place=scene.COMMITMENT_PLACE, lovelace=2_000_000, datum=constructor(6, constructor(2, integer(0)))),
        Out(place=OTHER.place, lovelace=2_000_000, assets=assets, script=tell_context),
    ]
    draft.invalid_before, draft.invalid_after = begin, end
    first, second = told(mint_with(tell_context, case), second_evaluator, parameters)
    assert first == second
    assert len(first) == 64


def test_both_machines_tell_a_validator_its_datum(
    tell_context: Script, second_evaluator: SecondEvaluator, parameters: ProtocolParameters
) -> None:
    draft = Draft(inputs=[], outputs=[], fee=300_000, signers=[USER], mint={}, spends={}, mints={}, references=[])
    case = Case(draft, {})
    draft.scripts = [tell_context]
    datum = constructor(0, octets(bytes(64)), octets(bytes(65)), sequence(), integer(1 << 64))
    out = Out(place=script_place(tell_context.hash), lovelace=5_000_000, datum=datum)
    case.spent(at("guarded", 5_000_000), out, UNIT)
    draft.outputs = [Out(place=USER.place, lovelace=4_700_000)]
    first, second = told(case, second_evaluator, parameters)
    assert first == second


def test_a_script_without_enough_declared_units_is_refused_and_the_need_is_told(
    parameters: ProtocolParameters,
) -> None:
    case = commit()
    case.draft.mints[POLICY] = replace(case.draft.mints[POLICY], memory=1_000)
    transaction, outputs = case.transaction().cbor, case.resolved()
    verdict = judge(transaction, outputs, case.slots, parameters)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.pointer) == (UNITS_EXCEEDED, Pointer("mint", 0))
    estimated = judge(transaction, outputs, case.slots, parameters, declared_units=False)
    assert isinstance(estimated, Accepted)
    assert estimated.units[verdict.pointer] == verdict.units


def test_a_missing_script_and_a_missing_redeemer_are_told_apart(parameters: ProtocolParameters) -> None:
    case = commit()
    case.draft.references = []
    verdict = judge(case.transaction().cbor, case.resolved(), case.slots, parameters)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.script_hash) == (SCRIPT_MISSING, POLICY)
    case = submit()
    case.draft.spends.pop(ACCOUNT.key)
    verdict = judge(case.transaction().cbor, case.resolved(), case.slots, parameters)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.pointer) == (REDEEMER_MISSING, Pointer("spend", 0))


def test_an_output_that_was_not_given_is_named(parameters: ProtocolParameters) -> None:
    case = commit()
    with pytest.raises(NotJudged, match="resolve it first"):
        judge(case.transaction().cbor, {}, case.slots, parameters)


@pytest.mark.parametrize("cut", [0, 1, 40, 400])
def test_bytes_that_are_no_transaction_are_refused_as_such(parameters: ProtocolParameters, cut: int) -> None:
    case = commit()
    with pytest.raises(InvalidChainData):
        judge(case.transaction().cbor[:cut], case.resolved(), case.slots, parameters)


def test_the_library_is_left_with_the_recursion_limit_of_the_process(parameters: ProtocolParameters) -> None:
    before = sys.getrecursionlimit()
    case = commit()
    judge(case.transaction().cbor, case.resolved(), case.slots, parameters)
    assert sys.getrecursionlimit() == before


def test_the_parameters_are_mainnets(parameters: ProtocolParameters) -> None:
    recorded = msgspec.json.decode(shared("vectors/plutus/v3_350.json").read_bytes())
    assert list(parameters.plutus_v3_cost_model) == recorded
    mainnet: dict[str, Any] = msgspec.json.decode(shared("vectors/plutus/mainnet_params_e658.json").read_bytes())
    assert parameters.fee_per_byte == mainnet["min_fee_a"]
    assert parameters.fee_constant == mainnet["min_fee_b"]
    assert float(parameters.memory_price) == mainnet["price_mem"]
    assert float(parameters.cpu_price) == mainnet["price_step"]
    assert parameters.max_transaction_memory == mainnet["max_tx_ex_mem"]


def test_a_map_of_one_key_twice_is_not_judged_rather_than_judged_wrongly(parameters: ProtocolParameters) -> None:
    case = commit()
    case.draft.mints[POLICY] = use(b"\xa2\x01\x02\x01\x03")
    with pytest.raises(NotJudged, match="one key twice"):
        judge(case.transaction().cbor, case.resolved(), case.slots, parameters)


@pytest.mark.parametrize("length", [0, 63, 64, 65, 128])
def test_the_token_name_is_the_hash_of_the_list_that_the_chain_would_write(length: int) -> None:
    """The library's own answer differs at 64 bytes: our serialiser must not."""
    name = datums.commitment_token(bytes(length), USER.hash, 1)
    uplc = machine._library()
    listed = uplc.ast.PlutusList(
        [uplc.ast.PlutusByteString(bytes(length)), uplc.ast.PlutusByteString(USER.hash), uplc.ast.PlutusInteger(1)]
    )
    written = uplc.ast.BuiltInFunEvalMap[uplc.ast.BuiltInFun.SerialiseData](listed).value
    assert cbor2.loads(written)
    assert (
        uplc.ast.BuiltInFunEvalMap[uplc.ast.BuiltInFun.Blake2b_256](uplc.ast.BuiltinByteString(written)).value == name
    )


def test_the_built_ins_answer_as_the_ledgers_own_vectors_say() -> None:
    """secp256k1 and Ed25519: accepted, refused, or an error of the script."""
    cases = msgspec.json.decode(shared("vectors/plutus_builtin_signature_vectors.json").read_bytes())
    uplc = machine._library()
    functions = {
        "verifyEcdsaSecp256k1Signature": uplc.ast.BuiltInFun.VerifyEcdsaSecp256k1Signature,
        "verifyEd25519Signature": uplc.ast.BuiltInFun.VerifyEd25519Signature,
    }
    wrong = []
    tried = 0
    for case in cases:
        if case["builtin"] not in functions or case["message"] is None:
            continue
        given = [uplc.ast.BuiltinByteString(bytes.fromhex(case[part])) for part in ("key", "message", "signature")]
        try:
            answer = str(uplc.ast.BuiltInFunEvalMap[functions[case["builtin"]]](*given).value).lower()
        except (AssertionError, ValueError):
            answer = "error"
        tried += 1
        if answer != str(case["expected"]).lower():
            wrong.append((case["builtin"], case["name"], case["expected"], answer))
    assert tried > 20
    assert not wrong
