"""Parameters as people write them, made into what SQL is bound to. Nothing of them ever becomes part of the SQL."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final

from consumers.queries.model import BadParameter, Parameter, Query

TEXT_CHARACTERS: Final = 1_000
HEX_BYTES: Final = 64
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def check_parameters(query: Query, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of the query, with its value or default. Texts are taken as people type them.

    Raises BadParameter that names the parameter and says what to give.
    """
    known = {each.name: each for each in query.parameters}
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            raise BadParameter(name[:80], f"the query {query.name} has no such parameter; {hint}")
    return {name: _value(each, given.get(name)) for name, each in known.items()}


def _value(parameter: Parameter, given: Any) -> Any:
    if given is None or (isinstance(given, str) and not given.strip()):
        if parameter.required:
            raise BadParameter(parameter.name, f"missing: give {parameter.meaning}")
        return parameter.default
    match parameter.kind:
        case "integer" | "step":
            return _within(parameter, _integer(parameter, given))
        case "number":
            return _within(parameter, _number(parameter, given))
        case "boolean":
            return _boolean(parameter, given)
        case "hex":
            return _hex(parameter, given)
        case "choice":
            return _choice(parameter, str(given).strip())
        case "text" | "battery":
            return _text(parameter, given)


def _integer(parameter: Parameter, given: Any) -> int:
    if type(given) is int and abs(given) < 1 << 62:
        return given
    if isinstance(given, str) and _WHOLE.fullmatch(given.strip()):
        return int(given.strip())
    raise BadParameter(parameter.name, f"{_shown(given)} is no whole number; {_range(parameter)}")


def _number(parameter: Parameter, given: Any) -> Decimal:
    try:
        number = Decimal(str(given).strip()) if not isinstance(given, bool) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(str(given)) > 40:
        raise BadParameter(parameter.name, f"{_shown(given)} is no number; {_range(parameter)}")
    return number


def _within(parameter: Parameter, value: Any) -> Any:
    if (parameter.least is not None and value < parameter.least) or (
        parameter.greatest is not None and value > parameter.greatest
    ):
        raise BadParameter(parameter.name, f"{_shown(value)} is out of range; {_range(parameter)}")
    return value


def _boolean(parameter: Parameter, given: Any) -> bool:
    found = given if isinstance(given, bool) else _TRUTH.get(str(given).strip().lower())
    if found is None:
        raise BadParameter(parameter.name, f"{_shown(given)} is neither; write yes or no")
    return found


def _hex(parameter: Parameter, given: Any) -> bytes:
    try:
        found = bytes(given) if isinstance(given, bytes) else bytes.fromhex(str(given).strip().removeprefix("0x"))
    except ValueError:
        found = b""
    if not 0 < len(found) <= HEX_BYTES:
        raise BadParameter(parameter.name, f"{_shown(given)} is no hex; write 2 to {2 * HEX_BYTES} hex digits")
    return found


def _choice(parameter: Parameter, given: str) -> str:
    if given in parameter.choices:
        return given
    raise BadParameter(parameter.name, f"{_shown(given)} is no choice; write one of {', '.join(parameter.choices)}")


def _text(parameter: Parameter, given: Any) -> str:
    text = str(given)
    if len(text) > TEXT_CHARACTERS:
        raise BadParameter(parameter.name, f"{len(text)} characters are too many; write at most {TEXT_CHARACTERS}")
    if parameter.kind == "text" and ("\0" in text or any(0xD800 <= ord(each) < 0xE000 for each in text)):
        raise BadParameter(parameter.name, "it holds NUL or half a surrogate pair, which no name in the tables does")
    return text


def _range(parameter: Parameter) -> str:
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.least is None:
        return "write a number"
    if parameter.greatest is None:
        return f"write {parameter.least} or more{unit}"
    return f"write {parameter.least} to {parameter.greatest}{unit}"


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 80 else f"{text[:77]}…"
