"""Commitment policy and validator: one challenge token a transaction, held here until a reading or its expiry.

A commitment's token is named by its datum, stands in output 0 at this script, and is burned when it is spent: with a
reading, or by its user once it has expired.
"""

from opshin.prelude import *
from opshin.std.builtins import *

PASSPORT: bytes = b""  # policy of thread tokens, baked in by the build
SLOT_ZERO_MS: int = 0
WINDOW_SLOTS: int = 0
RECLAIM_AFTER_SLOTS: int = 0


@dataclass()
class CommitmentDatum(PlutusData):
    CONSTR_ID = 0
    battery_id: bytes
    user_pkh: bytes
    slot: int


@dataclass()
class Mint(PlutusData):
    CONSTR_ID = 0


@dataclass()
class Burn(PlutusData):
    CONSTR_ID = 1


@dataclass()
class Consume(PlutusData):
    CONSTR_ID = 0


@dataclass()
class Reclaim(PlutusData):
    CONSTR_ID = 1
    battery_id: bytes


@dataclass()
class SomeCommitment(PlutusData):
    CONSTR_ID = 0
    datum: CommitmentDatum


@dataclass()
class SpendingCommitment(PlutusData):
    CONSTR_ID = 1
    tx_out_ref: TxOutRef
    datum: SomeCommitment


@dataclass()
class Context(PlutusData):
    CONSTR_ID = 0
    transaction: TxInfo
    redeemer: BuiltinData
    purpose: Union[Minting, SpendingCommitment]


def is_data(given: Anything, expected: Anything) -> bool:
    """Equal to the last field: no other constructor, and no field more."""
    return equals_data(given, expected)


def time_ms(slot: int) -> int:
    return SLOT_ZERO_MS + 1000 * slot


def token_name(datum: CommitmentDatum) -> bytes:
    """The hash of the list that the datum's constructor holds: its bytes from the third on."""
    return blake2b_256(slice_byte_string(2, 200, serialise_data(datum)))


def is_all_minted(transaction: TxInfo, policy: bytes, name: bytes, quantity: int) -> bool:
    minted: Anything = transaction.mint
    expected: Anything = {policy: {name: quantity}}
    return equals_data(minted, expected)


def check_commitment(transaction: TxInfo, policy: bytes) -> None:
    output = transaction.outputs[0]
    attached = output.datum
    assert isinstance(attached, SomeOutputDatum), "commit: datum is not inline"
    claimed: CommitmentDatum = attached.datum
    datum = CommitmentDatum(claimed.battery_id, claimed.user_pkh, claimed.slot)
    name = token_name(datum)
    assert len(datum.battery_id) <= 64, "commit: battery id over 64 bytes"
    assert len(datum.user_pkh) == 28, "commit: user is no key hash"
    assert is_all_minted(transaction, policy, name, 1), "commit: mints something else than this commitment's token"
    assert output == TxOut(
        Address(ScriptCredential(policy), NoStakingCredential()),
        {b"": {b"": output.value[b""][b""]}, policy: {name: 1}},
        SomeOutputDatum(datum),
        NoScriptHash(),
    ), "commit: output 0 is not the commitment and nothing else"
    interval = transaction.validity_range
    lower = interval.lower_bound.limit
    upper = interval.upper_bound.limit
    assert isinstance(lower, FinitePOSIXTime), "commit: validity has no begin"
    assert isinstance(upper, FinitePOSIXTime), "commit: validity has no end"
    assert lower.time == time_ms(datum.slot), "commit: slot is not the validity's lower bound"
    assert upper.time <= time_ms(datum.slot + WINDOW_SLOTS), "commit: validity is longer than the window"


def check_spending(transaction: TxInfo, spent: SpendingCommitment, redeemer: BuiltinData) -> None:
    datum = spent.datum.datum
    policies = transaction.mint.keys()
    assert len(policies) == 1, "spend: nothing is burned, or under more than one policy"
    policy = policies[0]
    held = [
        each.out_ref
        for each in transaction.inputs
        if each.resolved.address.payment_credential == ScriptCredential(policy)
    ]
    assert len(held) == 1 and held[0] == spent.tx_out_ref, "spend: not the one commitment of the transaction"
    assert is_all_minted(transaction, policy, token_name(datum), -1), "spend: does not burn this commitment's token"
    if is_data(redeemer, Consume()):
        account = transaction.outputs[0].value.get(PASSPORT, {b"": 0})
        assert account.get(blake2b_224(datum.battery_id), 0) == 1, "consume: output 0 is no account of the battery"
    else:
        lower = transaction.validity_range.lower_bound.limit
        assert isinstance(lower, FinitePOSIXTime), "reclaim: validity has no begin"
        assert is_data(redeemer, Reclaim(datum.battery_id)), "reclaim: does not name the commitment's battery"
        assert datum.user_pkh in transaction.signatories, "reclaim: the user has not signed"
        assert lower.time >= time_ms(datum.slot + RECLAIM_AFTER_SLOTS), "reclaim: not expired yet"


def validator(context: Context) -> None:
    transaction = context.transaction
    purpose = context.purpose
    if isinstance(purpose, Minting):
        if is_data(context.redeemer, Mint()):
            check_commitment(transaction, purpose.policy_id)
        else:
            assert is_data(context.redeemer, Burn()), "redeemer: neither mint nor burn"
            burned = transaction.mint[purpose.policy_id].values()
            assert len(burned) == 1 and burned[0] == -1, "burn: not exactly one token"
    else:
        check_spending(transaction, purpose, context.redeemer)
