"""Log URLs: how a user names a log."""

from pathlib import Path

from indexer.errors import ConfigurationError
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog

EXAMPLE = "write sqlite:PATH, such as sqlite:events.db"


def open_log(url: str) -> Log:
    """The log that a URL names. Touches nothing: the log need not exist. Raises ConfigurationError."""
    scheme, colon, rest = url.partition(":")
    match scheme:
        case "sqlite" if colon:
            # "sqlite:///x" is what other tools write for the absolute path /x.
            path = rest.removeprefix("//") if rest.startswith("///") else rest
            if not path or path.startswith("//"):
                raise ConfigurationError(f"the log {url!r} names no file: {EXAMPLE}")
            return SqliteLog(Path(path))
        case "kafka" if colon:
            raise ConfigurationError(f"the log {url!r} is on Kafka, which this version can't use yet: {EXAMPLE}")
        case _:
            raise ConfigurationError(f"{url!r} is not a log: {EXAMPLE}")
