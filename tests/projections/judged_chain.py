"""A devnet's events on a chain that forks: true signatures, and verdicts that differ from fork to fork."""

from itertools import groupby

from indexer.events import ChainEvent
from projections.judging import Judging
from tests.projections.chain import Block, Life
from tests.projections.verdicts.devnet import facts, profile


def judging() -> Judging:
    return Judging({profile().name: profile()})


class DevnetLife(Life):
    """The devnet's blocks, one after another, and some left out.

    A block made after a rollback goes on where the chain now ends: the same facts stand again, in other blocks.
    """

    def __init__(self, seed: int, batteries: int = 4, *, days: int = 30) -> None:
        super().__init__(seed, batteries)
        self.profile = profile()
        stated = facts(seed=seed % 3, batteries=batteries, days=days)
        self.groups = [[fact.event for fact in group] for _, group in groupby(stated, key=lambda fact: fact.height)]

    def events(self, chain: list[Block], height: int, salt: int, transactions: int) -> list[ChainEvent]:
        del height, salt, transactions
        at = 1 + max((self._place_of(block) for block in chain if block.events), default=-1)
        if self.random.random() < 0.15:
            at += 1
        return list(self.groups[at]) if at < len(self.groups) else []

    def _place_of(self, block: Block) -> int:
        transaction = block.events[0].event.transaction
        return next(at for at, group in enumerate(self.groups) if group[0].transaction == transaction)
