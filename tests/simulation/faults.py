"""What a simulated run ends with, and how processes die in it."""

from typing import Final, Literal

Moment = Literal["before", "after", "middle"]
MOMENTS: Final[tuple[Moment, ...]] = ("before", "after", "middle")

How = Literal["before", "after", "instead"]
FAILURES: Final[tuple[How, ...]] = ("before", "after", "instead")
"""How a reply fails: the request never arrives; it is served and the reply lost; another reply comes in its place."""


class InvariantBroken(Exception):
    """The run shows a fault. ``invariant`` names what does not hold, such as I3."""

    def __init__(self, invariant: str, message: str) -> None:
        super().__init__(f"{invariant}: {message}")
        self.invariant = invariant


class Killed(BaseException):
    """kill -9. No handler of the product may see it; what its ``finally`` clauses do has no effect any more."""


class Process:
    """A process, as far as its effects can be cut off: counted, killed at any of them, or stopped for a while."""

    def __init__(
        self,
        name: str,
        *,
        kill_at: tuple[int, Moment] | None = None,
        pause_at: int | None = None,
        fail_at: tuple[int, How] | None = None,
    ) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.effects = 0
        self._kill_at, self._pause_at, self._fail_at = kill_at, pause_at, fail_at

    def kill_after(self, effects: int, moment: Moment) -> None:
        self._kill_at = (self.effects + effects, moment)

    def pause_after(self, effects: int) -> None:
        self._pause_at = self.effects + effects

    def fail_after(self, effects: int, how: How) -> None:
        self._fail_at = (self.effects + effects, how)

    def fails(self, how: How) -> bool:
        """Whether the reply to the effect under way fails so. Each failure comes once."""
        if self._fail_at is None or self.effects < self._fail_at[0] or self._fail_at[1] != how:
            return False
        self._fail_at = None
        return True

    def recover(self) -> None:
        self._fail_at = None

    def begin(self) -> bool:
        """At the start of an effect. True where the process has to be stopped here for a while. Raises Killed."""
        if not self.alive:
            raise Killed
        self.effects += 1
        if self._kill_at is not None and self.effects >= self._kill_at[0] and self._kill_at[1] == "before":
            self.die()
        if self._pause_at is not None and self.effects >= self._pause_at:
            self._pause_at = None
            return True
        return False

    def killed_in_the_middle(self) -> bool:
        return self._kill_at is not None and self.effects >= self._kill_at[0] and self._kill_at[1] == "middle"

    def end(self) -> None:
        """After the effect, before whoever asked for it hears of it. Raises Killed."""
        if self._kill_at is not None and self.effects >= self._kill_at[0]:
            self.die()

    def die(self) -> None:
        self.alive = False
        raise Killed
