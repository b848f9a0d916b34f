"""The fold, event by event. Pure: no log, no database."""

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from indexer.events import (
    ChainEvent,
    CommitmentClosed,
    CoseView,
    OutputRef,
    Reading,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountClosed,
)
from projections.facts import Fact
from projections.folding import State as WholeState
from projections.folding import decode_state, encode_state
from projections.rows import BatteryRow, CommitmentRow, ReadingRow, Row
from projections.timeline import EMPTY, UNFOLLOWED, State, fold
from projections.verdicts.state import MAX_COMMITMENTS
from tests.projections.chain import DEPLOYMENT, account, commitment, datum, hash32, key_of, output, owner

RAW = b"urn:test:battery:0001"
KEY = "02" + "11" * 32


class Folded(Struct):
    state: State
    rows: dict[tuple[str, Any], Row]

    @property
    def battery(self) -> BatteryRow:
        assert self.state.battery is not None
        return self.state.battery

    def readings(self) -> list[ReadingRow]:
        return [row for row in self.rows.values() if isinstance(row, ReadingRow)]

    def commitments(self) -> list[CommitmentRow]:
        return [row for row in self.rows.values() if isinstance(row, CommitmentRow)]


def common(height: int, index: int = 0) -> dict[str, Any]:
    return {
        "deployment": DEPLOYMENT,
        "battery_key": key_of(RAW),
        "transaction": hash32("tx", height),
        "transaction_index": 0,
        "index": index,
    }


def after(*events: tuple[int, ChainEvent]) -> Folded:
    """Events with their heights; the slot of a block is 20 times its height."""
    folded = Folded(EMPTY, {})
    for height, event in events:
        fact = Fact(
            event,
            hash32("fact", height, event.index),
            hash32("event", height, event.index),
            20 * height,
            height,
            hash32("block", height),
            "2024-01-01T00:00:00Z",
        )
        folded.state, puts = fold(folded.state, fact)
        folded.rows.update(((put.table.name, put.key), put.row) for put in puts)
    return folded


def reading(
    height: int, counter: int | None, spends: int | None = None, **changes: Any
) -> tuple[int, ReadingSubmitted]:
    """A reading, which spends the commitment made at a height."""
    spent = () if spends is None else (OutputRef(hash32("tx", spends), 0),)
    event = ReadingSubmitted(
        **common(height),
        cose="d2",
        redeemer="d8",
        decoded=CoseView(
            reading=Reading(
                battery_id=RAW.hex(),
                challenge=None if spends is None else hash32("tx", spends),
                counter=counter,
                soh_bp=9_000,
                cycle_count=5,
            )
        ),
        account_input=OutputRef(hash32("tx", 1), 0),
        account_output=replace(output(0), lovelace=4_000_000),
        account_datum=datum(RAW, counter or 0),
        inputs=spent,
        consumed=spent,
        burned_commitments={} if spends is None else {hash32("token", hash32("tx", spends)): 1},
    )
    return height, replace(event, **changes)


def rejected(height: int, counter: int, spends: int) -> tuple[int, ReadingRejected]:
    _, event = reading(height, counter, spends)
    return height, ReadingRejected(**{name: getattr(event, name) for name in event.__struct_fields__})


def opening() -> tuple[int, ChainEvent]:
    return 1, account(RAW, common(1), last_counter=-1)


def minted(height: int) -> tuple[int, ChainEvent]:
    return height, commitment(RAW, common(height))


def test_a_commitment_is_consumed_by_the_reading_that_spends_it() -> None:
    folded = after(opening(), minted(2), reading(5, 0, spends=2))
    (row,) = folded.commitments()
    assert (row.status, row.ended_how, row.age_slots) == ("consumed", "reading", 60)
    (read,) = folded.readings()
    assert (read.commitment, read.challenge_answers, read.commitment_age_slots) == (row.fact, True, 60)
    assert folded.battery.commitments_open == 0


def test_a_challenge_of_another_transaction_is_no_answer() -> None:
    number, event = reading(5, 0, spends=2)
    other = replace(event.decoded, reading=Reading(counter=0, challenge=hash32("other")))
    (read,) = after(opening(), minted(2), (number, replace(event, decoded=other))).readings()
    assert read.challenge_answers is False


def test_a_rejected_reading_moves_nothing_but_its_count() -> None:
    folded = after(opening(), minted(2), rejected(3, 7, spends=2))
    assert folded.commitments()[0].status == "open"
    assert (folded.battery.readings_rejected, folded.battery.last_counter) == (1, None)
    assert folded.battery.account_last_counter == -1
    assert folded.readings()[0].counter_kind is None


def test_a_reading_on_an_unproven_account_moves_nothing_but_its_count() -> None:
    folded = after(opening(), reading(3, 7, account_unproven=True), reading(4, 8))
    assert folded.battery.readings_unproven == 1
    assert [read.counter_kind for read in folded.readings()] == [None, "first"]


