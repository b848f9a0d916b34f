"""Where the encoded blocks lie: one temporary file, gone with the process. Memory holds offsets only."""

import os
import tempfile
import weakref
from array import array


class Spool:
    """An append-only file of byte strings, numbered from 0.

    Memory: 8 bytes a record. Disk: the records as they are, in the system's temporary folder (``TMPDIR``); the file has
    no name any more, so nothing is left behind, however the process ends.
    Appending and reading may happen in different threads; two appends at a time may not.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile(prefix="cellwitness-devnet-", buffering=0) as file:
            self._file = os.dup(file.fileno())
        # Chains come and go in tests by the dozen: whoever forgets one shall not keep its disk space.
        self._finish = weakref.finalize(self, os.close, self._file)
        self._ends = array("Q")
        self._buffer: list[bytes] = []
        self._flushed = 0  # bytes
        self._end = 0

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, record: bytes) -> int:
        """Keeps a record and returns its number."""
        self._buffer.append(record)
        self._end += len(record)
        self._ends.append(self._end)
        if self._end - self._flushed > 1 << 20:
            self._flush()
        return len(self._ends) - 1

    def _flush(self) -> None:
        data = memoryview(b"".join(self._buffer))
        while data:
            written = os.pwrite(self._file, data, self._flushed)
            self._flushed += written
            data = data[written:]
        self._buffer.clear()

    def read(self, numbers: list[int]) -> list[bytes]:
        """The records with these numbers. Neighbours are read in one go."""
        if self._flushed < self._end:
            self._flush()
        found: list[bytes] = []
        position = 0
        while position < len(numbers):
            last = position
            while last + 1 < len(numbers) and numbers[last + 1] == numbers[last] + 1:
                last += 1
            found += self._run(numbers[position], numbers[last])
            position = last + 1
        return found

    def _run(self, first: int, last: int) -> list[bytes]:
        start = self._start(first)
        data = os.pread(self._file, self._ends[last] - start, start)
        return [data[self._start(n) - start : self._ends[n] - start] for n in range(first, last + 1)]

    def _start(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def close(self) -> None:
        """Gives the disk space back."""
        self._finish()
