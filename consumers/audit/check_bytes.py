"""Whether a pack's decoded fields are what the bytes beside them say. Pure."""

from collections.abc import Iterator

from msgspec import Struct

from consumers.audit.judged import Story
from indexer.events import (
    ChainEvent,
    CommitmentMinted,
    OutputView,
    PassportEvent,
    ReadingEvent,
    ReportingAccountUpdated,
    ReportingDatum,
)
from indexer.protocol.address import read_address
from indexer.protocol.cbor import Malformed
from indexer.protocol.cose import read_cose
from indexer.protocol.datums import (
    Submit,
    read_commitment_datum,
    read_passport_datum,
    read_reporting_datum,
    read_spend_redeemer,
)
from indexer.protocol.keys import name_scheme


class Said(Struct, frozen=True):
    """How many datums were there to be read again, and what differs."""

    read: int
    without_bytes: int  # by hash only: the datum stood elsewhere in the transaction
    faults: tuple[str, ...]


def message_faults(story: Story) -> Iterator[str]:
    """Readings whose message, taken apart again, says something else, or is not the one in the redeemer."""
    for fact in story.readings:
        event = fact.event
        assert isinstance(event, ReadingEvent)
        message = bytes.fromhex(event.cose)
        if read_cose(message) != event.decoded:
            yield f"reading {fact.fact}: its fields are not what its message says"
        try:
            redeemer = read_spend_redeemer(bytes.fromhex(event.redeemer))
        except Malformed as error:
            yield f"reading {fact.fact}: its redeemer can't be read: {error}"
            continue
        if redeemer != Submit(message):
            yield f"reading {fact.fact}: its redeemer does not hold its message"


def datums(story: Story) -> Said:
    """The datums of passports, commitments and accounts, read again."""
    read = without = 0
    faults: list[str] = []
    for fact in story.facts:
        output = _output_with_datum(fact.event)
        if output is None:
            continue
        if output.datum is None:
            without += 1
            continue
        read += 1
        try:
            agrees = _agrees(fact.event, bytes.fromhex(output.datum))
        except Malformed as error:
            faults.append(f"fact {fact.fact}: its datum can't be read: {error}")
            continue
        if not agrees:
            faults.append(f"fact {fact.fact}: its fields are not what its datum says")
    return Said(read, without, tuple(faults))


def address_faults(story: Story) -> Iterator[str]:
    """Outputs whose payment credential is not their address's."""
    for fact in story.facts:
        for output in _outputs(fact.event):
            try:
                address = read_address(output.address)
            except Malformed as error:
                yield f"fact {fact.fact}, output {output.index}: {error}"
                continue
            if (address.payment, address.payment_kind) != (output.payment, output.payment_kind):
                yield f"fact {fact.fact}, output {output.index}: the credential is not that of {output.address}"


def _outputs(event: ChainEvent) -> Iterator[OutputView]:
    if isinstance(event, ReadingEvent):
        yield event.account_output
        yield from event.outputs
    elif (output := getattr(event, "output", None)) is not None:
        yield output


def _output_with_datum(event: ChainEvent) -> OutputView | None:
    match event:
        case PassportEvent() | CommitmentMinted() | ReportingAccountUpdated():
            return event.output
        case ReadingEvent():
            return event.account_output if event.account_datum is not None else None
        case _:
            return None


def _agrees(event: ChainEvent, raw: bytes) -> bool:
    match event:
        case PassportEvent():
            passport = read_passport_datum(raw)
            key = None if passport.bms_public_key is None else passport.bms_public_key.hex()
            named = passport.battery_id is None or passport.battery_id.hex() == event.battery_id
            said = (key, passport.bms_key_alg, passport.version, passport.metadata)
            return named and said == (
                event.bms_public_key,
                event.bms_key_alg,
                event.metadata_version,
                event.metadata,
            )
        case CommitmentMinted():
            datum = read_commitment_datum(raw)
            nonce = None if datum.nonce is None else datum.nonce.hex()
            scheme = name_scheme(
                bytes.fromhex(event.token_name), datum.battery_id, datum.user_pkh, datum.slot, datum.nonce
            )
            said_of = (datum.battery_id.hex(), datum.user_pkh.hex(), datum.slot, nonce, scheme)
            return said_of == (event.battery_id, event.user_pkh, event.claimed_slot, event.nonce, event.name_scheme)
        case ReportingAccountUpdated():
            return _account(raw) == event.datum
        case ReadingEvent():
            return _account(raw) == event.account_datum
        case _:
            return True


def _account(raw: bytes) -> ReportingDatum:
    return read_reporting_datum(raw)[0]
