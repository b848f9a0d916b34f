"""The verdicts on one reading, but for what the rules add to plausibility. Pure."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import ReadingEvent
from indexer.protocol.profile import Profile
from projections.facts import Fact
from projections.verdicts.authentic import Authenticity, authenticity, ledger_says
from projections.verdicts.checks import Case, answer, case_of, chain_checks, scripts_passed
from projections.verdicts.model import Check, Result, Value, VerdictName, Verdicts, together
from projections.verdicts.state import State

LEDGER_SIGNATURE: Final = 6
KEYS_TRIED: Final = 8
"""Earlier keys of the passport by which a signature that fails is tried: each costs a verification."""


class Signer(Struct, frozen=True):
    """The key that a signature is judged by, and what it said."""

    key: str | None  # hex
    algorithm: int | None  # COSE number that the passport registered the key for
    found: Authenticity | None  # None without a key
    other: str = ""  # where it did not sign: which key did, as a reason code


def judge(state: State, fact: Fact, event: ReadingEvent, profile: Profile) -> Verdicts:
    """All checks of a reading. ``state`` has entered the reading's transaction (see ``state.enter``)."""
    case = case_of(state, fact, event, profile)
    signer = _signer(case)
    ledger = _ledger_signature(case, signer)
    twelve = sorted((*chain_checks(case), ledger), key=lambda check: check.number)
    beside = [scripts_passed(case), *_crypto(case, signer), _passport_battery(case)]
    if "no_builtin_for_p256" in ledger.reasons:
        reasons = ("signature_not_verifiable_on_chain",)
        beside.append(Check(name="on_chain_signature", verdict="ledger", result="not_assessable", reasons=reasons))
    return verdicts_of((*twelve, *beside), signer)


def verdicts_of(checks: tuple[Check, ...], signer: Signer) -> Verdicts:
    """Four verdicts from the checks.

    Where the ledger could not be asked about the signature (an unproven account, a curve without built-in), our own
    verification stands in for check 6, and the verdicts say so.
    """
    signed = signer.found is not None and signer.found.authentic
    ledger = checks[LEDGER_SIGNATURE - 1]
    of: dict[VerdictName, list[Check]] = {"ledger": [], "crypto": [], "binding": [], "plausibility": []}
    for check in checks:
        of[check.verdict].append(check)
    if ledger.result == "not_assessable":
        of["crypto"].remove(ledger)
    crypto = together("crypto", of["crypto"])
    extra = (*ledger.reasons, *(signer.found.remarks if signer.found is not None else ()))
    if extra:
        crypto = replace(crypto, reasons=tuple(dict.fromkeys((*crypto.reasons, *extra))))
    return Verdicts(
        ledger=together("ledger", of["ledger"]),
        crypto=crypto,
        binding=together("binding", of["binding"]),
        plausibility=together("plausibility", of["plausibility"]),
        checks=checks,
        key=signer.key,
        signed=signed,
    )


def _signer(case: Case) -> Signer:
    """The account's key judges; where the account proves nothing or is not known, the passport's does."""
    epoch, account = case.standing.key, case.account
    key = account.datum.bms_public_key if account is not None else epoch.key if epoch is not None else None
    if key is None:
        return Signer(None, None, None)
    algorithm = case.standing.algorithm_of(key)
    found = _by(case, key, algorithm)
    return Signer(key, algorithm, found, "" if found.signature.valid else _who_signed(case, key))


def _by(case: Case, key: str, algorithm: int | None) -> Authenticity:
    return authenticity(case.event.decoded, bytes.fromhex(key), algorithm, case.profile.algorithms)


def _who_signed(case: Case, tried: str) -> str:
    """A replaced module, a module not yet in the account, or the account's own key: each by name."""
    current = case.standing.key
    for epoch in list(reversed(case.standing.keys))[:KEYS_TRIED]:
        if epoch.key and epoch.key != tried and _by(case, epoch.key, epoch.algorithm).signature.valid:
            return "signed_by_passport_key" if epoch is current else "signed_by_replaced_key"
    datum = case.event.account_datum
    if datum is not None and datum.bms_public_key != tried and _by(case, datum.bms_public_key, None).signature.valid:
        return "signed_by_key_of_unproven_account" if case.event.account_unproven else "signed_by_key_of_account_after"
    return ""


def _ledger_signature(case: Case, signer: Signer) -> Check:
    if case.account is None or signer.found is None:
        return answer(6, "not_assessable", *case.no_account)
    key = case.account.datum.bms_public_key
    accepts, reason = ledger_says(case.event.decoded, bytes.fromhex(key), signer.algorithm, signer.found)
    inputs: dict[str, Value] = {"key": key, "algorithm": case.event.decoded.algorithm}
    if accepts is None:
        return answer(6, "not_assessable", reason, **inputs)
    return answer(6, "passed", **inputs) if accepts else answer(6, "failed", reason, **inputs)


def _crypto(case: Case, signer: Signer) -> Iterator[Check]:
    """Our own opinion, part by part."""
    found = signer.found
    if found is None:
        for name in ("cose_structure", "algorithm", "own_verification"):
            yield Check(name=name, verdict="crypto", result="not_assessable", reasons=("no_key_known",))
    else:
        yield _part("cose_structure", found.structure)
        yield _part("algorithm", found.algorithm, algorithm=case.event.decoded.algorithm, registered=signer.algorithm)
        faults = tuple(code for code in (found.signature.reason, signer.other) if code)
        yield _part("own_verification", faults, key=signer.key, low_s=found.signature.low_s)
    yield _passport_key(case)


def _part(name: str, faults: tuple[str, ...], **inputs: Value) -> Check:
    result: Result = "failed" if faults else "passed"
    return Check(name=name, verdict="crypto", result=result, reasons=faults, inputs=inputs)


def _passport_key(case: Case) -> Check:
    """Whether the account's key is the passport's at that place: one with a key of its own is the obvious forgery."""
    standing, event = case.standing, case.event
    datum = case.account.datum if case.account is not None else event.account_datum
    current = standing.key
    inputs: dict[str, Value] = {
        "account_key": None if datum is None else datum.bms_public_key,
        "passport_key": None if current is None else current.key,
        "passport_key_since_slot": None if current is None else current.slot,
    }

    def says(result: Result, *reasons: str) -> Check:
        return Check(name="passport_key", verdict="crypto", result=result, reasons=reasons, inputs=inputs)

    if current is None or current.key is None:
        return says("not_assessable", "no_passport_key")
    if datum is None:
        return says("not_assessable", "account_before_unknown")
    if datum.bms_public_key == current.key:
        return says("passed")
    earlier = any(epoch.key == datum.bms_public_key for epoch in standing.keys)
    return says("failed", "account_key_replaced" if earlier else "account_with_a_key_of_its_own")


def _passport_battery(case: Case) -> Check:
    """The passport's battery id beside the reading's: the contract never sees the passport."""
    passport, claimed = case.standing.passport, case.reading.battery_id
    named = None if passport is None else passport.battery_id
    inputs: dict[str, Value] = {"passport": named, "reading": claimed}
    result: Result = "passed" if named == claimed else "failed"
    reasons = () if result == "passed" else ("battery_id_not_of_passport",)
    if not named or claimed is None:
        result, reasons = "not_assessable", ("no_passport" if not named else "battery_id_missing",)
    return Check(name="passport_battery", verdict="binding", result=result, reasons=reasons, inputs=inputs)
