"""Settings: one frozen struct, read once from a TOML file and the environment. Flags of a command win over both."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from indexer.errors import ConfigurationError

DEFAULT_FILE: Final = Path("cellwitness.toml")
PREFIX: Final = "CELLWITNESS_"
_OF_KUBERNETES: Final = (f"{PREFIX}PORT", f"{PREFIX}SERVICE_")
"""What Kubernetes puts into each container beside a Service named cellwitness: nobody's setting."""
EMBEDDED: Final = "embedded"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. In the environment: ``CELLWITNESS_`` and the name in capitals, lists with commas."""

    ogmios: tuple[str, ...] = ("ws://127.0.0.1:1337",)  # endpoints in order of preference
    profile: tuple[str, ...] = ()  # deployment profiles, TOML files: what is followed, and judged by
    thresholds: str = ""  # of the rules, a TOML file: docs/rules.md; empty: the defaults
    log: str = "sqlite:events.db"  # the event log: sqlite:PATH or kafka://HOST:PORT/NETWORK
    kafka: dict[str, str | int | bool] = {}  # of Kafka's clients, by Kafka's names: indexer/log/kafka_settings.py
    db: str = EMBEDDED  # PostgreSQL: postgresql://…, or a server of our own under data_dir
    data_dir: str = ".cellwitness"  # where the embedded PostgreSQL lives
    standby: bool = False  # of the follower: wait while another one writes
    since: str = "origin"  # where a new log begins: origin, or SLOT.ID of a block
    partitions: int = 12  # of a new log, fixed for its life
    in_flight: int = 100  # nextBlock requests on their way
    http: str = ""  # the follower's HOST:PORT for /metrics, /health/live and /health/ready; empty: none
    follower: tuple[str, ...] = ()  # where `serve` asks followers for their nodes: http://HOST:PORT of each one's http
    project_http: str = ""  # the worker's: both run on one machine, and a port has room for one
    routes: str = "alerting.toml"  # of alerts to people and programs, a TOML file: docs/alerting.md
    alert_http: str = ""  # the alerter's
    log_level: str = "info"


def read_settings(file: Path | None, environment: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """The settings, and where each one that is not the default came from. Raises ConfigurationError."""
    chosen = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if chosen is not None:
        for key, value in _table(chosen).items():
            values[_known(key, str(chosen))] = value
            origins[key] = str(chosen)
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable == f"{PREFIX}CONFIG" or variable.startswith(_OF_KUBERNETES):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name.startswith("kafka_"):
            setting = name.removeprefix("kafka_").replace("_", ".")
            values["kafka"] = _flat(values.get("kafka", {})) | {setting: text}
            origins["kafka"] = f"{origins['kafka']}, {variable}" if "kafka" in origins else variable
            continue
        key = _known(name, "the environment")
        is_list = key in ("ogmios", "profile", "follower")
        values[key] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
        origins[key] = variable
    if "kafka" in values:
        values["kafka"] = _flat(values["kafka"])
    try:
        return msgspec.convert(values, Settings, strict=False), origins
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"a setting is not what it should be: {error}") from error


def _flat(table: Any) -> Any:
    """``security.protocol = "SSL"`` is a table in a table to TOML, and one name with a dot to Kafka."""
    if not isinstance(table, dict):
        return table
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": each for inner, each in _flat(value).items()}
        else:
            flat[key] = value
    return flat


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"can't read the settings in {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{file} holds no settings: its values are nested too deep") from error


def _known(key: str, where: str) -> str:
    names = Settings.__struct_fields__
    if key in names:
        return key
    near = difflib.get_close_matches(key, names, 1)
    hint = f": did you mean {near[0]!r}?" if near else f". Known are {', '.join(names)}"
    raise ConfigurationError(f"{where} sets {key!r}, which is no setting{hint}")


def shown(settings: Settings) -> dict[str, Any]:
    """The settings for people and logs, without passwords."""
    plain = msgspec.to_builtins(settings)
    for name in plain["kafka"]:
        if "password" in name:
            plain["kafka"][name] = "…"
    return {
        key: [without_password(v) for v in value] if isinstance(value, list | tuple) else without_password(value)
        for key, value in plain.items()
    }


def without_password(value: object) -> object:
    """An address with its password, and any query that could hold one, cut out."""
    if not isinstance(value, str):
        return value
    if "://" not in value:
        return _PASSWORD_WORD.sub("password=…", value)  # as libpq's other form has it, which we refuse elsewhere
    parts = urlsplit(value)
    if "@" in parts.path:  # a password with a slash in it, not written %2F: nobody can tell where it ends
        return f"{parts.scheme}://…"
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}:…@" if parts.password else f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{host}{parts.path}" + ("?…" if parts.query else "")


_PASSWORD_WORD: Final = re.compile(r"password\s*=\s*('[^']*'?|\S+)", re.IGNORECASE)


def default_map(settings: Settings, origins: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What click takes where a flag is not given: only what somebody set, so that each command's own default shows."""
    plain = msgspec.to_builtins(settings)
    given = {_PARAMETERS.get(key, key): plain[key] for key in origins if key != "kafka"}
    flat: dict[str, Any] = dict.fromkeys(
        ("follow", "status", "timeline", "serve", "up", "verify", "judge", "backup", "restore"), given
    )
    # The follower's address is taken by the follower; how many partitions a new log gets is no choice among them.
    of_tables = {key: value for key, value in given.items() if key not in ("http", "partitions")}
    flat["project"], flat["rebuild"] = dict(of_tables), of_tables
    if "project_http" in given:
        flat["project"]["http"] = given["project_http"]
    flat["log"] = dict.fromkeys(("verify", "tail", "show", "canonical"), given)
    of_alerter = {key: value for key, value in given.items() if key != "http"}
    if "alert_http" in given:
        of_alerter["http"] = given["alert_http"]
    flat["alert"] = of_alerter | dict.fromkeys(("ls", "retry", "drop"), given)
    flat["alerts"] = dict.fromkeys(("ls", "show", "ack", "note", "close"), given)
    flat["fleet"] = {"judge": given}
    flat["token"] = dict.fromkeys(("new", "ls", "revoke"), given)
    flat["query"] = {"run": given}
    flat["audit"] = dict.fromkeys(("query", "questions", "export", "statement", "replay"), given)
    flat["parked"] = dict.fromkeys(("ls", "show", "retry"), given)
    flat["db"] = dict.fromkeys(("start", "stop", "status", "url", "roles"), given)
    return flat


_PARAMETERS: Final = {"log": "log_url", "db": "db_url"}  # a flag's name in Python, where it is another


def from_process(file: Path | None) -> tuple[Settings, dict[str, str]]:
    """The settings of this process: read once, at start."""
    return read_settings(file, os.environ)
