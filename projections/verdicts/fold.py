"""Verdicts and findings, event by event: the pure fold that a projection wires in.

``fold(state, fact, profile, thresholds) -> (state, judged)``. Facts of one battery come in the chain's order.
"""

from typing import Final

from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from indexer.events import CommitmentClosed, CommitmentMinted, ReadingEvent, ReadingRejected, ReportingAccountUpdated
from indexer.protocol.profile import Profile
from projections.facts import Fact
from projections.rules.catalogue import RULES
from projections.rules.engine import (
    READING_RULES,
    SINGLE_RULES,
    UNBOUND_RULES,
    Said,
    judge_reading,
    rules_of,
    said,
    taken_up,
)
from projections.rules.history import NEW, History, Sample, epoch_opened, noted
from projections.rules.model import Finding
from projections.rules.of_checks import account_key_unknown
from projections.rules.passport import Passport
from projections.rules.thresholds import ThresholdBook, Thresholds
from projections.verdicts import state as chain_state
from projections.verdicts.judge import judge
from projections.verdicts.model import Verdicts, together

_PAYLOAD_KEPT: Final = 32  # hex digits of its SHA-256 that tell payloads apart
_FAILING: Final = frozenset(("quarantine", "high", "critical"))
_VERDICT_RULES: Final = rules_of("verdict")
_COMMITMENT_RULES: Final = rules_of("commitment")
_NO_PASSPORT: Final = Passport()


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one battery in one deployment: what the chain says, and what rules remember."""

    chain: chain_state.State = chain_state.EMPTY
    history: History = NEW


class Judged(Struct, frozen=True, omit_defaults=True):
    """What one event led to."""

    verdicts: Verdicts | None = None  # of a reading
    said: Said = Said()


EMPTY: Final = State()
NOTHING: Final = Judged()
encode_state = Encoder().encode
decode_state = Decoder(State).decode


def fold(state: State, fact: Fact, profile: Profile, book: ThresholdBook) -> tuple[State, Judged]:
    """What one event says, and the state after it. Raises for no event."""
    event = fact.event
    before = chain_state.enter(state.chain, event.transaction, fact.slot)
    passport = before.standing.passport or _NO_PASSPORT
    thresholds = book.of(event.deployment, passport.model)
    history, judged = state.history, NOTHING
    after = chain_state.advance(before, fact, profile.max_age_slots)
    match event:
        case ReadingEvent():
            history, judged = _reading(before, history, fact, profile, thresholds)
        case CommitmentMinted() | CommitmentClosed():
            judged = Judged(said=_commitment(before, after, fact, thresholds))
        case ReportingAccountUpdated():
            outcome = account_key_unknown(after.now, event)
            judged = Judged(said=said([(RULES["R51"], outcome)], thresholds))
    history = _moved(history, before, after, fact)
    return replace(state, chain=after, history=history), judged


def _reading(
    chain: chain_state.State,
    history: History,
    fact: Fact,
    profile: Profile,
    thresholds: Thresholds,
) -> tuple[History, Judged]:
    event = fact.event
    assert isinstance(event, ReadingEvent)
    verdicts = judge(chain, fact, event, profile)
    passport = chain.standing.passport or _NO_PASSPORT
    found = said(((rule, rule.judge(verdicts, event)) for rule in _VERDICT_RULES), thresholds)
    sample = sample_of(event, fact.slot, signed=verdicts.signed)
    if sample is None:
        return history, Judged(verdicts, found)
    if verdicts.crypto.result == "passed" and verdicts.key != history.key:
        # A key speaks that has not spoken before: of a new battery, or of a new module.
        history = epoch_opened(history, verdicts.key) if history.key is not None else replace(history, key=verdicts.key)
    # What is not signed anybody can make, and what is not bound anybody can submit again, however old: neither is
    # compared with what the battery said, or a stranger could raise alarms about it.
    ours = verdicts.signed and verdicts.key == history.key
    holds = verdicts.crypto.result == verdicts.binding.result == "passed"
    rules = READING_RULES if holds else UNBOUND_RULES if ours else SINGLE_RULES
    ruled = judge_reading(history if ours else NEW, sample, passport, thresholds, rules)
    left_out = tuple(rule.id for rule in READING_RULES if rule not in rules) if rules is not READING_RULES else ()
    judged = _judged(verdicts, found.and_then(ruled).and_then(Said((), left_out)))
    if holds and not isinstance(event, ReadingRejected):
        return taken_up(history, sample, passport, thresholds), judged
    return noted(history, sample, bound=holds) if ours else history, judged


def _judged(verdicts: Verdicts, found: Said) -> Judged:
    """Plausibility fails by its checks, and by what rules R07 to R42 find at "high" or above, or put aside."""
    failing = dict.fromkeys(each.rule for each in found.findings if _fails(each))
    if found.quarantined and not failing:
        failing["put_aside"] = None
    if not failing:
        return Judged(verdicts, found)
    plausibility = together("plausibility", verdicts.checks, failing=tuple(failing))
    return Judged(replace(verdicts, plausibility=plausibility), found)


def _fails(finding: Finding) -> bool:
    return finding.severity in _FAILING and "R07" <= finding.rule <= "R42" and finding.rule != "R12"


def _commitment(
    before: chain_state.State,
    after: chain_state.State,
    fact: Fact,
    thresholds: Thresholds,
) -> Said:
    event = fact.event
    minted = isinstance(event, CommitmentMinted)
    rules = [rule for rule in _COMMITMENT_RULES if rule.id == "R43" or (rule.id != "R50") is minted]
    state = after if minted else before
    return said(((rule, rule.judge(state, event, fact.slot, thresholds)) for rule in rules), thresholds)


def sample_of(event: ReadingEvent, slot: int, *, signed: bool) -> Sample | None:
    """The reading as rules see it; None where nothing of it could be decoded."""
    view = event.decoded
    if view.reading is None:
        return None
    reading = replace(view.reading, battery_id=None, challenge=None)  # no rule asks for them, and states are kept
    return Sample(slot, reading, (view.payload_sha256 or "")[:_PAYLOAD_KEPT], signed)


def _moved(history: History, before: chain_state.State, after: chain_state.State, fact: Fact) -> History:
    """Remembers a sale."""
    old, new = before.now.holder, after.now.holder
    if old is None or new is None or old.moves == new.moves:
        return history
    return replace(history, sold_at=fact.slot)
