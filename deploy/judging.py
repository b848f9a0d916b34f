"""Profiles and thresholds from files: what verdicts are made by."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from deploy.profiles import read_profile
from indexer.errors import ConfigurationError
from indexer.protocol.profile import check_profiles
from projections.judging import Judging
from projections.rules.thresholds import ThresholdBook, load_thresholds


def judging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--profile`` and ``--thresholds``, the same for each command that writes verdicts."""
    command = click.option(
        "--thresholds",
        metavar="FILE",
        help="Thresholds of the rules by deployment and model, TOML: see docs/rules.md.",
    )(command)
    return click.option(
        "--profile",
        multiple=True,
        metavar="FILE",
        help="The deployment profiles that `follow` was given: readings are judged by them. Without: no verdicts.",
    )(command)


def read_judging(profiles: tuple[str, ...], thresholds: str | None) -> Judging | None:
    """None without a profile: nothing is judged then. Raises ConfigurationError that names the file."""
    if not profiles:
        if thresholds:
            raise ConfigurationError("thresholds judge nothing without a profile: give --profile FILE, too")
        return None
    read = [read_profile(Path(file)) for file in profiles]
    check_profiles(read)
    return Judging({profile.name: profile for profile in read}, read_thresholds(thresholds))


def read_thresholds(file: str | None) -> ThresholdBook:
    """The defaults without a file."""
    if not file:
        return ThresholdBook()
    try:
        return load_thresholds(Path(file).read_text(), file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"can't read the thresholds {file}: {error}") from error
