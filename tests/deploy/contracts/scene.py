"""Honest transactions of the committed contracts, as mutable drafts in which a test changes one thing."""

from collections.abc import Callable
from typing import Any, Final

import cbor2
from msgspec import Struct
from msgspec.structs import replace

from deploy.contracts.blueprint import Contract, load_contracts
from deploy.contracts.context import SlotConfig
from deploy.contracts.ledger import OutputReference
from deploy.devnet import datums
from deploy.devnet.actors import Last
from deploy.devnet.deployment import Terms
from deploy.devnet.element import Algorithm, SecureElement, secret
from deploy.devnet.keys import Key, Place, hash28, script_place
from deploy.devnet.plutus_writer import UNIT, UNIT_1
from deploy.devnet.transactions import Draft, Out, Script, Transaction, Use, Utxo, _output, build
from indexer.protocol.keys import REFERENCE_LABEL, USER_LABEL, label_prefix

CONTRACTS: Final = load_contracts()
SLOTS: Final = SlotConfig(zero_time_ms=CONTRACTS.deployment.slot_zero_ms)
TERMS: Final = Terms()

BATTERY_ID: Final = b"urn:eudpp:battery:de:example:2024:001"
OTHER_BATTERY_ID: Final = b"urn:eudpp:battery:de:example:2024:002"
OPERATOR: Final = Key("operator")
USER: Final = Key("test/user")
OTHER: Final = Key("test/other")
CLAIMED_SLOT: Final = 10_000_000
LAST: Final = Last(6, 9_400, 120)
COUNTER: Final = 7
STATE: Final[dict[int, int | list[int]]] = {
    1: 9_350, 2: 8_000, 3: 121, 4: 2_800, 6: 38_920, 7: -1_500, 8: 18, 9: 24,
}  # fmt: skip

COMMITMENT_PLACE: Final = script_place(CONTRACTS.commitment.hash)
REPORTING_PLACE: Final = script_place(CONTRACTS.reporting.hash)
PASSPORT_PLACE: Final = script_place(CONTRACTS.passport.hash)
POLICY: Final = CONTRACTS.commitment.hash
PASSPORT: Final = CONTRACTS.passport.hash

_UNITS: Final = (14_000_000, 9_000_000_000)


def key_of(battery_id: bytes) -> bytes:
    return hash28(battery_id)


def user_name(battery_id: bytes) -> bytes:
    return label_prefix(USER_LABEL) + key_of(battery_id)


def reference_name(battery_id: bytes) -> bytes:
    return label_prefix(REFERENCE_LABEL) + key_of(battery_id)


def use(redeemer: bytes) -> Use:
    return Use(redeemer, *_UNITS)


def at(name: str, lovelace: int, *, first: str = "") -> Utxo:
    """An output of some transaction; ``first`` begins its id, which decides the order of inputs."""
    return Utxo((first + secret(f"test/{name}").hex())[:64], 0, lovelace)


class Case(Struct):
    """A draft and the outputs that it names."""

    draft: Draft
    outputs: dict[tuple[str, int], Out]
    slots: SlotConfig = SLOTS
    raw_outputs: dict[tuple[str, int], bytes] = {}

    def spent(self, utxo: Utxo, out: Out, redeemer: bytes | None = None) -> None:
        self.draft.inputs.append(utxo)
        self.outputs[utxo.key] = out
        if redeemer is not None:
            self.draft.spends[utxo.key] = use(redeemer)

    def unspent(self, utxo: Utxo) -> None:
        self.draft.inputs.remove(utxo)
        self.draft.spends.pop(utxo.key, None)

    def refer(self, contract: Contract) -> None:
        utxo = at(f"script/{contract.title}", 20_000_000)
        self.draft.references.append(utxo)
        self.outputs[utxo.key] = Out(place=OPERATOR.place, lovelace=20_000_000, script=Script(contract.content))

    def change_output(self, index: int, **changes: Any) -> None:
        self.draft.outputs[index] = replace(self.draft.outputs[index], **changes)

    def transaction(self) -> Transaction:
        return build(self.draft)

    def resolved(self) -> dict[OutputReference, bytes]:
        return {key: cbor2.dumps(_output(out)) for key, out in self.outputs.items()} | self.raw_outputs


Change = Callable[[Case], None]


def _case(*contracts: Contract, signer: Key, fee: int) -> Case:
    case = Case(
        Draft(
            inputs=[],
            outputs=[],
            fee=fee,
            signers=[signer],
            required=[signer.hash],
            mint={},
            spends={},
            mints={},
            references=[],
            scripts=[],
        ),
        {},
    )
    for contract in contracts:
        case.refer(contract)
    wallet = at("wallet", 100_000_000, first="ee")
    case.spent(wallet, Out(place=signer.place, lovelace=wallet.lovelace))
    case.draft.collateral = at("collateral", 5_000_000)
    return case


# Commit.


def commitment_out(battery_id: bytes = BATTERY_ID, user: bytes = USER.hash, slot: int = CLAIMED_SLOT) -> Out:
    name = datums.commitment_token(battery_id, user, slot)
    datum = datums.commitment_datum(battery_id, user, slot)
    return Out(place=COMMITMENT_PLACE, lovelace=1_700_000, assets={POLICY: {name: 1}}, datum=datum)


def commit(battery_id: bytes = BATTERY_ID) -> Case:
    case = _case(CONTRACTS.commitment, signer=USER, fee=232_000)
    out = commitment_out(battery_id)
    case.draft.outputs += [out, Out(place=USER.place, lovelace=100_000_000 - 1_700_000 - 232_000)]
    case.draft.mint = {POLICY: dict(out.assets[POLICY])}
    case.draft.mints = {POLICY: use(UNIT)}
    case.draft.invalid_before = CLAIMED_SLOT
    case.draft.invalid_after = CLAIMED_SLOT + TERMS.window_slots
    return case


