"""Profiles and thresholds from files: what verdicts are made by."""

from pathlib import Path

from deploy.profiles import read_profile
from indexer.errors import ConfigurationError
from indexer.protocol.profile import check_profiles
from projections.judging import Judging
from projections.rules.thresholds import ThresholdBook, load_thresholds


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
