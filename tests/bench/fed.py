"""The feed in a process of its own, for as long as a measurement needs it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tests.shared import ROOT


class Feed(Struct, frozen=True):
    """A running feed."""

    url: str
    frames: int  # length of its chain
    mean_bytes: float  # of its frames, about


@contextmanager
def fed(blocks: Sequence[bytes], count: int, *, store: bool) -> Iterator[Feed]:
    """Serves a chain of ``count`` blocks made of the given ones."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
        file = Path(folder) / "blocks"
        file.write_bytes(b"\n".join(blocks))
        command = [sys.executable, "-m", "tests.bench.feed", str(file), "--count", str(count)]
        with subprocess.Popen(command + ["--store"] * store, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                assert process.stdout is not None
                port = process.stdout.readline().strip()
                assert port, "the feed did not start"
                mean = sum(map(len, blocks)) / len(blocks)
                yield Feed(f"ws://127.0.0.1:{port}", count, mean)
            finally:
                process.kill()
