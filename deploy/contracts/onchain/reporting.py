"""Reporting validator: the twelve checks of a signed reading, and the operator's closing of an account.

A reading is a COSE_Sign1 (RFC 9052) in deterministic CBOR (RFC 8949 section 4.2.1): every byte of it is read here, and
what the off-chain decoder would name a departure is refused.
"""

from opshin.prelude import *
from opshin.std.builtins import *

COMMITMENT: bytes = b""  # policy and script of commitments, baked in by the build
PASSPORT: bytes = b""  # policy of thread and ownership tokens
SLOT_ZERO_MS: int = 0
SOH_TOLERANCE_BP: int = 0

USER_LABEL = b"\x00\x0d\xe1\x40"  # CIP-67: (222)
SIGNATURE_BYTES = 64


@dataclass()
class ReportingDatum(PlutusData):
    CONSTR_ID = 0
    battery_id: bytes
    bms_public_key: bytes
    last_counter: int
    reward_per_read: int
    max_age_slots: int
    last_soh_bp: int
    last_cycle_count: int


@dataclass()
class CommitmentDatum(PlutusData):
    CONSTR_ID = 0
    battery_id: bytes
    user_pkh: bytes
    slot: int


@dataclass()
class SubmitSignedReading(PlutusData):
    CONSTR_ID = 0
    cose_sign1: bytes


@dataclass()
class Close(PlutusData):
    CONSTR_ID = 1


@dataclass()
class SomeAccount(PlutusData):
    CONSTR_ID = 0
    datum: ReportingDatum


@dataclass()
class SpendingAccount(PlutusData):
    CONSTR_ID = 1
    tx_out_ref: TxOutRef
    datum: SomeAccount


@dataclass()
class Context(PlutusData):
    CONSTR_ID = 0
    transaction: TxInfo
    redeemer: BuiltinData
    purpose: SpendingAccount


@dataclass()
class Reading(PlutusData):
    CONSTR_ID = 0
    counter: int
    soh_bp: int
    cycle_count: int


def is_data(given: Anything, expected: Anything) -> bool:
    """Equal to the last field: no other constructor, and no field more."""
    return equals_data(given, expected)


def is_all_minted(transaction: TxInfo, policy: bytes, name: bytes, quantity: int) -> bool:
    minted: Anything = transaction.mint
    expected: Anything = {policy: {name: quantity}}
    return equals_data(minted, expected)


def byte(data: bytes, at: int) -> int:
    return index_byte_string(data, at)


def behind(data: bytes, at: int) -> int:
    """The offset behind the head at an offset. A head is in its shortest form only if it needs its first bytes."""
    info = byte(data, at) % 32
    if info < 24:
        end = at + 1
    elif info == 24:
        assert byte(data, at + 1) >= 24, "reading: a number is not in its shortest form"
        end = at + 2
    elif info == 25:
        assert byte(data, at + 1) > 0, "reading: a number is not in its shortest form"
        end = at + 3
    elif info == 26:
        assert slice_byte_string(at + 1, 2, data) != b"\x00\x00", "reading: a number is not in its shortest form"
        end = at + 5
    else:
        assert info == 27, "reading: a length is reserved or indefinite"
        assert slice_byte_string(at + 1, 4, data) != b"\x00\x00\x00\x00", (
            "reading: a number is not in its shortest form"
        )
        end = at + 9
    return end


def argument(data: bytes, at: int, end: int) -> int:
    """The argument of the head that stands from an offset to another: in its first byte, or in those behind it."""
    if end == at + 1:
        value = byte(data, at) % 32
    else:
        value = byte_string_to_integer(True, slice_byte_string(at + 1, end - at - 1, data))
    return value


def unsigned(data: bytes, at: int) -> int:
    """The offset behind an unsigned integer."""
    assert byte(data, at) < 32, "reading: a value is no unsigned integer"
    return behind(data, at)


def entry(data: bytes, at: int, key: int) -> int:
    """The offset behind a required entry of the state: its key, and an unsigned integer."""
    assert byte(data, at) == key, "reading: state lacks a required key"
    return unsigned(data, at + 1)


def signed_entry(data: bytes, at: int, key: int) -> int:
    """The same with an integer of either sign."""
    assert byte(data, at) == key, "reading: state lacks a required key"
    assert byte(data, at + 1) < 64, "reading: a value is no integer"
    return behind(data, at + 1)


