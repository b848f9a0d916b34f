import pytest

from indexer.log.port import LogDamaged, accept
from indexer.log.records import Record


def records(*seqs: int) -> list[Record]:
    return [Record(seq=seq, step=seq, kind="marker", id=f"{seq}/0") for seq in seqs]


def test_a_reader_takes_the_next_in_line() -> None:
    assert accept(4, records(5, 6, 7)) == records(5, 6, 7)


def test_a_reader_drops_what_it_had_and_goes_on_behind_it() -> None:
    assert accept(4, records(3, 4, 5, 4, 5, 6)) == records(5, 6)


@pytest.mark.parametrize("seqs", [(6,), (5, 7), (5, 6, 6, 8)])
def test_a_reader_never_steps_over_a_gap(seqs: tuple[int, ...]) -> None:
    with pytest.raises(LogDamaged, match="is missing") as damage:
        accept(4, records(*seqs))
    assert damage.value.seq == seqs[-1]
