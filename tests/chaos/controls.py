"""Control runs: one guarantee switched off in a copy of the code, to show that storm and checks would see it."""

from typing import Final

from msgspec import Struct

from tests.simulation.mutants import Mutant


class Control(Struct, frozen=True):
    """What is switched off, and the faults that must bring it to light."""

    mutant: Mutant
    faults: tuple[str, ...]


CONTROLS: Final = {
    "fence": Control(
        Mutant(
            "each follower has a transactional id of its own, so no writer is ever fenced",
            "indexer/log/kafka_writer.py",
            'transactional_id=f"{topics.name}.follower",',
            "transactional_id=f\"{topics.name}.follower.{__import__('os').getpid()}\",",
        ),
        ("follower: SIGSTOP beyond its lease",),
    ),
    "retractions": Control(
        Mutant(
            "a rollback retracts nothing",
            "indexer/session.py",
            "live = self._reach.live_above(effect.to_height)\n",
            "live = self._reach.live_above(effect.to_height)[:0]\n",
        ),
        ("fork", "kill -9"),
    ),
    "checkpoint": Control(
        Mutant(
            "the checkpoint moves in a transaction of its own, a moment before the rows",
            "projections/store.py",
            "                    for job in self._tables.jobs(partition, each):\n"
            "                        writing.then(job)\n"
            "                    folded[partition] = each.without_rows()\n"
            "                rows = sum(writing.results())\n"
            "            moved = self._advance(batches, accepted, folded)\n",
            "                    folded[partition] = each\n"
            "            moved = self._advance(batches, accepted, folded)\n"
            '            self._connection.execute("COMMIT")\n'
            '            __import__("time").sleep(0.3)\n'
            '            self._connection.execute("BEGIN")\n'
            "            rows = sum(self._tables.write(partition, each) for partition, each in folded.items())\n",
        ),
        ("kill -9", "database: kill -9"),
    ),
}
