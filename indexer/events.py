"""The facts read from the chain: what the log holds and projections and consumers read.

Facts, not opinions: an event says what its transaction says. Hashes, keys and bytes are lowercase hex. A field added
with a default is a compatible change; any other change is a new version in ``EVENT_VERSION`` and a new log.
"""

from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from indexer.hexes import Hash28, Hash32, Hex, hex_check

EVENT_VERSION = "v1"


class OutputRef(Struct, frozen=True):
    """An output's transaction id and index."""

    transaction: Hash32
    index: int


class OutputView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An output as the transaction shows it."""

    index: int
    address: str  # bech32 or base58, both parts
    payment: str = ""  # payment credential, 28 bytes, hex; empty for an address without one
    payment_kind: Literal["", "key", "script"] = ""
    lovelace: int
    assets: dict[str, dict[str, int]] = {}  # policy id -> asset name -> quantity, ada left out
    datum: Hex | None = None  # inline, as received
    datum_hash: Hash32 | None = None
    has_reference_script: bool = False


class ReportingDatum(Struct, frozen=True, kw_only=True):
    """The state of a reporting account. The last two are None in the short form of five fields."""

    battery_id: Hex
    bms_public_key: Hex
    last_counter: int
    reward_per_read: int  # lovelace
    max_age_slots: int
    last_soh_bp: int | None = None
    last_cycle_count: int | None = None


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The payload of a COSE_Sign1 reading, as far as it could be decoded; None where absent or of the wrong type."""

    battery_id: Hex | None = None
    challenge: Hex | None = None
    counter: int | None = None
    schema_version: int | None = None
    soh_bp: int | None = None
    soc_bp: int | None = None
    cycle_count: int | None = None
    full_charge_capacity_mah: int | None = None
    nominal_capacity_mah: int | None = None
    voltage_mv: int | None = None
    current_ma: int | None = None
    temp_min_c: int | None = None
    temp_max_c: int | None = None
    energy_throughput_wh: int | None = None
    cell_count: int | None = None
    cell_voltages_mv: tuple[int, ...] | None = None


class CoseView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A COSE_Sign1 (RFC 9052 section 4.2) taken apart. ``departures`` names every rule that the bytes break."""

    tagged: bool = False
    algorithm: int | None = None  # COSE algorithm number, from the protected header
    protected: Hex | None = None  # content of the protected bstr, as received
    payload: Hex | None = None
    payload_sha256: Hash32 | None = None
    signature: Hex | None = None
    reading: Reading | None = None
    form: str = "commitment-v2"  # or a legacy form's name
    deterministic: bool = False  # RFC 8949 section 4.2.1, envelope and payload
    departures: tuple[str, ...] = ()  # reason codes, stable; empty when the bytes are as the protocol says
    unreadable: str | None = None  # why nothing more could be decoded


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What every fact carries. Where it stands in its transaction; where the transaction stands is the record's."""

    deployment: str  # name in the profile; empty where no deployment can be told
    battery_key: Hash28  # routes all of a battery's events to one partition
    transaction: Hash32
    transaction_index: int  # in its block
    index: int  # among the events of this top-level transaction, in decoding order
    path: str = ""  # of a nested transaction, such as "0" or "0.2"; empty at the top level


class PassportEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The CIP-68 reference token (label 100) stands in an output with a passport datum."""

    output: OutputView
    battery_id: Hex
    bms_public_key: Hex | None = None  # 33 bytes compressed SEC1, or 32 bytes Ed25519
    bms_key_alg: int | None = None  # COSE algorithm number
    metadata_version: int | None = None
    metadata: dict[str, Any] = {}  # keys that are UTF-8, with text, integer or hex ("0x…") values
    departures: tuple[str, ...] = ()


class PassportRegistered(PassportEvent, frozen=True, tag="passport_registered"):
    """The reference token was minted in this transaction."""


class PassportUpdated(PassportEvent, frozen=True, tag="passport_updated"):
    """The output of the reference token was re-created."""


class OwnershipTokenMoved(Event, frozen=True, kw_only=True, omit_defaults=True, tag="ownership_token_moved"):
    """The CIP-68 user token (label 222) stands in an output, its holder new or not."""

    output: OutputView
    quantity: int
    minted: bool = False
    collateral_return: bool = False


class CommitmentMinted(Event, frozen=True, kw_only=True, omit_defaults=True, tag="commitment_minted"):
    """A challenge token was minted to the commitment script."""

    output: OutputView
    token_name: Hex
    quantity: int
    battery_id: Hex
    user_pkh: Hex
    claimed_slot: int | None = None
    nonce: Hex | None = None
    name_scheme: str = "unverified"  # how the token's name follows from the datum
    tokens_minted: int = 1  # distinct names of the policy with a positive quantity in this transaction
    invalid_before: int | None = None  # slot
    invalid_after: int | None = None  # slot
    inputs: tuple[OutputRef, ...] = ()
    references: tuple[OutputRef, ...] = ()
    required_signers: tuple[Hash28, ...] = ()
    witnesses: tuple[Hash28, ...] = ()  # hashes of the keys that signed
    departures: tuple[str, ...] = ()  # of the datum; reason codes


class CommitmentClosed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="commitment_closed"):
    """A challenge token was burned, or left its output, without a reading.

    No transaction says which of its inputs held the token, so every spent input that may have is listed.
    """

    token_name: Hex
    quantity: int  # burned, positive; 0 when the token moved on unburned
    how: Literal["reclaimed", "burned", "moved"]
    candidates: tuple[OutputRef, ...]  # spent inputs whose redeemer fits, in the ledger's order
    battery_id: Hex | None = None  # as the reclaim redeemer or the account names it
    required_signers: tuple[Hash28, ...] = ()
    witnesses: tuple[Hash28, ...] = ()


class ReportingAccountUpdated(Event, frozen=True, kw_only=True, omit_defaults=True, tag="reporting_account_updated"):
    """An output at the reporting script carries a reporting datum, and no reading was submitted."""

    output: OutputView
    datum: ReportingDatum
    account_unproven: bool = False  # no thread token of this battery in the output
    thread_minted: bool = False
    departures: tuple[str, ...] = ()


class ReportingAccountClosed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="reporting_account_closed"):
    """A thread token was burned."""

    quantity: int
    inputs: tuple[OutputRef, ...] = ()  # spent: among them the account; empty where an earlier version wrote the event
    required_signers: tuple[Hash28, ...] = ()
    witnesses: tuple[Hash28, ...] = ()


class ReadingEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The reporting script was spent with SubmitSignedReading. Belongs to the battery of the re-created account."""

    cose: Hex  # the redeemer's byte string, chunks joined
    redeemer: Hex  # the whole redeemer, as received
    decoded: CoseView
    account_input: OutputRef  # the spent input that the redeemer is for
    account_output: OutputView
    account_datum: ReportingDatum | None = None  # after; None where it is not a reporting datum
    account_unproven: bool = False
    account_departures: tuple[str, ...] = ()  # of the account's datum; reason codes
    inputs: tuple[OutputRef, ...] = ()  # all spent, in the ledger's order
    consumed: tuple[OutputRef, ...] = ()  # inputs spent with a "consume with a reading" redeemer
    burned_commitments: dict[str, int] = {}  # token name -> quantity burned, positive
    minted: dict[str, dict[str, int]] = {}  # mint of the deployment's policies
    outputs: tuple[OutputView, ...] = ()  # output 0 and output 1
    required_signers: tuple[Hash28, ...] = ()
    witnesses: tuple[Hash28, ...] = ()
    invalid_before: int | None = None
    invalid_after: int | None = None


class ReadingSubmitted(ReadingEvent, frozen=True, tag="reading_submitted"):
    """The scripts passed: the reading took effect."""


class ReadingRejected(ReadingEvent, frozen=True, tag="reading_rejected"):
    """The scripts failed and only collateral was spent: nothing else of the transaction has an effect."""


class TransactionQuarantined(Event, frozen=True, kw_only=True, omit_defaults=True, tag="transaction_quarantined"):
    """A transaction, or a part of one, that touches a deployment and can't be read as the protocol says."""

    reason: str  # a stable code in snake case
    detail: str  # what was found, for a person
    raw_blake2b_256: Hash32  # of the part that could not be read: JSON text of a transaction, or CBOR
    raw_length_bytes: int
    raw: Hex | None = None  # the part itself, where it has at most QUARANTINE_KEEPS_BYTES


QUARANTINE_KEEPS_BYTES = 65_536

ChainEvent = (
    PassportRegistered
    | PassportUpdated
    | OwnershipTokenMoved
    | CommitmentMinted
    | CommitmentClosed
    | ReportingAccountUpdated
    | ReportingAccountClosed
    | ReadingSubmitted
    | ReadingRejected
    | TransactionQuarantined
)

_encoder = msgspec.json.Encoder()
encode_event = _encoder.encode
_decode = msgspec.json.Decoder(ChainEvent).decode
_check_hex = hex_check(*get_args(ChainEvent))


def decode_event(body: bytes | str | Raw) -> ChainEvent:
    """Raises msgspec.DecodeError for anything that is no event."""
    event: ChainEvent = _decode(body)
    _check_hex(event)
    return event


def event_kind(event: ChainEvent) -> str:
    """The event's name, such as ``reading_submitted``."""
    tag = type(event).__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def fact_id(network_magic: int, transaction: str, kind: str, kind_index: int) -> str:
    """Identity of a fact on any fork: the same transaction included in another block states the same fact.

    ``kind_index`` counts the transaction's events of that kind, in output or redeemer order. 32 bytes, hex.
    """
    return _digest("fact", str(network_magic), transaction, kind, str(kind_index))


def event_id(fact: str, block: str, incarnation: int) -> str:
    """Identity of one statement of a fact: in this block, for the ``incarnation``-th time (from 1). 32 bytes, hex."""
    return _digest("event", fact, block, str(incarnation))


def retraction_id(event: str) -> str:
    """Identity of the retraction of an event; an event is retracted at most once. 32 bytes, hex."""
    return _digest("retraction", event)


def _digest(*parts: str) -> str:
    return blake2b("\x00".join(parts).encode(), digest_size=32).hexdigest()
