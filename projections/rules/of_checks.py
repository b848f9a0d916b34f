"""R01 to R06, R12, R45, R48 and R51: what a reading's checks and its message say, as findings. Pure."""

from indexer.events import CoseView, ReadingEvent, ReadingRejected, ReportingAccountUpdated
from indexer.protocol.cose import MALFORMED, MALFORMED_PAYLOAD
from projections.rules.model import NOTHING, Hit, Outcome
from projections.verdicts.model import Check, Verdicts
from projections.verdicts.standing import Standing


def malformed(_: Verdicts, event: ReadingEvent) -> Outcome:
    """R01."""
    view = event.decoded
    faults = [departure for departure in view.departures if departure in MALFORMED | MALFORMED_PAYLOAD]
    if view.unreadable is not None and view.unreadable not in faults:
        faults.append(view.unreadable)
    return (Hit("high", {"departures": faults}),) if faults else NOTHING


def not_deterministic(_: Verdicts, event: ReadingEvent) -> Outcome:
    """R02."""
    view: CoseView = event.decoded
    if view.payload is None or view.unreadable is not None:
        return None
    return NOTHING if view.deterministic else (Hit("info", {"departures": list(view.departures)}),)


def wrong_algorithm(verdicts: Verdicts, event: ReadingEvent) -> Outcome:
    """R03."""
    check = verdicts.beside("algorithm")
    if check is None or check.result == "not_assessable":
        return None
    algorithm = event.decoded.algorithm
    return (Hit("high", {"algorithm": algorithm, "reasons": list(check.reasons)}),) if check.reasons else NOTHING


def wrong_signature(verdicts: Verdicts, _: ReadingEvent) -> Outcome:
    """R04."""
    check = verdicts.beside("own_verification")
    if check is None or check.result == "not_assessable":
        return None
    return (Hit("critical", {"key": verdicts.key, "reasons": list(check.reasons)}),) if check.reasons else NOTHING


def high_s(verdicts: Verdicts, _: ReadingEvent) -> Outcome:
    """R05."""
    check = verdicts.beside("own_verification")
    low = None if check is None else check.inputs.get("low_s")
    if low is None:
        return None
    return NOTHING if low else (Hit("info", {"low_s": False}),)


def other_battery(verdicts: Verdicts, _: ReadingEvent) -> Outcome:
    """R06."""
    return _failed([verdicts.check(2), verdicts.beside("passport_battery")])


def replaced_key(verdicts: Verdicts, _: ReadingEvent) -> Outcome:
    """R12."""
    codes = {"signed_by_replaced_key", "account_key_replaced", "signed_by_key_of_account_after"}
    if verdicts.key is None:
        return None
    found = sorted(codes & set(verdicts.crypto.reasons))
    return (Hit("high", {"reasons": found, "key": verdicts.key}),) if found else NOTHING


def too_old(verdicts: Verdicts, event: ReadingEvent) -> Outcome:
    """R45. Of a reading that the chain accepted: its contract or its clock is at fault."""
    if isinstance(event, ReadingRejected):
        return NOTHING
    return _failed([verdicts.check(4)])


def wrong_challenge(verdicts: Verdicts, _: ReadingEvent) -> Outcome:
    """R48."""
    return _failed([verdicts.check(5)])


def key_without_passport(verdicts: Verdicts, event: ReadingEvent) -> Outcome:
    """R51. Of a proven account only: with an unproven one, anybody can claim any key."""
    check = verdicts.beside("passport_key")
    if check is None or check.result == "not_assessable" or event.account_unproven:
        return None
    own = "account_with_a_key_of_its_own" in check.reasons
    return (Hit("high", {"account_key": check.inputs.get("account_key")}),) if own else NOTHING


def account_key_unknown(standing: Standing, event: ReportingAccountUpdated) -> Outcome:
    """R51, of an account as it is opened. ``standing`` is the one after the event."""
    if event.account_unproven or not standing.keys:
        return None
    known = any(epoch.key == event.datum.bms_public_key for epoch in standing.keys)
    return NOTHING if known else (Hit("high", {"account_key": event.datum.bms_public_key}),)


def _failed(checks: list[Check | None]) -> Outcome:
    asked = [check for check in checks if check is not None and check.result != "not_assessable"]
    if not asked:
        return None
    hits = [Hit("critical", {"reasons": list(c.reasons), **c.inputs}) for c in asked if c.result == "failed"]
    return tuple(hits[:1])
