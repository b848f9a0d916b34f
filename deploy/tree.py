"""Several commands of ours as one tree of processes: started together, again where that may help, ended together."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from msgspec import Struct

from indexer.errors import CellwitnessError, Retryable

log = structlog.get_logger(component="up")

AGAIN_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between an end and the next start; the last goes on for ever."""

SOUND_SECONDS: Final = 60.0
"""Whoever ran so long begins the waiting times anew."""

GOODBYE_SECONDS: Final = 30.0
RETRYABLE: Final = Retryable.exit_code
_PR_SET_PDEATHSIG: Final = 1


class PartEnded(CellwitnessError):
    """A part ended in a way that starting it again can't mend. Its own exit code is ours."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"`cellwitness {name}` ended with {code}: see what it said above, mend that, and start again")
        self.exit_code = code if code > 0 else 4


class Part(Struct, frozen=True):
    """One command. ``arguments`` begin with its name."""

    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.arguments[0]


class _Running:
    """A part's process, and when it may be started again."""

    def __init__(self, part: Part, log_level: str) -> None:
        self.part = part
        self._command = [sys.executable, "-m", "deploy.cli", "--log-level", log_level, *part.arguments]
        self.process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._ends = 0
        self._again_at = 0.0

    def tend(self, now: float) -> None:
        """Starts it where it does not run and its time has come. Raises PartEnded."""
        if self.process is None:
            if now >= self._again_at:
                self.process = subprocess.Popen(  # noqa: S603 - our own command
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - this process has one thread
                )
                self._began = now
            return
        code = self.process.poll()
        if code is None:
            return
        self.process = None
        # Killed from outside (a negative code) is what an orderly restart is for; a code of ours says who must act.
        if code != RETRYABLE and code >= 0:
            raise PartEnded(self.part.name, code)
        self._ends = 0 if now - self._began > SOUND_SECONDS else self._ends
        wait = AGAIN_SECONDS[min(self._ends, len(AGAIN_SECONDS) - 1)]
        self._ends += 1
        self._again_at = now + wait
        log.warning("part_ended", part=self.part.name, code=code, again_in_seconds=wait)


def run_tree(
    parts: Sequence[Part], *, stop: Callable[[], bool], pause: Callable[[float], None], log_level: str
) -> None:
    """Runs them until told to stop, and ends them then. Raises PartEnded."""
    running = [_Running(part, log_level) for part in parts]
    try:
        while not stop():
            for each in running:
                each.tend(time.monotonic())
            pause(0.2)
    finally:
        _end([each.process for each in running if each.process is not None])


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GOODBYE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    """In the child: where the kernel can do it, a parent that is killed takes its parts with it."""
    # Ctrl-C reaches the whole group; the parent tells its parts when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
