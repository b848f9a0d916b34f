"""The simulated world: executes a plan's actions around the real follower, which knows nothing of it."""

from collections import Counter
from collections.abc import Callable
from typing import Final, assert_never

from indexer.errors import CellwitnessError, InvalidChainData, Retryable
from indexer.follow import RollbackTooDeep
from indexer.log.port import Fenced, LogBusy, LogDamaged, LogFull, LogUnavailable
from indexer.ogmios.connection import ConnectionLost
from indexer.ogmios.node import NodeRefused
from indexer.run import FollowOptions, run_follower
from tests.simulation.blocks import Tree
from tests.simulation.engine import Outcome, SimLog, Store, Torn
from tests.simulation.faults import FAILURES, MOMENTS, InvariantBroken, Killed, Process
from tests.simulation.ledger import PROFILE
from tests.simulation.network import Network
from tests.simulation.nodes import FAILED, GARBAGE, SimLink
from tests.simulation.oracle import Oracle
from tests.simulation.outside import SimOutside
from tests.simulation.plan import LIES, OUTCOMES, Action, Plan
from tests.simulation.readers import Readers

PATIENCE: Final = 3_000
"""Calls to the outside, after the last fault, within which the follower has to be at the tip (I12)."""

NODE_ANSWERS: Final = ("receive", "connect", "pause")
"""Effects in place of whose reply none of the log's or the survey's errors can come."""


