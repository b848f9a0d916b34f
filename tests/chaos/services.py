"""The commands of cellwitness under a supervisor, as a service manager keeps them: whatever ended is started again."""

import itertools
import random
import signal
from pathlib import Path
from typing import Final

from tests.endtoend.processes import Running

RESTART_SECONDS: Final = (0.3, 2.0)  # first and last moment after an end at which a service is started again
LOSER_SECONDS: Final = (5.0, 25.0)  # as a worker whose partitions another one took: they would only fight
NOTHING_WRONG: Final = (0, 3)  # done; another try may work


class Failed(Exception):
    """What must not happen, whatever was inflicted."""


class Service:
    """One command, started again and again. ``tree`` is where its code lies, where that is not ours."""

    def __init__(self, folder: Path, name: str, chance: random.Random, *arguments: str, tree: Path | None) -> None:
        self.name, self.starts, self.kills = name, 0, 0
        self._folder, self._chance, self._arguments = folder, chance, arguments
        self._environment = {} if tree is None else {"PYTHONPATH": str(tree)}
        self._running: Running | None = None
        self._due = 0.0
        self._stopped = False
        self.exits: dict[int, int] = {}
        self.logs: list[Path] = []

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.alive

    def tend(self, now: float) -> None:
        """Notices an end, and starts it again when that is due. Raises Failed where an operator would be needed."""
        if self._running is not None and not self._running.alive:
            self._ended(self._running, now)
        if self._running is None and now >= self._due and not self._stopped:
            self.starts += 1
            number = next(_numbers)
            self._running = Running(
                self._folder, f"{self.name.replace(' ', '-')}-{number}", *self._arguments, **self._environment
            )
            self.logs.append(self._running.error_file)

    def _ended(self, running: Running, now: float) -> None:
        code = running.process.returncode
        self.exits[code] = self.exits.get(code, 0) + 1
        self._running = None
        if code not in (*NOTHING_WRONG, -signal.SIGKILL):
            raise Failed(f"{running.name} ended with {code}:\n{_last_lines(running)}")
        slow = code == NOTHING_WRONG[1] and self.name.startswith("worker")
        self._due = now + self._chance.uniform(*(LOSER_SECONDS if slow else RESTART_SECONDS))

    @property
    def life(self) -> str:
        """How often it was started, and how it ended, in words."""
        ends = ", ".join(f"{times} with {_ENDS.get(code, code)}" for code, times in sorted(self.exits.items()))
        return f"started {self.starts} times; ended {ends or 'never'}"

    def kill(self) -> bool:
        """kill -9. False where it did not run."""
        if self._running is None or not self._running.alive:
            return False
        self.kills += 1
        self._running.kill()
        return True

    def send(self, number: signal.Signals) -> Running | None:
        """Which process got the signal; None where it did not run."""
        if self._running is None or not self._running.alive:
            return None
        self._running.signal(number)
        return self._running

    def end(self) -> None:
        """Asks it to end, and starts it no more. Raises Failed where it does not end in order."""
        self._stopped = True
        running, self._running = self._running, None
        if running is not None and running.alive:
            code = running.terminate()
            # One that was only just started has nothing to finish yet, and dies of the signal.
            if code not in (*NOTHING_WRONG, -signal.SIGTERM):
                raise Failed(f"{running.name} ended with {code} when asked to:\n{_last_lines(running)}")

    def close(self) -> None:
        """Leaves nothing behind."""
        self._stopped = True
        if self._running is not None:
            self._running.kill()


def _last_lines(running: Running) -> str:
    return "\n".join(line[:500] for line in running.errors.splitlines()[-5:])


_numbers: Final = itertools.count(1)


_ENDS: Final = {0: "0", 3: "3 (another try may work)", -signal.SIGKILL: "SIGKILL"}
