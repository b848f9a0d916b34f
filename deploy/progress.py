"""Progress of long work on a terminal, with rate and time left; nothing where no person looks."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text


class _Rate(TransferSpeedColumn):
    """Things a second, in the unit of the work."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        super().__init__()

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self._unit}/s" if speed else f"- {self._unit}/s", style="cyan")


class ChainProgress:
    """A bar over the chain's height: done of total, blocks a second, events so far, time left."""

    def __init__(self, title: str, unit: str = "blocks") -> None:
        console = Console(stderr=True)
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            _Rate(unit),
            TextColumn("{task.fields[events]:,} events"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(title, total=1, events=0, note="", start=False)
        self._started = False

    def __enter__(self) -> Self:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._live:
            self._progress.stop()

    def update(self, *, done: int, total: int, events: int, note: str = "") -> None:
        """Where the work stands now. The first call sets where it began."""
        if not self._live:
            return
        if not self._started:
            self._progress.start_task(self._task)
            self._started = True
        self._progress.update(self._task, completed=max(done, 0), total=max(total, done, 1), events=events, note=note)
