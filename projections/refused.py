"""Which batteries have a value that PostgreSQL refuses, and at which event: found by trying parts of a batch.

PostgreSQL says what it refuses and not whose it is: a whole batch of rows goes to it at once.
"""

from collections.abc import Callable, Iterator, Sequence

from indexer.log.records import Record
from projections.batch import Battery
from projections.errors import CannotFold, ValueRefused
from projections.parking import Stops, with_markers

Attempt = Callable[[Sequence[Record]], ValueRefused | None]
"""Writes what records lead to and takes it back; says what was refused."""


def refused_stops(records: Sequence[Record], attempt: Attempt) -> Stops:
    """The first step of each battery from which on its rows are refused. Empty where no battery's are by themselves, or
    where they are through a retraction: there is no event then that could wait.
    """
    batteries: dict[Battery, list[Record]] = {}
    for record in records:
        if record.kind != "marker":
            batteries.setdefault((record.key, record.deployment), []).append(record)
    stops: dict[tuple[Battery, int], CannotFold] = {}
    for of_battery in _refused(list(batteries.values()), attempt):
        stop = _first_refused(of_battery, attempt)
        if stop is not None:
            record, refused = stop
            stops[(record.key, record.deployment), record.step] = CannotFold(record.id, str(refused))
    return stops


def _refused(batteries: Sequence[list[Record]], attempt: Attempt) -> Iterator[list[Record]]:
    """Those batteries that are refused by themselves. Halves: most of a batch is sound."""
    if attempt([record for of_battery in batteries for record in with_markers(of_battery)]) is None:
        return
    if len(batteries) == 1:
        yield batteries[0]
        return
    half = len(batteries) // 2
    yield from _refused(batteries[:half], attempt)
    yield from _refused(batteries[half:], attempt)


def _first_refused(records: Sequence[Record], attempt: Attempt) -> tuple[Record, ValueRefused] | None:
    """The event of one battery that brought the value, and what was said of it."""
    steps = sorted({record.step for record in records})

    def through(step: int) -> list[Record]:
        return [record for record in records if record.step <= step]

    sound, refused = -1, len(steps) - 1  # places in ``steps``; nothing at all is sound, all of it is refused
    while refused - sound > 1:
        middle = (sound + refused) // 2
        if attempt(with_markers(through(steps[middle]))) is None:
            sound = middle
        else:
            refused = middle
    before = [record for record in records if record.step < steps[refused]]
    of_step = through(steps[refused])[len(before) :]
    # Any event of the step would stop the battery there; the one named should be the one to look at.
    for count, record in enumerate(of_step, 1):
        said = attempt(with_markers([*before, *of_step[:count]]))
        if said is not None and record.kind == "event":
            return record, said
    return None
