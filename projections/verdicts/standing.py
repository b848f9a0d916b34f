"""What the chain says of a battery between two transactions: its passport's keys, its account, its holder. Pure."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import (
    OutputRef,
    OutputView,
    OwnershipTokenMoved,
    PassportEvent,
    ReadingEvent,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    ReportingDatum,
)
from indexer.hexes import Hash28, Hash32, Hex
from projections.rules.passport import Passport, passport_of

MAX_KEYS: Final = 32
"""Key epochs that are remembered. The operator alone can add one, by an update of the passport."""

MAX_ACCOUNTS: Final = 4
"""Live accounts that are remembered. A second one is a fault of the operator, who alone mints thread tokens."""


class KeyEpoch(Struct, frozen=True, omit_defaults=True):
    """From this place on the chain on, the passport names this key. It holds for the transactions after it."""

    key: Hex | None
    algorithm: int | None  # COSE number
    slot: int
    transaction_index: int


class Account(Struct, frozen=True, kw_only=True):
    """A proven reporting account as its last live event left it."""

    transaction: Hash32
    index: int
    address: str
    lovelace: int
    assets: dict[str, dict[str, int]]
    datum: ReportingDatum

    @property
    def output(self) -> OutputRef:
        return OutputRef(self.transaction, self.index)


class Holder(Struct, frozen=True):
    """Where the ownership token (222) is."""

    payment: Hash28 | str  # empty for an address without a payment credential
    payment_kind: str
    slot: int  # since when
    moves: int = 0  # how often it changed hands before, as far as we saw


class Standing(Struct, frozen=True, omit_defaults=True):
    """See above. ``keys`` are oldest first, the last one is in force."""

    keys: tuple[KeyEpoch, ...] = ()
    passport: Passport | None = None
    accounts: tuple[Account, ...] = ()
    holder: Holder | None = None

    @property
    def key(self) -> KeyEpoch | None:
        return self.keys[-1] if self.keys else None

    def account_at(self, output: OutputRef) -> Account | None:
        return next((each for each in self.accounts if each.output == output), None)

    def algorithm_of(self, key: str) -> int | None:
        """What the passport registered the key for, in its latest epoch."""
        return next((epoch.algorithm for epoch in reversed(self.keys) if epoch.key == key), None)


def with_passport(standing: Standing, event: PassportEvent, slot: int) -> Standing:
    """A key opens an epoch if it is another one, or for another algorithm."""
    keys = standing.keys
    last = standing.key
    if last is None or (last.key, last.algorithm) != (event.bms_public_key, event.bms_key_alg):
        epoch = KeyEpoch(event.bms_public_key, event.bms_key_alg, slot, event.transaction_index)
        keys = (*keys, epoch)[-MAX_KEYS:]
    registered = standing.passport.registered_slot if standing.passport is not None else slot
    return replace(standing, keys=keys, passport=passport_of(event, registered))


def with_holder(standing: Standing, event: OwnershipTokenMoved, slot: int) -> Standing:
    output, before = event.output, standing.holder
    if before is not None and (before.payment, before.payment_kind) == (output.payment, output.payment_kind):
        return standing
    moves = 0 if before is None else before.moves + 1
    return replace(standing, holder=Holder(output.payment, output.payment_kind, slot, moves))


def with_account(standing: Standing, event: ReportingAccountUpdated) -> Standing:
    """A proven account was opened, or re-created without a reading. Anybody can make an unproven one: it is nothing."""
    if event.account_unproven:
        return standing
    account = _account(event.transaction, event.output, event.datum)
    # Without a mint, the token came out of the account that was there; of several, no event says which.
    others = standing.accounts if event.thread_minted or len(standing.accounts) > 1 else ()
    return replace(standing, accounts=(*others, account)[-MAX_ACCOUNTS:])


def without_account(standing: Standing, event: ReportingAccountClosed) -> Standing:
    """A thread token was burned: that of the account that was spent. Where none that is known was, nothing says of
    several accounts which: all stay, as none of them harms.
    """
    left = tuple(each for each in standing.accounts if each.output not in event.inputs)
    if len(left) < len(standing.accounts):
        return replace(standing, accounts=left)
    return standing if event.quantity < len(standing.accounts) else replace(standing, accounts=())


def after_reading(standing: Standing, event: ReadingEvent) -> Standing:
    """A reading that took effect moves the account that it spent; on an unproven one, nothing."""
    if event.account_unproven:
        return standing
    others = tuple(each for each in standing.accounts if each.output != event.account_input)
    if len(others) == len(standing.accounts) == 1:
        others = ()  # the one that we knew was spent without our seeing it
    if event.account_datum is None:
        return replace(standing, accounts=others)
    account = _account(event.transaction, event.account_output, event.account_datum)
    return replace(standing, accounts=(*others, account)[-MAX_ACCOUNTS:])


def _account(transaction: str, output: OutputView, datum: ReportingDatum) -> Account:
    return Account(
        transaction=transaction,
        index=output.index,
        address=output.address,
        lovelace=output.lovelace,
        assets=output.assets,
        datum=datum,
    )
