"""Facts of the reporting script: accounts opened or kept, and the readings submitted to them."""

from collections.abc import Iterator

from msgspec import Struct

from indexer.events import (
    ChainEvent,
    OutputRef,
    OutputView,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountUpdated,
    ReportingDatum,
)
from indexer.protocol.cbor import Malformed
from indexer.protocol.cose import read_cose
from indexer.protocol.datums import Consume, Submit, read_reporting_datum
from indexer.protocol.keys import battery_key, passport_token
from indexer.protocol.view import TransactionView, asset_fault


class Account(Struct, frozen=True):
    """An output at the reporting script that stands for one battery."""

    output: OutputView
    battery_key: str
    proven: bool  # the battery's thread token is in it
    datum: ReportingDatum | None
    departures: tuple[str, ...]
    datum_raw: bytes = b""
    datum_fault: str = ""  # a reason code, where there is no datum
    datum_detail: str = ""


class Reporting(Struct, frozen=True):
    """What a transaction does at the reporting script.

    ``accounts`` are those with a thread token or, where none has one, those that only claim a battery in their datum.
    ``claims`` are the latter beside the former.
    """

    accounts: tuple[Account, ...]
    claims: tuple[Account, ...]
    readings: tuple[tuple[OutputRef, Submit, bytes], ...]

    @property
    def only(self) -> Account | None:
        """The account, where there is exactly one."""
        return self.accounts[0] if len(self.accounts) == 1 else None

    @property
    def has_reading(self) -> bool:
        return self.only is not None and bool(self.readings)


def reporting_of(view: TransactionView) -> Reporting:
    """Finds accounts and readings. Outputs that stand for no battery are quarantined."""
    accounts: list[Account] = []
    claims: list[Account] = []
    for index, output in enumerate(view.tx.outputs):
        if view.pays_script(output, view.profile.reporting_script):
            for account in _accounts_in(view, index):
                (accounts if account.proven else claims).append(account)
    readings = tuple((spent, value, raw) for spent, value, raw in view.spends if isinstance(value, Submit))
    if accounts:
        return Reporting(tuple(accounts), tuple(claims), readings)
    return Reporting(tuple(claims), (), readings)


def reporting_facts(view: TransactionView, reporting: Reporting) -> Iterator[ChainEvent]:
    """Accounts in output order or, where the transaction submits readings, those in redeemer order."""
    only = reporting.only
    if not reporting.readings:
        for account in reporting.accounts:
            yield from _updated(view, account)
    elif only is not None:
        yield from reading_facts(view, reporting, only, ReadingSubmitted)
    else:
        refuse_ambiguous(view, reporting)
    # Recorded even beside a reading: they move nothing, and whoever forges an account should be seen.
    for account in reporting.claims:
        yield from _updated(view, account)
    if reporting.accounts:
        for reason, detail, raw in view.spend_faults:
            view.refuse(reason, detail, key=None if only is None else only.battery_key, raw=raw)


def refuse_ambiguous(view: TransactionView, reporting: Reporting) -> None:
    """Nothing says which of several accounts a reading was submitted to."""
    raw = b"".join(raw for _, _, raw in reporting.readings)
    for account in reporting.accounts:
        detail = (
            f"{len(reporting.readings)} readings and {len(reporting.accounts)} accounts; output {account.output.index}"
        )
        view.refuse("ambiguous_accounts", detail, key=account.battery_key, raw=raw)


def reading_facts(
    view: TransactionView,
    reporting: Reporting,
    account: Account,
    event: type[ReadingSubmitted] | type[ReadingRejected],
) -> Iterator[ChainEvent]:
    """One event for each reading-shaped redeemer: whatever its payload claims, it is the account's."""
    profile, tx = view.profile, view.tx
    commitments = view.mint_of(profile.commitment_policy)
    minted = {
        policy: view.mint_of(policy)
        for policy in sorted({profile.commitment_policy, profile.passport_policy})
        if view.mint_of(policy)
    }
    for spent, submit, raw in reporting.readings:
        try:
            shown = tuple(view.output(index) for index in range(min(2, len(tx.outputs))))
        except Malformed as error:
            view.refuse(error.reason, str(error), key=account.battery_key, raw=raw)
            continue
        yield event(
            **view.where,
            **view.signers,
            battery_key=account.battery_key,
            cose=submit.cose.hex(),
            redeemer=raw.hex(),
            decoded=read_cose(submit.cose),
            account_input=spent,
            account_output=account.output,
            account_datum=account.datum,
            account_unproven=not account.proven,
            account_departures=account.departures,
            inputs=view.inputs,
            consumed=tuple(spent for spent, value, _ in view.spends if isinstance(value, Consume)),
            burned_commitments={name: -quantity for name, quantity in commitments.items() if quantity < 0},
            minted=minted,
            outputs=shown,
            invalid_before=tx.validity_interval.invalid_before,
            invalid_after=tx.validity_interval.invalid_after,
        )


def _accounts_in(view: TransactionView, index: int) -> Iterator[Account]:
    output = view.tx.outputs[index]
    rule = view.profile.battery_key
    datum: ReportingDatum | None = None
    departures: tuple[str, ...] = ()
    raw, fault, detail = b"", "", ""
    try:
        raw = view.datum(output)
        datum, departures = read_reporting_datum(raw)
    except Malformed as error:
        fault, detail = f"reporting_datum_{error.reason}", str(error)
    claimed = None if datum is None else battery_key(bytes.fromhex(datum.battery_id), rule)
    threads = _threads(view, index)
    try:
        shown = view.output(index)
    except Malformed as error:
        for key in threads or [claimed]:
            view.refuse(error.reason, str(error), key=key, raw=raw)
        return
    for key, quantity in threads.items():
        if quantity != 1:
            view.refuse("thread_token_quantity", f"{quantity} thread tokens in output {index}", key=key, raw=raw)
            continue
        other = ("battery_id_not_of_thread",) if datum is not None and claimed != key else ()
        yield Account(shown, key, True, datum, (*departures, *other), raw, fault, detail)
    if 1 in threads.values():
        return
    if datum is None:
        view.refuse(fault, detail, raw=raw)
    elif claimed is None:
        view.refuse("battery_id_without_key", "the datum's battery_id is no key under the rule raw", raw=raw)
    else:
        yield Account(shown, claimed, False, datum, departures, raw)


def _threads(view: TransactionView, index: int) -> dict[str, int]:
    """The thread tokens in an output: battery key -> quantity."""
    found: dict[str, int] = {}
    for name, quantity in view.tokens_in(view.tx.outputs[index], view.profile.passport_policy).items():
        token = None if asset_fault(name, 1) else passport_token(bytes.fromhex(name), view.profile.battery_key)
        if token is not None and token.role == "thread":
            found[token.battery_key] = quantity
    return found


def _updated(view: TransactionView, account: Account) -> Iterator[ChainEvent]:
    if account.datum is None:
        view.refuse(account.datum_fault, account.datum_detail, key=account.battery_key, raw=account.datum_raw)
        return
    minted = view.mint_of(view.profile.passport_policy)
    yield ReportingAccountUpdated(
        **view.where,
        battery_key=account.battery_key,
        output=account.output,
        datum=account.datum,
        account_unproven=not account.proven,
        thread_minted=minted.get(account.battery_key, 0) > 0,
        departures=account.departures,
    )
