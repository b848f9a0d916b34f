"""Ending in order on SIGTERM and Ctrl-C: what is under way is finished, and written."""

import signal
import threading


class Stop:
    """Set by the first signal; a second one ends the process at once, as it would have without us."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, _: object) -> None:
        if self._event.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._event.set()

    def __call__(self) -> bool:
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Sleeps; ends early when stopped."""
        self._event.wait(seconds)
