"""Log URLs: how a user names a log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from indexer.errors import ConfigurationError
from indexer.log.kafka_settings import place_from_url, read_kafka_settings
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog

EXAMPLE: Final = "write sqlite:PATH, such as sqlite:events.db, or kafka://HOST:PORT/NETWORK"


def open_log(url: str, kafka: Mapping[str, Any] | None = None) -> Log:
    """The log that a URL names. Touches nothing: the log need not exist. Raises ConfigurationError.

    ``kafka`` holds the settings of Kafka's clients, by Kafka's names: ``kafka_settings.KafkaSettings``.
    """
    scheme, colon, rest = url.partition(":")
    match scheme:
        case "sqlite" if colon:
            # "sqlite:///x" is what other tools write for the absolute path /x.
            path = rest.removeprefix("//") if rest.startswith("///") else rest
            if not path or path.startswith("//"):
                raise ConfigurationError(f"the log {url!r} names no file: {EXAMPLE}")
            return SqliteLog(Path(path))
        case "kafka" if colon:
            # Imported when asked for: the client takes a tenth of a second, and most logs are files.
            from indexer.log.kafka import KafkaLog  # noqa: PLC0415

            return KafkaLog(place_from_url(url), read_kafka_settings(kafka or {}))
        case _:
            raise ConfigurationError(f"{url!r} is not a log: {EXAMPLE}")
