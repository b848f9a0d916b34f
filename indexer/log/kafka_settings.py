"""How a Kafka cluster is reached: addresses from the URL, the rest by settings named as Kafka's own."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from indexer.errors import ConfigurationError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

EXAMPLE: Final = "kafka://HOST:PORT/NETWORK, such as kafka://127.0.0.1:9092/preprod"
PREFIX: Final = "cellwitness"
_URL: Final = re.compile(r"kafka://(?P<servers>[^/]+)(?:/(?P<name>[A-Za-z0-9._-]*))?")
_SERVER: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")

REQUEST_SECONDS: Final = 10.0
BOOTSTRAP_SECONDS: Final = 15.0
METADATA_SECONDS: Final = REQUEST_SECONDS / 2
"""How old a client's knowledge of who leads a partition may be: less than a request lasts.

kafka-python asks for the ends of partitions again and again at a broker that no longer leads them, and learns of the
new leader only when its metadata grow old: with the default after five minutes, in which a follower stands still.
"""


def _dotted(name: str) -> str:
    return name.replace("_", ".")


class KafkaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_dotted):
    """What can be set of Kafka. In TOML a table ``[kafka]``; in the environment CELLWITNESS_KAFKA_SECURITY_PROTOCOL."""

    security_protocol: Protocol = "PLAINTEXT"
    sasl_mechanism: Mechanism = ""
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""  # PEM of who signed the brokers' certificates; empty: the system's
    ssl_certfile: str = ""  # PEM of our own certificate, where brokers ask for one
    ssl_keyfile: str = ""  # PEM of its key
    ssl_keypassword: str = ""
    ssl_check_hostname: bool = True
    replication_factor: int = 0  # of our topics: made with it, and required of them; 0: the brokers' default
    min_insync_replicas: int = 0  # the same

    def options(self) -> dict[str, Any]:
        """As kafka-python's clients take them."""
        chosen: dict[str, Any] = {
            "security_protocol": self.security_protocol,
            "request_timeout_ms": int(REQUEST_SECONDS * 1000),
            "metadata_max_age_ms": int(METADATA_SECONDS * 1000),
            "bootstrap_timeout_ms": int(BOOTSTRAP_SECONDS * 1000),
            "reconnect_backoff_max_ms": 1_000,
        }
        if self.security_protocol.startswith("SASL"):
            chosen |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            chosen |= {
                "ssl_check_hostname": self.ssl_check_hostname,
                "ssl_cafile": self.ssl_cafile or None,
                "ssl_certfile": self.ssl_certfile or None,
                "ssl_keyfile": self.ssl_keyfile or None,
                "ssl_password": self.ssl_keypassword or None,
            }
        return chosen


class KafkaPlace(Struct, frozen=True):
    """Where a log is: brokers, and the topics' name without its end. No name: the only log that the brokers have."""

    servers: tuple[str, ...]
    name: str

    @property
    def url(self) -> str:
        return f"kafka://{','.join(self.servers)}" + (f"/{self.name.removeprefix(PREFIX + '.')}" if self.name else "")


def place_from_url(url: str) -> KafkaPlace:
    """``kafka://HOST:PORT[,HOST:PORT…][/NETWORK]``. A name with a dot is taken as it is. Raises ConfigurationError."""
    found = _URL.fullmatch(url)
    servers = tuple(found["servers"].split(",")) if found else ()
    if found is None or not all(_SERVER.fullmatch(server) for server in servers):
        raise ConfigurationError(f"the log {url!r} is not an address on Kafka: write {EXAMPLE}")
    name = found["name"] or ""
    return KafkaPlace(servers, name if not name or "." in name else f"{PREFIX}.{name}")


def read_kafka_settings(values: Mapping[str, Any]) -> KafkaSettings:
    """Settings by their dotted names. Raises ConfigurationError that names the one to mend."""
    try:
        settings = msgspec.convert(dict(values), KafkaSettings, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(_dotted(name) for name in KafkaSettings.__struct_fields__)
        raise ConfigurationError(
            f"a setting of [kafka] is not what it should be: {error}. Known are {known}"
        ) from error
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        file = getattr(settings, name)
        if file and not Path(file).is_file():
            raise ConfigurationError(f"[kafka] {_dotted(name)} = {file!r}: there is no such file")
    if settings.security_protocol.startswith("SASL"):
        if not settings.sasl_mechanism:
            mechanisms = ", ".join(each for each in get_args(Mechanism) if each)
            raise ConfigurationError(f"[kafka] {settings.security_protocol} asks for sasl.mechanism: {mechanisms}")
        if not settings.sasl_username:
            raise ConfigurationError(f"[kafka] {settings.sasl_mechanism} asks for sasl.username and sasl.password")
    return settings
