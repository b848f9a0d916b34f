"""Those whose transactions make the chain: what each owns, as immutable states that a fork can put back."""

from typing import Any, Final, Literal

from msgspec import Struct

from deploy.devnet.battery import Battery
from deploy.devnet.element import Algorithm, SecureElement, secret
from deploy.devnet.keys import Key
from deploy.devnet.transactions import Transaction, Utxo
from indexer.protocol.keys import REFERENCE_LABEL, USER_LABEL, battery_key, label_prefix

_EDDSA_SHARE: Final = 5
"""One battery in so many signs with Ed25519, under its two COSE numbers by turns."""


class Last(Struct, frozen=True):
    """What a reporting account remembers of the last accepted reading."""

    counter: int
    soh_bp: int
    cycle_count: int


class Account(Struct, frozen=True):
    """The open reporting account of a battery."""

    utxo: Utxo
    last: Last


class Commitment(Struct, frozen=True, kw_only=True):
    """A challenge that waits for its reading."""

    utxo: Utxo
    token: bytes
    claimed_slot: int
    block_slot: int


class Tapped(Struct, frozen=True, kw_only=True):
    """A signed reading and what it says."""

    cose: bytes
    battery_id: bytes
    challenge: bytes
    counter: int
    state: dict[int, int | list[int]]


Phase = Literal["new", "idle", "committed", "closed"]


class State(Struct, frozen=True, kw_only=True):
    """What the chain says about one battery and its people, after some transaction."""

    phase: Phase = "new"
    owner: int = 0  # how many had the battery before
    epoch: int = 0  # how many secure elements it had before
    pack: int = 0  # how many packs it had before
    operator: Utxo
    wallet: Utxo  # the owner's
    collateral: Utxo  # the owner's, without any token
    token: Utxo | None = None  # holds (222)
    passport: Utxo | None = None  # holds (100)
    account: Account | None = None
    commitment: Commitment | None = None
    # Carried over a top-up: what the next account opens with, unless the key is new.
    carried: Last | None = None
    forged: Account | None = None  # at the reporting script, without a thread token


class Made(Struct, frozen=True, kw_only=True):
    """A transaction, whose it is, and what it did to that actor."""

    actor: str
    before: object
    after: object
    transaction: Transaction
    kind: str
    label: dict[str, Any] | None = None  # for the labels file; None for what concerns no battery


def genesis_utxo(name: str, lovelace: int) -> Utxo:
    """Money from before the chain's first block: its transaction is on no chain."""
    return Utxo(secret(f"genesis/{name}").hex(), 0, lovelace)


class Actor:
    """A battery with its operator, owners and elements. The chain's view of it is ``state``, and goes back in a fork;
    the battery and its elements are of this world, and do not.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self.name = f"battery/{number}"
        self.battery_id = f"urn:eudpp:battery:demo:{number:04d}".encode()
        key = battery_key(self.battery_id, "blake2b_224")
        assert key is not None
        self.key = bytes.fromhex(key)
        self.reference_name = label_prefix(REFERENCE_LABEL) + self.key
        self.user_name = label_prefix(USER_LABEL) + self.key
        self._seed = f"{seed}/{number}"
        self.submitted: Tapped | None = None  # the newest reading that was accepted
        self.due = 0  # slot of the next thing to do; an entry of the agenda with another slot is stale
        self._packs: dict[int, Battery] = {0: Battery(self._seed)}
        self._owners: dict[int, Key] = {}
        self._elements: dict[int, SecureElement] = {}
        self.state = State(
            operator=genesis_utxo(f"{self._seed}/operator", 100_000_000_000),
            wallet=self.owners_wallet(0),
            collateral=self.owners_collateral(0),
        )

    def battery(self, number: int, slot: int = 0) -> Battery:
        """The pack with this number; one that nobody asked for yet is put in at the slot."""
        if number not in self._packs:
            self._packs[number] = Battery(f"{self._seed}/pack/{number}", slot)
        return self._packs[number]

    def put_element(self, epoch: int, element: SecureElement) -> None:
        """Another chip than the seed's: a copy of somebody else's."""
        self._elements[epoch] = element

    def put_owner(self, number: int, key: Key) -> None:
        """A certain person as the owner with this number."""
        self._owners[number] = key

    def owner(self, number: int) -> Key:
        if number not in self._owners:
            self._owners[number] = Key(f"{self._seed}/owner/{number}")
        return self._owners[number]

    def owners_wallet(self, number: int) -> Utxo:
        return genesis_utxo(f"{self._seed}/wallet/{number}", 100_000_000_000)

    def owners_collateral(self, number: int) -> Utxo:
        return genesis_utxo(f"{self._seed}/collateral/{number}", 5_000_000_000)

    def element(self, epoch: int) -> SecureElement:
        if epoch not in self._elements:
            algorithm: Algorithm = -47
            if self.number % _EDDSA_SHARE == _EDDSA_SHARE - 1:
                algorithm = -19 if self.number % (2 * _EDDSA_SHARE) == _EDDSA_SHARE - 1 else -8
            self._elements[epoch] = SecureElement(f"{self._seed}/element/{epoch}", algorithm)
        return self._elements[epoch]
