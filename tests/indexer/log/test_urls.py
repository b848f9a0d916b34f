from pathlib import Path

import pytest

from indexer.errors import ConfigurationError
from indexer.log.kafka import KafkaLog
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


@pytest.mark.parametrize(
    ("url", "servers", "name"),
    [
        ("kafka://localhost:9092/preprod", ("localhost:9092",), "cellwitness.preprod"),
        ("kafka://a.example:9092,b.example:9093/mainnet", ("a.example:9092", "b.example:9093"), "cellwitness.mainnet"),
        ("kafka://[::1]:9092/preview", ("[::1]:9092",), "cellwitness.preview"),
        ("kafka://localhost:9092/second.preprod", ("localhost:9092",), "second.preprod"),
        ("kafka://localhost:9092", ("localhost:9092",), ""),
        ("kafka://localhost:9092/", ("localhost:9092",), ""),
    ],
)
def test_a_kafka_url_names_brokers_and_topics_and_touches_nothing(
    url: str, servers: tuple[str, ...], name: str
) -> None:
    log = open_log(url)
    assert isinstance(log, KafkaLog)
    assert (log.place.servers, log.place.name) == (servers, name)


@pytest.mark.parametrize(
    "url", ["kafka:", "kafka://", "kafka://host/x", "kafka://h:1,/x", "kafka://h:1/a/b", "kafka:h:1"]
)
def test_an_address_that_is_none_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match="kafka://HOST:PORT/NETWORK"):
        open_log(url)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"security.protocol": "TLS"}, "security.protocol"),
        ({"ssl.truststore.location": "x"}, "ssl.truststore.location"),
        ({"ssl.cafile": "no/such/file.pem"}, "no such file"),
        ({"security.protocol": "SASL_SSL"}, "sasl.mechanism"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}, "sasl.username"),
    ],
)
def test_a_setting_of_kafka_that_can_not_be_used_is_named(settings: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        open_log("kafka://localhost:9092/preprod", settings)