@pytest.mark.parametrize(
    ("counters", "kinds"),
    [
        ([0, 1, 2], ["first", "next", "next"]),
        ([5, 9], ["first", "gap"]),
        ([5, 5], ["first", "duplicate"]),
        ([5, 3, 4], ["first", "regress", "next"]),
        ([2**70, 2**70 + 1], ["first", "next"]),
        ([1, None, 2], ["first", None, "next"]),
    ],
)
def test_a_counter_is_placed_in_the_sequence_of_its_key(counters: list[int | None], kinds: list[str | None]) -> None:
    folded = after(opening(), *(reading(height, counter) for height, counter in enumerate(counters, 2)))
    assert [read.counter_kind for read in folded.readings()] == kinds


def test_each_public_key_has_a_sequence_of_its_own() -> None:
    other = replace(datum(RAW, 0), bms_public_key="03" + "22" * 32)
    folded = after(opening(), reading(2, 40), reading(3, 0, account_datum=other), reading(4, 41))
    assert [read.counter_kind for read in folded.readings()] == ["first", "first", "next"]


@pytest.mark.parametrize(("how", "status"), [("reclaimed", "reclaimed"), ("burned", "closed"), ("moved", "closed")])
def test_a_commitment_ends_without_a_reading(how: Any, status: str) -> None:
    event = CommitmentClosed(
        **common(9),
        token_name=hash32("token", hash32("tx", 2)),
        quantity=1,
        how=how,
        candidates=(OutputRef(hash32("tx", 2), 0),),
    )
    (row,) = after(minted(2), (9, event)).commitments()
    assert (row.status, row.ended_how, row.age_slots) == (status, how, 140)


def test_a_token_of_the_same_name_in_another_output_ends_nothing() -> None:
    event = CommitmentClosed(
        **common(9),
        token_name=hash32("token", hash32("tx", 2)),
        quantity=1,
        how="burned",
        candidates=(OutputRef(hash32("tx", 3), 0),),
    )
    assert after(minted(2), (9, event)).commitments()[0].status == "open"


def test_a_top_up_leaves_the_account_open_whichever_event_comes_first() -> None:
    closing = ReportingAccountClosed(**common(5), quantity=1)
    opened = account(RAW, common(5, 1), last_counter=3)
    assert after(opening(), (5, closing), (5, opened)).battery.account_open is True
    late = replace(closing, index=2)
    assert after(opening(), (5, opened), (5, late)).battery.account_open is True
    assert after(opening(), (6, ReportingAccountClosed(**common(6), quantity=1))).battery.account_open is False


def test_the_reward_is_what_left_the_account() -> None:
    folded = after(opening(), reading(2, 0), reading(3, 1))
    # The second spends an output that is not the account's last one: what was in it is not known.
    assert [read.reward_lovelace for read in folded.readings()] == [1_000_000, None]


def test_of_too_many_open_commitments_strangers_are_let_go_and_their_rows_say_so() -> None:
    """However many are minted the state stays as it is; the owner's is still there when it is answered."""
    owned = (2, replace(minted(2)[1], user_pkh="aa" * 28))
    strangers = [minted(height) for height in range(3, 3 + MAX_COMMITMENTS + 50)]
    last = strangers[-1][0] + 1
    folded = after((1, owner(common(1), "aa" * 28)), owned, *strangers)
    assert len(folded.state.commitments) == MAX_COMMITMENTS
    assert folded.battery.commitments_open == MAX_COMMITMENTS + 51
    rows = [row for row in folded.rows.values() if isinstance(row, CommitmentRow)]
    assert [row.status for row in rows] == ["open"] * (MAX_COMMITMENTS + 51)
    let_go = sorted(row.slot for row in rows if row.ended_how == UNFOLLOWED)
    assert len(let_go) == 51
    assert max(let_go) < min(row.slot for row in folded.state.commitments if row.user_pkh != "aa" * 28)
    answered = after((1, owner(common(1), "aa" * 28)), owned, *strangers, reading(last, 1, spends=2))
    assert [row.ended_how for row in answered.rows.values() if isinstance(row, CommitmentRow)].count("reading") == 1


def test_a_commitment_that_a_reading_spends_without_burning_its_token_stays_open() -> None:
    """The token went on in another output, as anybody can have it do: no challenge was answered by that."""
    folded = after(opening(), minted(2), reading(5, 1, spends=2, burned_commitments={}))
    (row,) = folded.commitments()
    assert (row.status, row.ended_how) == ("open", None)
    assert folded.readings()[0].commitment is None


def test_an_account_without_the_thread_token_moves_nothing() -> None:
    """Anybody can make one, with what key and counter he likes."""
    fake = replace(account(RAW, common(2), last_counter=77), account_unproven=True)
    before = after(opening()).battery
    now = after(opening(), (2, fake)).battery
    assert replace(now, slot=before.slot, height=before.height, block=before.block) == before


def test_a_battery_id_counts_only_where_the_key_proves_it() -> None:
    liar = replace(commitment(RAW, common(2)), battery_id=b"somebody else".hex())
    assert after((2, liar)).battery.battery_id is None
    assert after((2, liar), minted(3)).battery.battery_id == RAW.hex()


def test_a_state_survives_its_bytes() -> None:
    state = after(opening(), minted(2), reading(3, 2**100), minted(4)).state
    whole = WholeState(timeline=state)
    assert decode_state(encode_state(whole)) == whole
