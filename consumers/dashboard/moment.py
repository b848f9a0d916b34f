"""The moment that a page or an answer speaks of: now, or a slot of the chain's past, or a moment of knowledge."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from consumers.queries.model import BadParameter
from consumers.queries.model import Moment as Asked
from consumers.timeline import Finality

PARAMETERS: Final = ("as_of_slot", "as_of_step", "known_at")
GREATEST: Final = 2**63 - 1  # PostgreSQL's bigint


class Moment(Struct, frozen=True, kw_only=True):
    """What was asked for. All None: now.

    ``as_of_slot``: up to this slot of the chain, as if nothing had come after it. ``as_of_step``: with what was known
    after this step of the log. ``known_at``: with what the tables held then; the server turns it into a step.
    """

    as_of_slot: int | None = None
    as_of_step: int | None = None
    known_at: datetime | None = None

    @property
    def is_now(self) -> bool:
        return self.as_of_slot is None and self.as_of_step is None and self.known_at is None

    def parameters(self) -> dict[str, str]:
        """As they stand in an address."""
        said = {name: getattr(self, name) for name in PARAMETERS}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in said.items()
            if value is not None
        }

    def link(self, path: str, /, **more: str) -> str:
        """An address that keeps this moment."""
        query = urlencode(more | self.parameters())
        return f"{path}?{query}" if query else path


def asked_at(moment: Moment, finality: Finality = "pending") -> Asked:
    """The moment as queries, and the record of what was asked, have it."""
    known_at: int | datetime | None = moment.known_at if moment.as_of_step is None else moment.as_of_step
    return Asked(as_of_slot=moment.as_of_slot, known_at=known_at, finality=finality)


NOW: Final = Moment()


def read_moment(parameters: Mapping[str, str]) -> Moment:
    """The moment in an address; empty parameters, as a form sends them, are none. Raises BadParameter."""
    given = {name: parameters[name].strip() for name in PARAMETERS if parameters.get(name, "").strip()}
    if "as_of_step" in given and "known_at" in given:
        raise BadParameter("known_at", "as_of_step says what was known, too: give one of them")
    return Moment(
        as_of_slot=_number("as_of_slot", given.get("as_of_slot")),
        as_of_step=_number("as_of_step", given.get("as_of_step")),
        known_at=_time("known_at", given.get("known_at")),
    )


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > GREATEST:
        raise BadParameter(name, f"{text[:40]!r} is no whole number from 0, such as {name}=1000")
    return int(text)


def _time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadParameter(
            name, f"{text[:40]!r} is no time as RFC 3339 has it, such as {name}=2026-05-03T14:02:00Z"
        ) from None
    # A form's field for a time has no zone: pages speak UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
