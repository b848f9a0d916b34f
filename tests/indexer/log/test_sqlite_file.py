from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

from indexer.errors import CellwitnessError
from indexer.log.sqlite_file import open_to_read, open_to_write

ROUNDS = 30  # before it was one snapshot, two of three failed


def test_a_reader_that_comes_while_the_file_is_laid_out_sees_no_log_or_a_whole_one(tmp_path: Path) -> None:
    failed: list[CellwitnessError] = []

    def read(path: Path, over: Event) -> None:
        while not over.is_set():
            try:
                connection = open_to_read(path)
            except CellwitnessError as error:
                failed.append(error)
                return
            if connection is not None:
                connection.close()
                return

    for number in range(ROUNDS):
        path = tmp_path / f"{number}.db"
        with ExitStack() as readers:
            over = Event()
            for _ in range(3):
                reader = Thread(target=read, args=(path, over))
                reader.start()
                readers.callback(reader.join)
            readers.callback(over.set)
            open_to_write(path).close()
    assert not failed
