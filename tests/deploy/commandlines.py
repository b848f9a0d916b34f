"""Command lines of cellwitness that stand in pages and in what is deployed: each must be one that the program takes."""

import re
import shlex
from collections.abc import Iterator, Sequence

import click

from deploy.cli import COMMANDS, cli

_IN_TEXT = re.compile(r"(?:`|^\s*|\$ )(cellwitness (?:[a-z-]+)[^`\n|]*)", re.MULTILINE)


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each command line in a page, the program's name and comments left out."""
    for found in _IN_TEXT.findall(text):
        words = shlex.split(found.partition(" #")[0].rstrip(" &"))
        # What a page says of a command (`cellwitness rebuild` and its like) has words alone, and is a line, too.
        yield words[1:]


def require_taken(words: Sequence[str]) -> None:
    """Raises click.UsageError for words that the program would refuse."""
    command: click.Command = cli
    context: click.Context | None = None
    name, left = "cellwitness", list(words)
    while True:
        context = command.make_context(name, list(left), parent=context, resilient_parsing=False)
        if not isinstance(command, click.Group):
            return
        left = [*context._protected_args, *context.args]
        if not left:
            if command.invoke_without_command:
                return
            raise click.UsageError(f"{name} alone does nothing", context)
        name, left = left[0], left[1:]
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"there is no command {name!r}", context)
        command = found


def is_here(words: Sequence[str]) -> bool:
    """Whether the command is part of this tree: a page may speak of one that is made beside it."""
    return bool(words) and words[0] in COMMANDS