# Submit.

COMMITTED: Final = at("committed", 1_700_000, first="22")
ACCOUNT: Final = at("account", 20_000_000, first="11")
OWNERSHIP: Final = at("ownership", 2_000_000, first="33")


def element(algorithm: Algorithm = -47, counter: int = COUNTER) -> SecureElement:
    chip = SecureElement("test/element", algorithm)
    chip.counter = counter
    return chip


def account_out(public_key: bytes, last: Last, lovelace: int, battery_id: bytes = BATTERY_ID) -> Out:
    return Out(
        place=REPORTING_PLACE,
        lovelace=lovelace,
        assets={PASSPORT: {key_of(battery_id): 1}},
        datum=datums.reporting_datum(battery_id, public_key, last, TERMS),
    )


def submit(
    cose: bytes | None = None,
    *,
    algorithm: Algorithm = -47,
    counter: int = COUNTER,
    state: dict[int, int | list[int]] = STATE,
    battery_id: bytes = BATTERY_ID,
) -> Case:
    """A submission whose output 0 follows the reading, so that a test of one check fails at no other."""
    case = _case(CONTRACTS.commitment, CONTRACTS.reporting, signer=USER, fee=398_000)
    chip = element(algorithm, counter)
    if cose is None:
        cose = chip.tap(battery_id, bytes.fromhex(COMMITTED.transaction), state)
    commitment = commitment_out(battery_id)
    account = account_out(chip.public_key, LAST, ACCOUNT.lovelace, battery_id)
    token = {PASSPORT: {user_name(battery_id): 1}}
    case.spent(ACCOUNT, account, datums.submit_redeemer(cose))
    case.spent(COMMITTED, commitment, UNIT)
    case.spent(OWNERSHIP, Out(place=USER.place, lovelace=OWNERSHIP.lovelace, assets=token))
    soh, cycles = state[1], state[3]
    assert isinstance(soh, int)
    assert isinstance(cycles, int)
    after = account_out(
        chip.public_key, Last(counter, soh, cycles), ACCOUNT.lovelace - TERMS.reward_lovelace, battery_id
    )
    case.draft.outputs += [
        after,
        Out(place=USER.place, lovelace=OWNERSHIP.lovelace + TERMS.reward_lovelace, assets=token),
        Out(place=USER.place, lovelace=100_000_000 + 1_700_000 - 398_000),
    ]
    case.draft.mint = {POLICY: dict.fromkeys(commitment.assets[POLICY], -1)}
    case.draft.mints = {POLICY: use(UNIT_1)}
    case.draft.invalid_before = CLAIMED_SLOT + 300
    case.draft.invalid_after = CLAIMED_SLOT + 1_200
    return case


# Reclaim, register, close.


def reclaim() -> Case:
    case = _case(CONTRACTS.commitment, signer=USER, fee=246_000)
    commitment = commitment_out()
    case.spent(COMMITTED, commitment, datums.reclaim_redeemer(BATTERY_ID))
    case.draft.outputs.append(Out(place=USER.place, lovelace=100_000_000 + 1_700_000 - 246_000))
    case.draft.mint = {POLICY: dict.fromkeys(commitment.assets[POLICY], -1)}
    case.draft.mints = {POLICY: use(UNIT_1)}
    case.draft.invalid_before = CLAIMED_SLOT + TERMS.reclaim_after_slots
    case.draft.invalid_after = CLAIMED_SLOT + TERMS.reclaim_after_slots + 900
    return case


def register() -> Case:
    case = _case(CONTRACTS.passport, signer=OPERATOR, fee=512_000)
    names = {reference_name(BATTERY_ID): 1, user_name(BATTERY_ID): 1, key_of(BATTERY_ID): 1}
    case.draft.outputs += [
        Out(place=PASSPORT_PLACE, lovelace=3_000_000, assets={PASSPORT: {reference_name(BATTERY_ID): 1}}, datum=UNIT),
        Out(place=USER.place, lovelace=2_000_000, assets={PASSPORT: {user_name(BATTERY_ID): 1}}),
        account_out(element().public_key, Last(-1, 12_000, 0), 20_000_000),
        Out(place=OPERATOR.place, lovelace=75_000_000 - 512_000),
    ]
    case.draft.mint = {PASSPORT: names}
    case.draft.mints = {PASSPORT: use(UNIT)}
    return case


def close() -> Case:
    case = _case(CONTRACTS.reporting, CONTRACTS.passport, signer=OPERATOR, fee=263_000)
    case.spent(ACCOUNT, account_out(element().public_key, LAST, ACCOUNT.lovelace), UNIT_1)
    case.draft.outputs.append(Out(place=OPERATOR.place, lovelace=100_000_000 + ACCOUNT.lovelace - 263_000))
    case.draft.mint = {PASSPORT: {key_of(BATTERY_ID): -1}}
    case.draft.mints = {PASSPORT: use(UNIT_1)}
    return case


def update_passport() -> Case:
    case = _case(CONTRACTS.passport, signer=OPERATOR, fee=300_000)
    passport = Out(
        place=PASSPORT_PLACE, lovelace=3_000_000, assets={PASSPORT: {reference_name(BATTERY_ID): 1}}, datum=UNIT
    )
    case.spent(at("passport", 3_000_000, first="44"), passport, UNIT)
    case.draft.outputs += [passport, Out(place=OPERATOR.place, lovelace=100_000_000 - 300_000)]
    return case


def with_stake(place: Place) -> Place:
    """The same payment part with somebody's stake part (CIP-19: header type 1 for a script, key stake)."""
    return Place(b"\x10" + place.raw[1:29] + OTHER.hash)
