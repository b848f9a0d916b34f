"""Groups whose commands are imported when they are asked for, and stand-ins for those whose extra is not installed."""

from importlib import import_module
from typing import Any, Final

import click

from indexer.errors import ConfigurationError

EXTRAS: Final = {
    **dict.fromkeys(("coincurve", "nacl", "pycardano", "uplc"), "devnet"),
    **dict.fromkeys(("ecdsa", "pycose", "typst"), "audit"),
}
"""Top-level modules that an extra brings, and which one."""


class LazyGroup(click.Group):
    """``lazy`` names each command's module and function: ``cellwitness timeline`` waits for no other's libraries."""

    def __init__(self, *args: Any, lazy: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in EXTRAS:
                raise
            return _without_extra(cmd_name, missing)
        assert isinstance(command, click.Command)
        return command


def _without_extra(name: str, module: str) -> click.Command:
    """Stands for a command whose libraries only the extra brings."""
    extra = EXTRAS[module]

    def refuse() -> None:
        raise ConfigurationError(
            f"`{name}` needs {module}: install cellwitness with its extra, `uv sync --extra {extra}`"
        )

    lenient = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=refuse, context_settings=lenient, help=f"Needs the extra `{extra}`.")
