"""Work done in a thread beside the caller's, in the order in which it was handed over."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

Done = TypeVar("Done")


class InTurn(Generic[Done]):
    """Does one thing at a time, and none after one that failed. At the end of the block nothing is under way.

    ``beside`` False: each is done at once, by the caller. A thread costs 0.1 ms, which little work is not worth.
    """

    def __init__(self, *, beside: bool) -> None:
        self._thread: Final = ThreadPoolExecutor(1, "writer") if beside else None
        self._handed_over: Final[list[Future[Done]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def then(self, work: Callable[[], Done]) -> None:
        """Hands over the next thing to do. Raises the error of one before it that failed."""
        if self._thread is None:
            done: Future[Done] = Future()
            done.set_result(work())
        else:
            self._raise_failed()
            done = self._thread.submit(self._unless_failed, work)
        self._handed_over.append(done)

    def results(self) -> list[Done]:
        """Waits for all, and returns what each gave. Raises the first error."""
        return [each.result() for each in self._handed_over]

    def _unless_failed(self, work: Callable[[], Done]) -> Done:
        self._raise_failed()
        return work()

    def _raise_failed(self) -> None:
        for each in self._handed_over:
            if each.done():
                each.result()
