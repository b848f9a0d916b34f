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


def big_endian(data: bytes, start: int, length: int) -> int:
    return byte_string_to_integer(True, slice_byte_string(start, length, data))


def argument(data: bytes, at: int) -> int:
    """The argument of the head at an offset; only in its shortest form."""
    info = data[at] % 32
    if info < 24:
        value = info
    elif info == 24:
        value = data[at + 1]
        assert value >= 24, "reading: a number is not in its shortest form"
    elif info == 25:
        value = big_endian(data, at + 1, 2)
        assert value >= 256, "reading: a number is not in its shortest form"
    elif info == 26:
        value = big_endian(data, at + 1, 4)
        assert value >= 65536, "reading: a number is not in its shortest form"
    else:
        assert info == 27, "reading: a length is reserved or indefinite"
        value = big_endian(data, at + 1, 8)
        assert value >= 4294967296, "reading: a number is not in its shortest form"
    return value


def behind(data: bytes, at: int) -> int:
    """The offset behind the head at an offset, whose form ``argument`` has checked."""
    info = data[at] % 32
    if info < 24:
        width = 1
    elif info == 24:
        width = 2
    elif info == 25:
        width = 3
    elif info == 26:
        width = 5
    else:
        width = 9
    return at + width


def unsigned(data: bytes, at: int) -> int:
    assert data[at] < 32, "reading: a value is no unsigned integer"
    return argument(data, at)


def read_payload(payload: bytes, battery_id: bytes, challenge: bytes) -> Reading:
    """{1: battery_id, 2: challenge, 3: counter, 4: state, 5: 2}, and nothing behind it."""
    assert payload[0] == 165 and payload[1] == 1, "reading: payload is no map of five that begins with key 1"
    assert payload[2] // 32 == 2 and argument(payload, 2) == len(battery_id), "check 2: battery"
    at = behind(payload, 2)
    assert slice_byte_string(at, len(battery_id), payload) == battery_id, "check 2: battery"
    at = at + len(battery_id)
    assert slice_byte_string(at, 3, payload) == b"\x02\x58\x20", "check 5: challenge is not 32 bytes"
    assert slice_byte_string(at + 3, 32, payload) == challenge, "check 5: challenge"
    assert payload[at + 35] == 3, "reading: key 3 is missing"
    counter = unsigned(payload, at + 36)
    at = behind(payload, at + 36)
    assert payload[at] == 4, "reading: key 4 is missing"
    assert payload[at + 1] // 32 == 5, "reading: state is no map"
    entries = argument(payload, at + 1)
    at = at + 2
    soh_bp = 0
    cycle_count = 0
    for key in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]:
        if payload[at] == key:
            entries = entries - 1
            at = at + 1
            value = argument(payload, at)
            if key == 12:
                assert payload[at] // 32 == 4, "reading: cell voltages are no list"
                at = behind(payload, at)
                for _ in range(value):
                    _ = unsigned(payload, at)
                    at = behind(payload, at)
            else:
                assert payload[at] < 32 or (payload[at] < 64 and 7 <= key and key <= 9), "reading: state has a wrong type"
                at = behind(payload, at)
                if key == 1:
                    soh_bp = value
                    assert value <= 12000, "reading: SoH out of range"
                elif key == 2:
                    assert value <= 10500, "reading: SoC out of range"
                elif key == 3:
                    cycle_count = value
        else:
            assert key == 5 or key >= 10, "reading: state lacks a required key"
    assert entries == 0, "reading: state has an unknown key"
    assert payload[at:] == b"\x05\x02", "reading: schema version is not 2, or bytes follow"
    return Reading(counter, soh_bp, cycle_count)


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
        assert (
            protected == b"\xd2\x84\x43\xa1\x01\x27" or protected == b"\xd2\x84\x43\xa1\x01\x32"
        ), "check 6: the headers are not Ed25519's"
        structure = structure_start + slice_byte_string(2, 4, protected) + b"\x40" + payload
        valid = verify_ed25519_signature(public_key, structure, signature)
    assert valid, "check 6: signature"


def read_reading(cose: bytes, account: ReportingDatum, challenge: bytes) -> Reading:
    """18([protected, {}, payload, signature]), its signature verified."""
    start = 8 if len(account.bms_public_key) == 33 else 7  # behind the tag, the protected and the unprotected header
    signature_at = len(cose) - SIGNATURE_BYTES
    assert cose[start - 1] == 160, "reading: the unprotected header is not empty"
    assert cose[start] // 32 == 2, "reading: payload is no byte string"
    length = argument(cose, start)
    payload_at = behind(cose, start)
    assert payload_at + length + 2 == signature_at, "reading: payload and signature do not fill the message"
    assert slice_byte_string(signature_at - 2, 2, cose) == b"\x58\x40", "reading: signature is not 64 bytes"
    check_signature(cose, start, signature_at, account.bms_public_key)
    return read_payload(slice_byte_string(payload_at, length, cose), account.battery_id, challenge)


def check_submission(transaction: TxInfo, spent: SpendingAccount, cose: bytes) -> None:
    account = spent.datum.datum
    key = blake2b_224(account.battery_id)
    own = [each.resolved for each in transaction.inputs if each.out_ref == spent.tx_out_ref][0]
    at_own_script = [
        each for each in transaction.inputs if each.resolved.address.payment_credential == own.address.payment_credential
    ]
    assert len(at_own_script) == 1, "submit: more than one account"
    committed = [
        each
        for each in transaction.inputs
        if each.resolved.address.payment_credential == ScriptCredential(COMMITMENT)
    ]
    assert len(committed) == 1, "check 1: not exactly one commitment is spent"
    attached = committed[0].resolved.datum
    assert isinstance(attached, SomeOutputDatum), "check 1: the commitment has no inline datum"
    commitment: CommitmentDatum = attached.datum
    # Whoever puts an output here without the token gets no further: no token has an empty name.
    token = committed[0].resolved.value.get(COMMITMENT, {b"": 0}).keys()[0]
    assert is_all_minted(transaction, COMMITMENT, token, -1), "check 1: not exactly the commitment's token is burned"
    assert commitment.battery_id == account.battery_id, "check 2: battery"
    assert commitment.user_pkh in transaction.signatories, "check 3: the committer has not signed"
    upper = transaction.validity_range.upper_bound.limit
    assert isinstance(upper, FinitePOSIXTime), "check 4: validity has no end"
    latest = SLOT_ZERO_MS + 1000 * (commitment.slot + account.max_age_slots)
    assert upper.time <= latest, "check 4: the commitment is too old"
    reading = read_reading(cose, account, committed[0].out_ref.id)
    assert reading.counter > account.last_counter, "check 7: counter"
    assert reading.soh_bp <= account.last_soh_bp + SOH_TOLERANCE_BP, "check 8: SoH"
    assert reading.cycle_count >= account.last_cycle_count, "check 9: cycles"
    paid = transaction.outputs[1]
    assert paid.address.payment_credential == PubKeyCredential(commitment.user_pkh), "check 12: output 1 is not the user's"
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
