"""The command, in a process that kills itself as kill -9 would, the Nth time that it comes by a place.

``python -m tests.consumers.alerting.alerter_process PLACE N alert --routes …``
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from consumers.alerting import run, sender, watch
from consumers.alerting.outbox import Waiting
from consumers.alerting.plan import Plan
from deploy.cli import main

PLACES: Final = ("before plan", "in plan", "after plan", "before send", "after send", "after mark")


class Place:
    """Dies when it was come by often enough."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, counts: object = True) -> None:
        """Counts only where there is something to do."""
        self._left -= bool(counts)
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def around(
    module: Any, name: str, *, before: Callable[[Any], None] | None, after: Callable[[Any], None] | None
) -> None:
    """``before`` is given the last argument, ``after`` the result, or the last argument where there is none."""
    inner = getattr(module, name)

    def wrapped(*arguments: Any, **more: Any) -> Any:
        if before:
            before(arguments[-1])
        result = inner(*arguments, **more)
        if after:
            after(arguments[-1] if result is None else result)
        return result

    setattr(module, name, wrapped)


def arm(place: str, times: int) -> None:
    die = Place(times)
    match place:
        case "before plan":
            around(watch, "write_plan", before=lambda plan: die(plan.notices), after=None)
        case "in plan":
            around(
                watch, "write_plan", before=None, after=lambda plan: die(plan.notices)
            )  # its rows are written, and not committed yet
        case "after plan":
            around(
                run, "plan_once", before=None, after=lambda made: die(made.notices if isinstance(made, Plan) else ())
            )
        case "before send":
            around(sender, "next_message", before=None, after=lambda found: die(isinstance(found, Waiting)))
        case "after send":
            around(sender, "mark", before=lambda _: die(), after=None)  # the receiver has it, nobody knows it yet
        case "after mark":
            around(sender, "mark", before=None, after=lambda _: die())
        case _:
            sys.exit(f"no such place: {place}")


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