class World:
    """One run. ``kill_at`` and the like address processes by the order in which they were started."""

    def __init__(self, plan: Plan, *, first_process: Process | None = None) -> None:
        settings = plan.settings
        self.plan, self.settings = plan, settings
        self.tree = Tree(settings.mix)
        self.network = Network(self.tree, settings.nodes, settings.k)
        self.oracle = Oracle(self.tree, settings.k, settings.partitions)
        self.store = Store(self.oracle.observe, self._fenced_by)
        self.counts: Counter[str] = Counter()
        self.readers = Readers(self.store, self.oracle, settings.partitions, self.count)
        self.done = False
        self.clock = 0.0
        self._next = 0
        self._patience = PATIENCE
        self._processes = 0
        self._first = first_process
        self._current = Process("none")
        self._budget: int | None = None
        self._append_fault: tuple[Outcome, int] | None = None
        self._read_fault = 0
        self._lied = self._refused = False

    def run(self) -> None:
        """Until the plan is over and the follower is at the tip. Raises InvariantBroken."""
        while not self.done:
            process, self._first = self._first or Process(f"follower {self._processes}"), None
            self._follow(process)

    def let_go(self) -> None:
        """Takes the web of references apart, so that a run's memory is free at once and no collector has to look."""
        self.tree.let_go()
        vars(self).clear()

    def count(self, what: str, times: int = 1) -> None:
        if times:
            self.counts[what] += times

    def _follow(self, process: Process) -> None:
        """The life of one follower's process."""
        self._processes += 1
        outer, self._current = self._current, process
        mended = self.store.mended
        nodes = tuple(self.network.nodes)
        try:
            run_follower(
                self._log(process),
                (PROFILE,),
                FollowOptions(
                    endpoints=nodes,
                    partitions=self.settings.partitions,
                    audited_steps=self.settings.audited_steps,
                    standby=self.settings.standby,
                ),
                stop=self._stop,
                pause=lambda seconds: self._pause(process, seconds),
                on_progress=lambda _: None,
                outside=SimOutside(self, process),
            )
            self.count("follower ended in order")
        except Killed:
            self.count("follower killed")
        except Fenced:
            self.count("follower fenced off")
        except LogBusy:
            self.count("follower refused by the lease")
        except LogUnavailable:
            self.count("follower ended: no lease to be had")
        except LogFull:
            self.count("operator made room")
        except LogDamaged as damage:
            # It may speak of what it read before it was stopped for a while, and another made good.
            if self.store.sound and self.store.mended == mended:
                raise InvariantBroken("audit", f"a sound log is called damaged: {damage}") from damage
            self.count("damage noticed by the follower")
            self.store.mend()
        except NodeRefused as refused:
            if not self._refused:
                raise InvariantBroken("nodes", f"sound nodes were refused: {refused}") from refused
            self._refused = False
            self.count("all nodes set aside")
        except (InvalidChainData, RollbackTooDeep) as error:
            if not self._lied:
                raise InvariantBroken("nodes", f"an honest node is not believed: {error}") from error
            self._lied = False
            self.count(f"lie noticed: {type(error).__name__}")
        finally:
            process.alive = False
            self._current = outer
            if self.store.holder is process:
                self.store.holder = None

    def _log(self, process: Process) -> SimLog:
        return SimLog(
            self.store,
            process,
            effect_begins=lambda what: self.begin(process, what),
            effect_ends=lambda what: self.end(process, what),
            take_fault=self._take_append_fault,
            take_read_fault=self._take_read_fault,
            tear=self._tear,
            count=self.count,
        )

    # -- effects of processes ------------------------------------------------------------------------------------------

    def begin(self, process: Process, what: str) -> None:
        """Every effect begins here: the process may be killed first, or stand still while another takes over."""
        if process.begin() and self._budget is None:
            self.count(f"zombie: paused before {what}")
            self._take_over(process)
        if what != "pause" and process.fails("before"):
            self.count(f"reply fails before: {what}")
            raise _failure(what)
        if what not in NODE_ANSWERS and process.fails("instead"):
            self.count(f"another reply instead: {what}")
            self._refused = self._refused or what == "inspect"
            raise _REFUSALS.get(what, _failure)(what)

    def end(self, process: Process, what: str) -> None:
        """Every effect ends here: the process may be killed before it hears of it, or never hear."""
        process.end()
        if process.fails("after"):
            self.count(f"reply lost after: {what}")
            raise _failure(what)

    def _take_over(self, process: Process) -> None:
        process.paused, self._budget = True, self._pause_budget
        try:
            self._follow(Process(f"follower {self._processes}"))
        finally:
            process.paused, self._budget = False, None

    def _stop(self) -> bool:
        return self.done or (self._budget is not None and self._budget <= 0)

    def _spend(self) -> None:
        if self._budget is not None:
            self._budget -= 1
        if self._next < len(self.plan.actions):
            return
        self._patience -= 1
        if self._patience < 0:
            end = self.store.spines[-1].spine if self.store.spines else None
            raise InvariantBroken(
                "I12",
                f"all is well with {self.network.best.url}, at {self.network.best.tip}, but the log stays at {end}",
            )

    def _pause(self, process: Process, seconds: float) -> None:
        self.begin(process, "pause")
        self.clock += seconds
        self._tick(idle=True)
        self._spend()
        process.end()

    def before_receive(self, process: Process, link: SimLink, timeout_seconds: float) -> None:
        self.begin(process, "receive")
        if process.fails("instead"):
            link.instead = FAILED
            self.count("another reply instead: receive")
        self._spend()
        self._tick(idle=not link.waiting())
        if not link.waiting() and not link.broken:
            self.clock += 60 if link.frozen else timeout_seconds
            if link.frozen and self.settings.nodes == 1 and self.clock % 300 < 60:
                link.frozen, link.broken = False, True  # the real connection's own watch over silence
            self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if self._next < len(self.plan.actions) or self._budget is not None:
            return
        tip = self.network.best.tip_block
        self.done = bool(self.oracle.chain) and self.oracle.chain[-1] is tip and self.store.hanging is None

    def _fenced_by(self, name: str) -> None:
        self.oracle.owner = name

    # -- actions -------------------------------------------------------------------------------------------------------

    def _tick(self, *, idle: bool) -> None:
        actions = self.plan.actions
        if self._next >= len(actions):
            return
        if not (idle or actions[self._next].hasty):
            return
        action = actions[self._next]
        self._next += 1
        self._do(action)
        if self._next == len(actions):
            self._append_fault, self._read_fault = None, 0
            self._current.recover()
            self.network.recover()

    def _do(self, action: Action) -> None:
        kind, a, b = action.kind, action.a, action.b
        match kind:
            case "grow" | "sync" | "fork" | "return" | "lag" | "down" | "up" | "drop" | "freeze":
                if self.network.act(action):
                    self.count(kind)
            case "garbage":
                if self.network.answer_instead(GARBAGE):
                    self._refused = True
                    self.count("garbage sent")
            case "late":
                if self.network.come_late(a):
                    self.count("answers come late")
            case "reply fault":
                self._current.fail_after(a, FAILURES[b])
            case "lie":
                if self.network.tell_a_lie(LIES[b]):
                    self._lied = True
                    self.count(f"lie: {LIES[b]}")
            case "kill":
                self._current.kill_after(a, MOMENTS[b])
                self.count(f"kill: {MOMENTS[b]}")
            case "pause":
                self._pause_budget = b
                self._current.pause_after(a)
            case "append fault":
                self._append_fault = (OUTCOMES[a], b)
            case "read fault":
                self._read_fault = a
            case "copy":
                self._copy(a, b)
            case "project":
                self.readers.project(action)
            case "reassign":
                self.readers.reassign(action)
            case "silence":
                self.count(kind)
            case unreachable:
                assert_never(unreachable)

    _pause_budget = 1

    def _copy(self, partition: int, back: int) -> None:
        step = len(self.store.steps) - back
        place = (partition, 2 * len(self.store.steps) - 1)
        if step >= 0 and place not in self.store.copies and self.store.torn is None:
            self.store.copies[place] = step
            self.count("a step's records doubled")

    def _take_append_fault(self) -> Outcome | None:
        if self._append_fault is None or (not self.store.steps and self._append_fault[0] in ("tear", "lose silently")):
            return None
        (outcome, bits), self._append_fault = self._append_fault, None
        self.store.hanging_commits = bool(bits % 2)
        self._tear_bits = bits
        if outcome in ("tear", "lose silently") and not self.store.sound:
            return None
        return outcome

    _tear_bits = 0

    def _tear(self, step: int, partitions: int, *, known: bool) -> Torn:
        missing = frozenset(at for at in range(partitions) if self._tear_bits >> at & 1)
        spine = known and self._tear_bits % 3 == 0
        if spine and len(missing) == partitions:
            missing = frozenset()
        return Torn(step, missing, spine, known)

    def _take_read_fault(self) -> bool:
        if self._read_fault:
            self._read_fault -= 1
            return self._read_fault == 0
        return False


def _failure(what: str) -> Retryable:
    """What an effect raises of which nothing is known."""
    if what in ("inspect", "connect", "send", "receive"):
        return ConnectionLost(f"{what}: the connection broke")
    return LogUnavailable(f"{what}: time-out")


_REFUSALS: Final[dict[str, Callable[[str], CellwitnessError]]] = {
    "inspect": lambda _: NodeRefused("runs Ogmios v5.6.0: v6.1 to v7 is needed"),
    "lease": lambda _: LogBusy("another follower writes"),
}
"""What comes in place of a reply, where it is not an error of the connection."""
