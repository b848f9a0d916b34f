"""Two logs of one chain, and a pack against a node's blocks: equal however they came to be, or the first difference."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from consumers.audit.collect import Collected
from consumers.audit.compare import OtherLog, compare
from consumers.audit.inclusion import Stretch, differences, stretches
from indexer.log.records import BlockEntry
from indexer.log.steps import PlacedEvent
from tests.projections.chain import Block, TestChain
from tests.projections.judged_chain import DevnetLife

K = 4
NewChain = Callable[[str], TestChain]


@pytest.fixture
def new_chain(tmp_path: Path) -> Iterator[NewChain]:
    with ExitStack() as stack:

        def make(name: str, k: int = K) -> TestChain:
            chain = TestChain(tmp_path / name, DevnetLife(2, 3), k=k)
            stack.callback(chain.close)
            return chain

        yield make


def blocks(new_chain: NewChain) -> list[Block]:
    return new_chain("maker.db").make(40)


def in_steps(chain: TestChain, made: list[Block], size: int) -> TestChain:
    for at in range(0, len(made), size):
        chain.forward(made[at : at + size])
    return chain


def test_other_steps_and_forks_on_the_way_make_no_difference(new_chain: NewChain) -> None:
    made = blocks(new_chain)
    one, other = in_steps(new_chain("1.db"), made, 7), new_chain("2.db")
    in_steps(other, made[:20], 3)
    other.back(3)
    in_steps(other, other.make(2), 1)
    other.back(2)
    in_steps(other, made[17:], 1)
    compared = compare(one.log, other.log)
    assert compared.equal, compared.difference
    assert compared.whole
    assert (compared.to_height, compared.blocks) == (40 - K, 40 - K)
    assert compared.facts > 10


def test_a_node_that_is_behind_is_equal_as_far_as_it_goes(new_chain: NewChain) -> None:
    made = blocks(new_chain)
    compared = compare(in_steps(new_chain("1.db"), made, 5).log, in_steps(new_chain("2.db"), made[:30], 5).log)
    assert compared.equal
    assert not compared.whole
    assert (compared.to_height, compared.final_height) == (30 - K, 40 - K)


def test_the_first_fact_that_differs_is_named_with_its_height_and_step(new_chain: NewChain) -> None:
    made = blocks(new_chain)
    at = next(number for number, block in enumerate(made) if block.events and number > 10)
    (placed, *rest) = made[at].events
    event = placed.event
    altered = replace(made[at], events=(replace(placed, event=replace(event, transaction="ab" * 32)), *rest))
    for changed in (altered, replace(made[at], events=tuple(rest))):
        other = in_steps(
            new_chain(f"{len(changed.events)}{changed is altered}.db"), [*made[:at], changed, *made[at + 1 :]], 5
        )
        difference = compare(in_steps(new_chain(f"ours{changed is altered}.db"), made, 5).log, other.log).difference
        assert difference is not None
        assert (difference.what, difference.height) == ("fact", made[at].entry.height)
        assert difference.step == at // 5 + 1
        assert event.transaction in (difference.ours or "")


def test_the_first_block_that_differs_is_named(new_chain: NewChain) -> None:
    made = blocks(new_chain)
    entry = made[12].entry
    other = [*made[:12], replace(made[12], entry=BlockEntry(entry.height, entry.slot, "cd" * 32)), *made[13:]]
    other[13] = replace(other[13], parent="cd" * 32)
    compared = compare(in_steps(new_chain("1.db"), made, 5).log, in_steps(new_chain("2.db"), other, 4).log)
    difference = compared.difference
    assert difference is not None
    assert (difference.what, difference.height, difference.step) == ("block", entry.height, 12 // 5 + 1)
    assert compared.blocks == 12


def test_logs_of_other_networks_are_not_compared(new_chain: NewChain, tmp_path: Path) -> None:
    other = TestChain(tmp_path / "other.db", DevnetLife(2, 3), k=K + 1)
    try:
        with pytest.raises(OtherLog, match="security_parameter"):
            compare(new_chain("1.db").log, other.log)
    finally:
        other.close()


def said_by_a_node(stretch: Stretch) -> list[PlacedEvent]:
    return [
        PlacedEvent(fact.event, fact.fact, BlockEntry(fact.height, fact.slot, fact.block), fact.time)
        for fact in stretch.facts
    ]


def test_every_fact_is_asked_for_in_the_step_that_states_it(collected: Collected) -> None:
    asked = list(stretches(collected.evidence, collected.story))
    assert sorted(fact.fact for stretch in asked for fact in stretch.facts) == sorted(
        fact.fact for fact in collected.story.facts
    )
    for stretch in asked:
        assert stretch.before.spine.step == stretch.step.step - 1
        assert stretch.step.blocks[-1].id == stretch.facts[-1].block


def test_a_node_that_says_less_more_or_something_else_is_heard(collected: Collected) -> None:
    subject, story = collected.subject, collected.story
    for stretch in stretches(collected.evidence, story):
        said = said_by_a_node(stretch)
        assert not list(differences(stretch, said, subject, story))
        (fault,) = differences(stretch, said[1:], subject, story)
        assert "do not hold" in fault
        (fault,) = differences(stretch, [*said, replace(said[0], fact="ab" * 32)], subject, story)
        assert "leaves out" in fault
        moved = replace(said[0], block=replace(said[0].block, id="cd" * 32))
        (fault,) = differences(stretch, [moved, *said[1:]], subject, story)
        assert "something else" in fault
        stranger = replace(said[0], fact="ef" * 32, event=replace(said[0].event, battery_key="ab" * 28))
        assert not list(differences(stretch, [*said, stranger], subject, story))
