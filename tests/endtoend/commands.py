"""The command line in this process: as quick as a function, through the same door as the real one."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
import structlog
from msgspec import Struct

from deploy.cli import cli, main
from tests.endtoend.processes import run as run_command


class Said(Struct, frozen=True):
    code: int
    out: str
    errors: str


class CommandLine:
    """Runs ``cellwitness`` in a folder, without any setting of the developer's own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._capture = folder, patch, capture
        patch.chdir(folder)

    def process(self, *arguments: str) -> Said:
        """In a process of its own: for what logs or takes signals, which lasts as long as its process."""
        done = run_command(self.folder, *arguments)
        return Said(done.returncode, done.stdout, done.stderr)

    def __call__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Said:
        self._capture.readouterr()
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["cellwitness", *arguments])
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            try:
                main()
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0
            finally:
                structlog.reset_defaults()  # its logger holds on to a standard error that is gone after the test
        out, errors = self._capture.readouterr()
        return Said(code, out, errors)


def every_command(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command and group, the program's name left out."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_command(found, (*path, name))
