"""How things stand with a battery's accounts, whichever of them an event is about."""

from typing import Any

from msgspec.structs import replace

from indexer.events import (
    OutputRef,
    ReadingSubmitted,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    decode_event,
    encode_event,
)
from projections.verdicts.standing import Standing, with_account, without_account
from tests.indexer.schemas.devnet import devnet_events
from tests.projections.chain import account, battery_id, hash32, key_of

RAW = battery_id(0)
PLACE: dict[str, Any] = {"deployment": "test", "battery_key": key_of(RAW), "index": 0, "transaction_index": 0}


def of(number: int) -> dict[str, Any]:
    return PLACE | {"transaction": hash32("tx", number)}


def two_accounts() -> Standing:
    standing = Standing()
    for number in (1, 2):
        standing = with_account(standing, replace(account(RAW, of(number), number), thread_minted=True))
    assert len(standing.accounts) == 2
    return standing


def closed(*spent: int) -> ReportingAccountClosed:
    inputs = tuple(OutputRef(hash32("tx", number), 0) for number in spent)
    return ReportingAccountClosed(**of(9), quantity=1, inputs=inputs)


def test_of_several_accounts_the_one_that_was_spent_is_closed() -> None:
    left = without_account(two_accounts(), closed(7, 2))
    assert [each.transaction for each in left.accounts] == [hash32("tx", 1)]


def test_where_nothing_says_which_was_spent_all_stay_and_the_last_one_goes() -> None:
    """As the events of an earlier version have it, and those that spend an account which nobody saw."""
    for event in (closed(), closed(7)):
        assert without_account(two_accounts(), event) == two_accounts()
        one = replace(two_accounts(), accounts=two_accounts().accounts[:1])
        assert without_account(one, event).accounts == ()


def test_an_event_of_an_earlier_version_is_read_as_one_without_inputs() -> None:
    assert b"inputs" not in encode_event(closed())
    assert decode_event(encode_event(closed())) == closed()


def test_what_is_closed_on_the_devnet_is_among_what_its_transaction_spent() -> None:
    accounts: dict[str, set[OutputRef]] = {}
    closings = 0
    for event in devnet_events():
        if isinstance(event, ReportingAccountUpdated):
            accounts.setdefault(event.battery_key, set()).add(OutputRef(event.transaction, event.output.index))
        elif isinstance(event, ReadingSubmitted) and event.account_output is not None:
            accounts.setdefault(event.battery_key, set()).add(OutputRef(event.transaction, event.account_output.index))
        elif isinstance(event, ReportingAccountClosed):
            closings += 1
            assert accounts[event.battery_key] & set(event.inputs)
    assert closings
