"""The file of routes and sinks: read, checked, and its secrets fetched from where it says they are."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from consumers.alerting.notices import Routing, Sink
from consumers.alerting.routes import Quiet, Route, Throttle
from consumers.alerting.sinks import KINDS, AnySink, check_sink, envelope_of, kind_of
from indexer.errors import ConfigurationError
from projections.rules.catalogue import RULES

SECRETS: Final = ("url", "secret", "password", "token")
"""Keys that may be given as KEY_file or KEY_env; of these only url may stand in the file itself."""

Table = TypeVar("Table", bound=Struct)


class Alerting(Struct, frozen=True, kw_only=True):
    """What the file says, secrets in place. Never printed."""

    routes: dict[str, Route]
    sinks: dict[str, AnySink]
    link: str | None = None

    def routing(self) -> Routing:
        """What the plan needs of it: no address and no secret."""
        sinks = {name: Sink(kind=kind_of(sink), envelope=envelope_of(sink)) for name, sink in self.sinks.items()}
        return Routing(routes=self.routes, sinks=sinks, link=self.link)


def read_alerting(file: Path, environment: Mapping[str, str] = os.environ) -> Alerting:
    """The file's routes and sinks. Raises ConfigurationError, which names the key and how to mend it."""
    try:
        table = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"can't read the routes in {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from error
    return _alerting(table, file, environment)


def _alerting(table: dict[str, Any], file: Path, environment: Mapping[str, str]) -> Alerting:
    _known(table, ("sinks", "routes", "link"), str(file))
    tables, listed = table.get("sinks", {}), table.get("routes", [])
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()) or not tables:
        raise ConfigurationError(f'{file} names no sink: begin one with [sinks.NAME] and kind = "webhook"')
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed) or not listed:
        raise ConfigurationError(f"{file} names no route: begin one with [[routes]] and name = …, sinks = […]")
    sinks = {name: _sink(each, f"{file}: sinks.{name}", environment) for name, each in tables.items()}
    routes: dict[str, Route] = {}
    for number, each in enumerate(listed):
        route = _route(each, f"{file}: routes[{number}]", sinks)
        if route.name in routes:
            raise ConfigurationError(f"{file}: routes[{number}].name: {route.name!r} is taken; give another")
        routes[route.name] = route
    link = table.get("link")
    if link is not None and not (isinstance(link, str) and link.startswith(("http://", "https://"))):
        raise ConfigurationError(f"{file}: link: write an address such as https://cellwitness.example/alerts/{{alert}}")
    return Alerting(routes=routes, sinks=sinks, link=link)


def _sink(table: dict[str, Any], where: str, environment: Mapping[str, str]) -> AnySink:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigurationError(f"{where}.kind: {kind!r} is no kind of sink: one of {', '.join(KINDS)}")
    form = KINDS[kind]
    names = {each.encode_name for each in msgspec.structs.fields(form)}
    secret = [name for name in SECRETS if name in names]
    _known(table, ("kind", *names, *(f"{name}_{way}" for name in secret for way in ("file", "env"))), where)
    given = {key: value for key, value in table.items() if key in names or key == "kind"}
    for name in secret:
        value = _fetched(table, name, where, environment)
        if value is not None:
            given[name] = value
    sink: AnySink = _converted(given, form, where)
    check_sink(sink, where)
    return sink


def _fetched(table: dict[str, Any], name: str, where: str, environment: Mapping[str, str]) -> str | None:
    """A secret, from the file or the variable that the table names."""
    ways = [key for key in (name, f"{name}_file", f"{name}_env") if key in table]
    if len(ways) > 1:
        raise ConfigurationError(f"{where}: {' and '.join(ways)} say the same: keep one")
    if not ways:
        return None
    key, value = ways[0], table[ways[0]]
    if key == name:
        if name != "url":
            raise ConfigurationError(
                f"{where}.{name}: no secret may stand in this file: write {name}_file or {name}_env"
            )
        return str(value)
    if key.endswith("_env"):
        if value not in environment:
            raise ConfigurationError(f"{where}.{key}: the environment has no variable {value!r}: set it")
        found = environment[value]
    else:
        try:
            found = Path(value).read_text()
        except (OSError, UnicodeDecodeError, TypeError) as error:
            said = getattr(error, "strerror", None) or "it is no text"
            raise ConfigurationError(f"{where}.{key}: can't read {value!r}: {said}") from error
    if not found.strip():
        raise ConfigurationError(f"{where}.{key}: {value!r} is empty")
    return found.strip()


def _route(table: dict[str, Any], where: str, sinks: Mapping[str, AnySink]) -> Route:
    _known(table, tuple(each.encode_name for each in msgspec.structs.fields(Route)), where)
    for key, form in (("quiet", Quiet), ("throttle", Throttle)):
        if isinstance(table.get(key), dict):
            _known(table[key], tuple(each.encode_name for each in msgspec.structs.fields(form)), f"{where}.{key}")
    route = _converted(table | ({"quiet": _clocks(table["quiet"])} if "quiet" in table else {}), Route, where)
    if not route.name or not route.name.isprintable():
        raise ConfigurationError(f'{where}.name: give it a name, such as "night shift"')
    if not route.sinks:
        raise ConfigurationError(f"{where}.sinks: name at least one of {', '.join(sinks)}")
    for sink in route.sinks:
        if sink not in sinks:
            raise ConfigurationError(f"{where}.sinks: there is no sink {sink!r}{_hint(sink, tuple(sinks))}")
    for rule in route.rule:
        if not any(mark in rule for mark in "*?[") and rule not in RULES:
            raise ConfigurationError(f"{where}.rule: there is no rule {rule!r}{_hint(rule, tuple(RULES))}")
    if route.since is not None and route.since.tzinfo is None:
        raise ConfigurationError(f"{where}.since: add the time zone, such as {route.since.isoformat()}Z")
    if route.group_seconds < 0:
        raise ConfigurationError(f"{where}.group_seconds: 0, or how long to gather")
    if route.throttle is not None and (route.throttle.messages < 1 or route.throttle.minutes <= 0):
        raise ConfigurationError(f"{where}.throttle: at least 1 message in more than 0 minutes")
    if route.quiet is not None:
        try:
            ZoneInfo(route.quiet.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigurationError(
                f"{where}.quiet.zone: {route.quiet.zone!r} is no time zone: write one such as Europe/Berlin"
            ) from error
    return route


def _converted(table: dict[str, Any], form: type[Table], where: str) -> Table:
    try:
        return msgspec.convert(table, form)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _known(table: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in names:
            raise ConfigurationError(f"{where}.{key} is no setting{_hint(key, names)}")


def _hint(key: str, names: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, names, 1)
    return f": did you mean {near[0]!r}?" if near else f". Known are {', '.join(names)}"


def _clocks(quiet: Any) -> Any:
    """``"22:00"`` as TOML's own 22:00:00."""
    if not isinstance(quiet, dict):
        return quiet
    return {k: f"{v}:00" if isinstance(v, str) and len(v) == len("22:00") else v for k, v in quiet.items()}
