"""Deployment profiles from files."""

from pathlib import Path

from indexer.errors import ConfigurationError
from indexer.protocol.profile import Profile, load_profile


def read_profile(file: Path) -> Profile:
    """A profile from a file. Raises ConfigurationError."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"can't read the profile {file}: {error}") from error
    return load_profile(text, str(file))
