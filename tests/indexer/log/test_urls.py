from pathlib import Path

import pytest

from indexer.errors import ConfigurationError
from indexer.log.sqlite import SqliteLog
from indexer.log.urls import open_log


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:events.db", "events.db"),
        ("sqlite:../a b/events.db", "../a b/events.db"),
        ("sqlite:/var/lib/events.db", "/var/lib/events.db"),
        ("sqlite:///var/lib/events.db", "/var/lib/events.db"),
    ],
)
def test_a_sqlite_url_names_a_file_and_touches_nothing(url: str, path: str) -> None:
    log = open_log(url)
    assert isinstance(log, SqliteLog)
    assert log.path == Path(path)


@pytest.mark.parametrize("url", ["", "events.db", "sqlite", "sqlite:", "sqlite://host/events.db", "postgresql://x/y"])
def test_anything_else_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:PATH"):
        open_log(url)


def test_kafka_is_said_to_come_later() -> None:
    with pytest.raises(ConfigurationError, match="Kafka"):
        open_log("kafka://localhost:9092")
