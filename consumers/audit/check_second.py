"""A second way to the answers that matter most: pycose for signatures, cbor2 for the payload, a walk of its own for
challenges and keys. Shares no code with the folds that give the verdicts. Pure.
"""

from bisect import bisect_left
from collections.abc import Iterator
from io import BytesIO
from operator import itemgetter
from typing import Any, Final

import cbor2
from msgspec import Struct

from consumers.audit.judged import Story
from consumers.audit.second_opinion import verified
from indexer.events import CommitmentMinted, PassportEvent, ReadingEvent
from projections.facts import Fact
from projections.verdict_rows import VerdictRow
from projections.verdicts.signatures import CURVES

SIGN1_TAG: Final = 18
MAX_MESSAGE_BYTES: Final = 16_384
"""A transaction has at most so many. What is larger is not put to a general decoder."""


class Second(Struct, frozen=True):
    """What the second way found, reading by reading."""

    asked: int  # readings put to it
    signed: int  # whose signature it accepts
    left_out: int  # not sound COSE: pycose is too lenient to be asked
    signature_faults: tuple[str, ...]
    binding_faults: tuple[str, ...]
    key_faults: tuple[str, ...]


def second_way(story: Story) -> Second:
    rows = {row.fact: row for row in story.opinions.verdicts}
    minted = {
        (fact.event.transaction, fact.event.output.index): fact.event.token_name
        for fact in story.facts
        if isinstance(fact.event, CommitmentMinted)
    }
    passports = [
        ((fact.height, fact.event.transaction_index), fact.event.bms_public_key)
        for fact in story.facts
        if isinstance(fact.event, PassportEvent)
    ]
    asked = signed = left_out = 0
    signatures: list[str] = []
    bindings: list[str] = []
    keys: list[str] = []
    for fact in story.readings:
        row = rows.get(fact.fact)
        if row is None:
            continue
        bindings += _binding_faults(fact, row, minted)
        keys += _key_faults(fact, row, passports)
        if row.checks["cose_structure"]["result"] != "passed" or row.public_key is None:
            left_out += 1
            continue
        asked += 1
        accepts = _signed(fact, row)
        signed += accepts
        first = row.checks["own_verification"]["result"] == "passed"
        if accepts != first:
            signatures.append(
                f"reading {fact.fact}: pycose {'accepts' if accepts else 'refuses'} the signature, the verdict says "
                f"that the key {'signed' if first else 'did not sign'} it"
            )
    return Second(asked, signed, left_out, tuple(signatures), tuple(bindings), tuple(keys))


def _signed(fact: Fact, row: VerdictRow) -> bool:
    event = fact.event
    assert isinstance(event, ReadingEvent)
    curve = CURVES.get(event.decoded.algorithm or 0)
    message = bytes.fromhex(event.cose)
    if curve is None or row.public_key is None or len(message) > MAX_MESSAGE_BYTES:
        return False
    key = bytes.fromhex(row.public_key)
    return len(key) == (32 if curve == "ed25519" else 33) and verified(message, curve, key)


def _binding_faults(fact: Fact, row: VerdictRow, minted: dict[tuple[str, int], str]) -> Iterator[str]:
    """The challenge is the id of the transaction whose commitment this one spends; number 5 of the twelve says so."""
    event = fact.event
    assert isinstance(event, ReadingEvent)
    payload = _payload(event)
    reading = event.decoded.reading
    challenge = payload.get(2)
    if reading is not None and event.decoded.form == "commitment-v2":
        said = (reading.battery_id, reading.challenge, reading.counter)
        battery, counter = payload.get(1), payload.get(3)
        if said != (_hex(battery), _hex(challenge), counter if type(counter) is int else None):
            yield f"reading {fact.fact}: cbor2 reads another battery, challenge or counter in its payload"
    spent = {(each.transaction, each.index) for each in event.inputs}
    answered = {output[0] for output in spent if minted.get(output) in event.burned_commitments}
    passed = row.checks["challenge"]["result"] == "passed"
    if passed and _hex(challenge) not in answered:
        yield f"reading {fact.fact}: passed as an answer to its challenge, which no commitment that it spends made"


def _payload(event: ReadingEvent) -> dict[Any, Any]:
    """The payload by another decoder; empty where it is none of ours."""
    content = bytes.fromhex(event.cose)
    if len(content) > MAX_MESSAGE_BYTES:
        return {}
    try:
        # One item each: what follows it is the envelope check's business.
        message = cbor2.CBORDecoder(BytesIO(content)).decode()
        if isinstance(message, cbor2.CBORTag) and message.tag == SIGN1_TAG:
            message = message.value
        payload = cbor2.CBORDecoder(BytesIO(message[2])).decode()
    except _REFUSALS:
        return {}
    return payload if isinstance(payload, dict) else {}


_REFUSALS: Final = (
    *(cbor2.CBORDecodeError, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, RecursionError, MemoryError),
)
"""It has no single way to say no."""


def _key_faults(fact: Fact, row: VerdictRow, passports: list[tuple[tuple[int, int], str | None]]) -> Iterator[str]:
    """The passport's key at the reading's place is that of the last passport event before its transaction."""
    place = (fact.height, fact.event.transaction_index)
    before = bisect_left(passports, place, key=itemgetter(0))
    key = passports[before - 1][1] if before else None
    said = row.checks["passport_key"].get("inputs", {}).get("passport_key")
    if said != key:
        yield f"reading {fact.fact}: judged by the passport's key {said}, which was {key} at its place"


def _hex(value: Any) -> str | None:
    return value.hex() if isinstance(value, bytes) else None
