"""A writer on Kafka in a process of its own, to be stopped and killed: says each step's number once acknowledged."""

import sys

from indexer.errors import CellwitnessError
from indexer.log.tail import read_tail
from indexer.log.urls import open_log
from tests.indexer.log.chains import FakeBlock, Scribe, Tree


def main(url: str) -> None:
    log = open_log(url)
    scribe = Scribe(log, k=20)
    tree = Tree()
    while True:
        end = scribe.writer.end
        assert end is not None
        # All it knows is what the log says: a killed writer's successor goes on from there.
        chain = [FakeBlock(block, "", ()) for block in read_tail(log).blocks][::-1]
        scribe.chain = chain
        if end.spine.step % 7 == 6 and len(chain) > 2:
            scribe.rollback(2)
        else:
            scribe.forward(tree.grow(chain, 1 + end.spine.step % 3, end.spine.step % 5))
        sys.stdout.write(f"{end.spine.step + 1}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except CellwitnessError as error:
        sys.exit(str(error))