def read_payload(payload: bytes, battery_id: bytes, challenge: bytes) -> Reading:
    """{1: battery_id, 2: challenge, 3: counter, 4: state, 5: 2}, and nothing behind it."""
    assert slice_byte_string(0, 2, payload) == b"\xa5\x01", "reading: payload is no map of five that begins with key 1"
    length = len(battery_id)
    if length < 24:
        head = cons_byte_string(64 + length, b"")
    else:
        head = cons_byte_string(88, cons_byte_string(length, b""))
    named = head + battery_id
    assert slice_byte_string(2, len(named), payload) == named, "check 2: battery"
    at = 2 + len(named)
    assert slice_byte_string(at, 3, payload) == b"\x02\x58\x20", "check 5: challenge is not 32 bytes"
    assert slice_byte_string(at + 3, 32, payload) == challenge, "check 5: challenge"
    assert byte(payload, at + 35) == 3, "reading: key 3 is missing"
    counter_at = at + 36
    counter_end = unsigned(payload, counter_at)
    assert byte(payload, counter_end) == 4, "reading: key 4 is missing"
    soh_at = counter_end + 2
    soh_end = entry(payload, soh_at, 1)
    soc_end = entry(payload, soh_end, 2)
    cycles_end = entry(payload, soc_end, 3)
    soh_bp = argument(payload, soh_at + 1, soh_end)
    assert soh_bp <= 12000, "reading: SoH out of range"
    assert argument(payload, soh_end + 1, soc_end) <= 10500, "reading: SoC out of range"
    entries = 168  # a map of eight; each optional entry adds one
    at = entry(payload, cycles_end, 4)
    if byte(payload, at) == 5:
        at = entry(payload, at, 5)
        entries = entries + 1
    at = entry(payload, at, 6)
    at = signed_entry(payload, at, 7)
    at = signed_entry(payload, at, 8)
    at = signed_entry(payload, at, 9)
    if byte(payload, at) == 10:
        at = entry(payload, at, 10)
        entries = entries + 1
    if byte(payload, at) == 11:
        at = entry(payload, at, 11)
        entries = entries + 1
    if byte(payload, at) == 12:
        cells_at = at + 1
        assert byte(payload, cells_at) // 32 == 4, "reading: cell voltages are no list"
        at = behind(payload, cells_at)
        for _ in range(argument(payload, cells_at, at)):
            at = unsigned(payload, at)
        entries = entries + 1
    assert byte(payload, counter_end + 1) == entries, "reading: state has another number of entries, or an unknown key"
    assert slice_byte_string(at, len(payload), payload) == b"\x05\x02", (
        "reading: schema version is not 2, or bytes follow"
    )
    return Reading(argument(payload, counter_at, counter_end), soh_bp, argument(payload, soc_end + 1, cycles_end))


def check_signature(cose: bytes, start: int, signature_at: int, public_key: bytes) -> None:
    """ES256K over SHA-256 of the Sig_structure, or Ed25519 over the Sig_structure itself (RFC 9053, 8812, 9864)."""
    signature = slice_byte_string(signature_at, SIGNATURE_BYTES, cose)
    payload = slice_byte_string(start, signature_at - 2 - start, cose)  # with its head
    protected = slice_byte_string(0, start - 1, cose)
    structure_start = b"\x84\x6aSignature1"
    if len(public_key) == 33:
        assert protected == b"\xd2\x84\x44\xa1\x01\x38\x2e", "check 6: the headers are not ES256K's"
        structure = structure_start + b"\x44\xa1\x01\x38\x2e\x40" + payload
        valid = verify_ecdsa_secp256k1_signature(public_key, sha2_256(structure), signature)
    else:
        assert protected == b"\xd2\x84\x43\xa1\x01\x27" or protected == b"\xd2\x84\x43\xa1\x01\x32", (
            "check 6: the headers are not Ed25519's"
        )
        structure = structure_start + slice_byte_string(2, 4, protected) + b"\x40" + payload
        valid = verify_ed25519_signature(public_key, structure, signature)
    assert valid, "check 6: signature"


