"""The list of batteries: what every mark of the fleet's page leads to, with what was asked in words."""

import itertools
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from consumers.batteries import PAGE, Batteries, Listed, Wanted, list_batteries
from consumers.dashboard.api import where
from consumers.dashboard.charts.scale import Scale, number, scale_of
from consumers.dashboard.charts.spark import sparkline
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.fleet import SILENCES
from consumers.dashboard.pages.links import batteries_link, battery_link
from consumers.dashboard.problems import Refused
from projections.database import Connection
from projections.rules.catalogue import RULES

_NUMBERS: Final = ("read_from", "read_to", "cycles_from", "cycles_to")
_KNOWN: Final = ("model", "passport", "q", "rule", "severity", "silent", *_NUMBERS, "verdict", "result", "worth")


def batteries(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    del viewer
    asked = {name: query[name].strip() for name in _KNOWN if query.get(name, "").strip()}
    wanted = read_wanted(asked)
    page = query.get("page") or "0"
    if not (page.isascii() and page.isdecimal() and len(page) < 6):
        raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", "page is a number from 0", parameter="page")
    step, _ = where(connection, moment)
    found = list_batteries(connection, wanted, step, as_of_slot=moment.as_of_slot, offset=int(page) * PAGE)
    return batteries_page(layout, found, asked, int(page), moment)


def read_wanted(asked: Mapping[str, str]) -> Wanted:
    """Raises Refused for what can't be."""
    words = ("model", "rule", "severity", "verdict", "result", "worth")
    said: dict[str, Any] = {name: asked[name] for name in words if name in asked}
    for name in _NUMBERS:
        if name in asked:
            text = asked[name]
            if not (text.isascii() and text.isdecimal() and len(text) < 19):
                raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", f"{name} is a whole number", parameter=name)
            said[name] = int(text)
    if "silent" in asked:
        bounds = [0, *(days for days, _ in SILENCES)]
        spans = {str(most): (least, most) for least, most in itertools.pairwise(bounds)}
        if asked["silent"] != "never" and asked["silent"] not in spans:
            good = ", ".join((*spans, "never"))
            raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", f"silent is one of {good}", parameter="silent")
        said |= {"never": True} if asked["silent"] == "never" else {"silent_days": spans[asked["silent"]]}
    if ("verdict" in asked) != ("result" in asked):
        raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", "verdict and result go together", parameter="verdict")
    try:
        return msgspec.convert(said | {"search": asked.get("q"), "no_passport": asked.get("passport") == "no"}, Wanted)
    except msgspec.ValidationError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", f"this can't be asked: {error}") from error


def batteries_page(layout: Layout, found: Batteries, asked: Mapping[str, str], page: int, moment: Moment) -> Page:
    """The whole page."""
    values = sorted(value for each in found.batteries for value in each.course)
    cut = len(values) // 100  # a spike must not flatten all the others
    soh = scale_of(values[cut : len(values) - cut], least_span=500.0)
    body = layout.part(
        "batteries.html",
        found=found,
        moment=moment,
        rows=[(each, _link(each, moment), _course(each, soh)) for each in found.batteries],
        words=list(_words(asked)),
        asked=asked,
        kept={name: value for name, value in {**asked, **moment.parameters()}.items() if name != "q"},
        everything=batteries_link(moment),
        first=page * PAGE + 1,
        before_href=batteries_link(moment, **asked, page=str(page - 1) if page > 1 else "") if page else None,
        next_href=batteries_link(moment, **asked, page=str(page + 1)) if found.total > (page + 1) * PAGE else None,
    )
    return Page(title="Batteries", section="batteries", body=body)


def _link(each: Listed, moment: Moment) -> str:
    return battery_link(moment, each.deployment, each.battery_key)


def _course(each: Listed, soh: Scale) -> Any:
    if len(each.course) < 2:
        return ""
    first, last = each.course[0] / 100, each.course[-1] / 100
    return sparkline(each.course, soh, f"from {first:.1f} to {last:.1f} % in {len(each.course)} readings")


def _words(asked: Mapping[str, str]) -> Iterator[str]:
    """What was asked, a sentence's part each."""
    if "model" in asked:
        yield f"of model {asked['model']}"
    if asked.get("passport") == "no":
        yield "without a passport"
    if "q" in asked:
        yield f"like “{asked['q']}”"
    if "severity" in asked:
        yield f"with findings of severity {asked['severity']}"
    if "rule" in asked:
        rule = RULES.get(asked["rule"])
        yield f"with a finding of {asked['rule']}{f' {rule.name}' if rule else ''}"
    if "silent" in asked:
        silent = asked["silent"]
        yield "never read" if silent == "never" else f"last read { {str(d): w for d, w in SILENCES}[silent] }"
    if "cycles_from" in asked or "cycles_to" in asked:
        yield f"with a reading at {asked.get('cycles_from', '0')} to {asked.get('cycles_to', 'any number of')} cycles"
    if "read_from" in asked or "read_to" in asked:
        spans = [number(int(asked[name])) if name in asked else "…" for name in ("read_from", "read_to")]
        yield f"read in slots {spans[0]} to {spans[1]}"
    if "verdict" in asked:
        yield f"with a reading whose {asked['verdict']} verdict is {asked['result'].replace('_', ' ')}"
    if "worth" in asked:
        yield {"rejected": "with a rejected reading", "failed": "with a failed reading"}.get(
            asked["worth"], "with a reading that passed"
        )
