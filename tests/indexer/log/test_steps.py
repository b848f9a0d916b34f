"""How steps are made."""

import pytest

from indexer.chain import ORIGIN
from indexer.events import (
    CommitmentClosed,
    CoseView,
    OutputRef,
    OutputView,
    Reading,
    ReadingSubmitted,
    ReportingDatum,
    TransactionQuarantined,
    retraction_id,
)
from indexer.log.port import Step, StoredSpine
from indexer.log.records import (
    BlockEntry,
    Marker,
    decode_marker,
    decode_spine,
    encode_spine,
    records_blob,
    step_digest,
)
from indexer.log.steps import forward_step, place, rollback_step, subject_of
from tests.indexer.log.chains import MAGIC, TIME, Tree, opened, placed

KEY = "ab" * 28
HASH = "cd" * 32


def stored(step_spine: bytes) -> StoredSpine:
    return StoredSpine(decode_spine(step_spine), step_digest(step_spine))


def a_forward_step(blocks: int = 3, partitions: int = 4) -> tuple[StoredSpine, Step]:
    end = stored(encode_spine(opened(partitions=partitions).spine))
    chain = Tree(8).grow([], blocks)
    return end, forward_step(
        end,
        blocks=[block.entry for block in chain],
        parent=chain[0].parent,
        boundaries={},
        tip=ORIGIN,
        security_parameter=5,
        events=[each for block in reversed(chain) for each in placed(block)],
        retracted={},
    )


def test_step_zero_is_a_marker_in_every_partition() -> None:
    step = opened(partitions=4)
    assert [[record.kind for record in group] for group in step.records] == [["marker"]] * 4
    assert [(each.first_seq, each.last_seq, each.count) for each in step.spine.partitions] == [(0, 0, 1)] * 4


def test_a_log_without_partitions_can_not_be() -> None:
    with pytest.raises(ValueError, match="at least one"):
        opened(partitions=0)


def test_records_stand_in_the_chains_order_whatever_order_they_came_in() -> None:
    _, step = a_forward_step()
    for group in step.records:
        heights = [record.height for record in group[:-1]]
        assert heights == sorted(heights)


def test_numbers_go_on_from_the_step_before_and_the_marker_is_last() -> None:
    end, step = a_forward_step()
    for partition, group in enumerate(step.records):
        assert [record.seq for record in group] == list(range(1, 1 + len(group)))
        assert [record.kind for record in group] == ["event"] * (len(group) - 1) + ["marker"]
        assert group[-1].id == f"1/{partition}"
        assert decode_marker(group[-1].body) == Marker(step=1, step_kind="forward", final_height=-1, tip_height=-1)
    assert step.spine.previous == end.digest


def test_a_step_carries_the_bytes_that_its_digests_are_over() -> None:
    _, step = a_forward_step()
    assert step.blobs == tuple(records_blob(group) for group in step.records)


def test_a_rollback_never_lowers_the_final_height() -> None:
    end, step = a_forward_step(blocks=9)
    assert step.spine.final_height == 4
    after = stored(encode_spine(step.spine))
    back = rollback_step(
        after,
        to=ORIGIN,
        to_height=4,
        left=BlockEntry(9, 0, HASH),
        depth_blocks=5,
        tip=ORIGIN,
        live=[],
    )
    assert back.spine.final_height == 4
    assert back.spine.step == end.spine.step + 2


def test_retractions_come_in_reverse_with_the_body_and_key_of_their_targets() -> None:
    _, step = a_forward_step()
    live = [(partition, record) for partition, group in enumerate(step.records) for record in group[:-1]]
    back = rollback_step(
        stored(encode_spine(step.spine)),
        to=ORIGIN,
        to_height=0,
        left=BlockEntry(3, 0, HASH),
        depth_blocks=3,
        tip=ORIGIN,
        live=live,
    )
    for before, group in zip(step.records, back.records, strict=True):
        assert [record.retracts for record in group[:-1]] == [record.id for record in before[:-1]][::-1]
        for retraction, target in zip(group[:-1], before[:-1][::-1], strict=True):
            assert retraction.id == retraction_id(target.id)
            assert (retraction.key, bytes(retraction.body)) == (target.key, bytes(target.body))


def test_facts_of_one_kind_in_one_transaction_are_told_apart_by_their_order() -> None:
    block = next(block for block in Tree(8).grow([], 20) if any(number % 3 == 2 for number in block.transactions))
    facts = [each.fact for each in place(reversed(block.events), block.entry, TIME, MAGIC)]
    assert facts == [each.fact for each in placed(block)]
    assert len(set(facts)) == len(facts)
    elsewhere = BlockEntry(99, 99, HASH)
    assert facts == [each.fact for each in place(block.events, elsewhere, TIME, MAGIC)]


def closed(battery_id: str | None) -> CommitmentClosed:
    return CommitmentClosed(
        deployment="test",
        battery_key=KEY,
        transaction=HASH,
        transaction_index=0,
        index=0,
        token_name="00",
        quantity=1,
        how="burned",
        candidates=(OutputRef(HASH, 0),),
        battery_id=battery_id,
    )


@pytest.mark.parametrize(
    ("battery_id", "subject"),
    [
        (b"urn:eudpp:battery:demo:0001".hex(), "urn:eudpp:battery:demo:0001"),
        ("Zürich-42".encode().hex(), "Zürich-42"),
        ("00ff", "00ff"),  # not UTF-8
        (b"two\nlines".hex(), b"two\nlines".hex()),  # not printable
        ("", KEY),
        (None, KEY),
    ],
)
def test_a_subject_is_the_batterys_id_as_text_where_it_can_be_read(battery_id: str | None, subject: str) -> None:
    assert subject_of(closed(battery_id)) == subject


def test_a_readings_subject_is_its_accounts_battery_and_not_what_the_reading_claims() -> None:
    datum = ReportingDatum(
        battery_id=b"mine".hex(),
        bms_public_key="00",
        last_counter=0,
        reward_per_read=0,
        max_age_slots=0,
    )
    reading = ReadingSubmitted(
        deployment="test",
        battery_key=KEY,
        transaction=HASH,
        transaction_index=0,
        index=0,
        cose="00",
        redeemer="00",
        decoded=CoseView(reading=Reading(battery_id=b"yours".hex())),
        account_input=OutputRef(HASH, 0),
        account_output=OutputView(index=0, address="addr_test1", lovelace=0),
        account_datum=datum,
    )
    assert subject_of(reading) == "mine"


def test_what_names_no_battery_is_found_by_its_key() -> None:
    event = TransactionQuarantined(
        deployment="",
        battery_key=KEY,
        transaction=HASH,
        transaction_index=0,
        index=0,
        reason="unreadable",
        detail="",
        raw_blake2b_256=HASH,
        raw_length_bytes=1,
    )
    assert subject_of(event) == KEY
