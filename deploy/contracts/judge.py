"""Whether the ledger's second phase accepts a transaction: every script that it runs, on the Python machine.

A pure function of the transaction, the outputs that it names, how slots become time, and the protocol parameters.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, Literal

from msgspec import Struct

from deploy.contracts.blueprint import load_contracts, load_traced_contracts
from deploy.contracts.context import Contexts, SlotConfig, script_hash
from deploy.contracts.ledger import (
    LedgerTransaction,
    Output,
    OutputReference,
    Purpose,
    Redeemer,
    Resolved,
    read_transaction,
    resolve,
)
from deploy.contracts.machine import Machine, Units
from deploy.contracts.parameters import ProtocolParameters

Reason = Literal["script_failed", "units_exceeded", "script_missing", "redeemer_missing"]

SCRIPT_FAILED: Final = "script_failed"
UNITS_EXCEEDED: Final = "units_exceeded"
SCRIPT_MISSING: Final = "script_missing"
REDEEMER_MISSING: Final = "redeemer_missing"

_PLUTUS_V3: Final = 3


class Pointer(Struct, frozen=True):
    """Which script run: the purpose, and the index among inputs, policies or withdrawals in the ledger's order."""

    purpose: Purpose
    index: int


class Accepted(Struct, frozen=True):
    """Every script accepted. The units that each used, which may be fewer than declared."""

    units: dict[Pointer, Units]


class Refused(Struct, frozen=True, kw_only=True):
    """The first script that refused, in the order of redeemers.

    ``trace`` is the check that failed, as the contract's source names it, where the script is one of these contracts;
    else the script's last own trace, or empty. ``detail`` is for a person.
    """

    pointer: Pointer
    script_hash: bytes
    reason: Reason
    trace: str = ""
    detail: str
    units: Units = Units(0, 0)  # used until then


Verdict = Accepted | Refused


def judge(
    transaction: bytes,
    resolved: Resolved,
    slots: SlotConfig,
    parameters: ProtocolParameters,
    *,
    declared_units: bool = True,
) -> Verdict:
    """Runs every script of a transaction (its whole CBOR), first by first, until one refuses.

    ``resolved`` holds each output named by its inputs and reference inputs. With ``declared_units`` a script may use
    what its redeemer declares, as in a block; without, the most that a transaction may, as when units are estimated.

    Raises Malformed for bytes that are no Conway transaction, NotJudged for what this judge can't translate or was not
    given.
    """
    read = read_transaction(transaction)
    outputs = {reference: resolve(resolved, reference) for reference in (*read.inputs, *read.references)}
    scripts = _scripts(read, outputs)
    missing = _without_redeemer(read, outputs, scripts)
    if missing is not None:
        return missing
    contexts = Contexts(read, outputs, slots)
    used: dict[Pointer, Units] = {}
    for redeemer in read.redeemers:
        declared = Units(redeemer.memory, redeemer.cpu)
        verdict = _run(redeemer, script_hash(read, outputs, redeemer), scripts, contexts, parameters)
        if isinstance(verdict, Refused):
            return verdict
        if declared_units and (verdict.memory > declared.memory or verdict.cpu > declared.cpu):
            return Refused(
                pointer=Pointer(redeemer.purpose, redeemer.index),
                script_hash=script_hash(read, outputs, redeemer),
                reason=UNITS_EXCEEDED,
                detail=f"{verdict.memory} memory and {verdict.cpu} CPU needed, "
                f"{declared.memory} and {declared.cpu} declared",
                units=verdict,
            )
        used[Pointer(redeemer.purpose, redeemer.index)] = verdict
    return Accepted(used)


def _run(
    redeemer: Redeemer,
    wanted: bytes,
    scripts: Mapping[bytes, bytes],
    contexts: Contexts,
    parameters: ProtocolParameters,
) -> Units | Refused:
    """One script's units, or why it refuses."""
    pointer = Pointer(redeemer.purpose, redeemer.index)
    if wanted not in scripts:
        detail = f"the Plutus V3 script {wanted.hex()} is neither a witness nor on an output that is referred to"
        return Refused(pointer=pointer, script_hash=wanted, reason=SCRIPT_MISSING, detail=detail)
    machine = _machine(parameters.plutus_v3_cost_model)
    context = contexts.of(redeemer)
    run = machine.run(scripts[wanted], context, parameters.max_units)
    if not run.failure:
        return run.units
    twin = _twins().get(wanted)
    told = machine.run(twin, context, parameters.max_units) if twin else run
    return Refused(
        pointer=pointer,
        script_hash=wanted,
        reason=SCRIPT_FAILED,
        trace=told.traces[-1] if told.traces else "",
        detail=run.failure,
        units=run.units,
    )


def _scripts(transaction: LedgerTransaction, outputs: Mapping[OutputReference, Output]) -> dict[bytes, bytes]:
    """The Plutus V3 scripts at hand, by hash: witnesses, and those on outputs that are spent or referred to."""
    found = dict(transaction.scripts)
    for output in outputs.values():
        if output.script is not None and output.script_hash is not None and output.script[0] == _PLUTUS_V3:
            found[output.script_hash] = output.script[1]
    return found


def _without_redeemer(
    transaction: LedgerTransaction, outputs: Mapping[OutputReference, Output], scripts: Mapping[bytes, bytes]
) -> Refused | None:
    """A script that has to run and was given no redeemer; the ledger's first phase turns such a transaction away."""
    given = {(redeemer.purpose, redeemer.index) for redeemer in transaction.redeemers}
    guarded: list[tuple[Pointer, bytes]] = [
        (Pointer("spend", index), outputs[reference].address[1:29])
        for index, reference in enumerate(transaction.inputs)
        if outputs[reference].address[0] >> 4 in (1, 3, 5, 7)
    ]
    guarded += [(Pointer("mint", index), policy) for index, policy in enumerate(sorted(transaction.mint))]
    for pointer, wanted in guarded:
        if wanted in scripts and (pointer.purpose, pointer.index) not in given:
            detail = f"{pointer.purpose}:{pointer.index} is guarded by {wanted.hex()} and has no redeemer"
            return Refused(pointer=pointer, script_hash=wanted, reason=REDEEMER_MISSING, detail=detail)
    return None


@cache
def _machine(cost_model: tuple[int, ...]) -> Machine:
    return Machine(cost_model)


@cache
def _twins() -> dict[bytes, bytes]:
    """The committed contracts' hashes, and the scripts that name the check that refuses."""
    pairs = zip(load_contracts().all, load_traced_contracts().all, strict=True)
    return {contract.hash: twin.content for contract, twin in pairs}