def read_reading(cose: bytes, account: ReportingDatum, challenge: bytes) -> Reading:
    """18([protected, {}, payload, signature]), its signature verified."""
    start = 8 if len(account.bms_public_key) == 33 else 7  # behind the tag, the protected and the unprotected header
    signature_at = len(cose) - SIGNATURE_BYTES
    assert byte(cose, start - 1) == 160, "reading: the unprotected header is not empty"
    assert byte(cose, start) // 32 == 2, "reading: payload is no byte string"
    payload_at = behind(cose, start)
    length = argument(cose, start, payload_at)
    assert payload_at + length + 2 == signature_at, "reading: payload and signature do not fill the message"
    assert slice_byte_string(signature_at - 2, 2, cose) == b"\x58\x40", "reading: signature is not 64 bytes"
    check_signature(cose, start, signature_at, account.bms_public_key)
    return read_payload(slice_byte_string(payload_at, length, cose), account.battery_id, challenge)


def check_submission(transaction: TxInfo, spent: SpendingAccount, cose: bytes) -> None:
    account = spent.datum.datum
    key = blake2b_224(account.battery_id)
    at_scripts = [
        each for each in transaction.inputs if isinstance(each.resolved.address.payment_credential, ScriptCredential)
    ]
    assert len(at_scripts) == 2, "check 1: not exactly one account and one commitment are spent"
    if at_scripts[0].out_ref == spent.tx_out_ref:
        own = at_scripts[0].resolved
        committed = at_scripts[1]
    else:
        own = at_scripts[1].resolved
        committed = at_scripts[0]
    assert committed.resolved.address.payment_credential == ScriptCredential(COMMITMENT), (
        "check 1: no commitment is spent"
    )
    attached = committed.resolved.datum
    assert isinstance(attached, SomeOutputDatum), "check 1: the commitment has no inline datum"
    commitment: CommitmentDatum = attached.datum
    # Whoever puts an output here without the token gets no further: no token has an empty name.
    token = committed.resolved.value.get(COMMITMENT, {b"": 0}).keys()[0]
    assert is_all_minted(transaction, COMMITMENT, token, -1), "check 1: not exactly the commitment's token is burned"
    assert commitment.battery_id == account.battery_id, "check 2: battery"
    assert commitment.user_pkh in transaction.signatories, "check 3: the committer has not signed"
    upper = transaction.validity_range.upper_bound.limit
    assert isinstance(upper, FinitePOSIXTime), "check 4: validity has no end"
    latest = SLOT_ZERO_MS + 1000 * (commitment.slot + account.max_age_slots)
    assert upper.time <= latest, "check 4: the commitment is too old"
    reading = read_reading(cose, account, committed.out_ref.id)
    assert reading.counter > account.last_counter, "check 7: counter"
    assert reading.soh_bp <= account.last_soh_bp + SOH_TOLERANCE_BP, "check 8: SoH"
    assert reading.cycle_count >= account.last_cycle_count, "check 9: cycles"
    paid = transaction.outputs[1]
    assert paid.address.payment_credential == PubKeyCredential(commitment.user_pkh), (
        "check 12: output 1 is not the user's"
    )
    assert paid.value[b""][b""] >= account.reward_per_read, "check 12: reward"
    assert paid.value.get(PASSPORT, {b"": 0}).get(USER_LABEL + key, 0) >= 1, "check 10: no ownership token in output 1"
    assert transaction.outputs[0] == TxOut(
        own.address,
        {b"": {b"": own.value[b""][b""] - account.reward_per_read}, PASSPORT: {key: 1}},
        SomeOutputDatum(
            ReportingDatum(
                account.battery_id,
                account.bms_public_key,
                reading.counter,
                account.reward_per_read,
                account.max_age_slots,
                reading.soh_bp,
                reading.cycle_count,
            )
        ),
        NoScriptHash(),
    ), "check 11: output 0 is not the account as this reading leaves it"


def validator(context: Context) -> None:
    transaction = context.transaction
    action: Union[SubmitSignedReading, Close] = context.redeemer
    if isinstance(action, SubmitSignedReading):
        assert is_data(context.redeemer, SubmitSignedReading(action.cose_sign1)), "redeemer: has more than one field"
        check_submission(transaction, context.purpose, action.cose_sign1)
    else:
        assert is_data(context.redeemer, Close()), "redeemer: neither a reading nor a closing"
        # The passport policy burns with the operator's signature only.
        thread = blake2b_224(context.purpose.datum.datum.battery_id)
        assert is_all_minted(transaction, PASSPORT, thread, -1), "close: not exactly the thread token is burned"
