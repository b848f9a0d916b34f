"""A writer in a process of its own, to be killed: says each step's number once it is acknowledged."""

import sys
from pathlib import Path

from indexer.log.sqlite import SqliteLog
from indexer.log.tail import read_tail
from tests.indexer.log.chains import FakeBlock, Scribe, Tree


def main(path: Path) -> None:
    log = SqliteLog(path)
    with log.lease():
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
    main(Path(sys.argv[1]))
