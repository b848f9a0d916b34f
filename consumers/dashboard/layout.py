"""The frame that every page stands in: head, navigation, what moment the page shows, and how fresh it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from msgspec import Struct

from consumers.dashboard.assets import Assets
from consumers.dashboard.charts.scale import number
from consumers.dashboard.freshness import Freshness
from consumers.dashboard.moment import Moment
from consumers.dashboard.words import duration, short, utc
from consumers.telling import claimed
from consumers.timeline import Holds
from projections.database import Connection

Section = Literal["fleet", "alerts", "batteries", "queries", "system", "access"]

NAVIGATION: Final[tuple[tuple[Section, str, str], ...]] = (
    ("fleet", "/", "Fleet"),
    ("alerts", "/alerts", "Alerts"),
    ("batteries", "/batteries", "Batteries"),
    ("queries", "/queries", "Queries"),
    ("system", "/system", "System"),
)


class Page(Struct, frozen=True, kw_only=True):
    """What a page says, without its frame."""

    title: str
    section: Section
    body: Markup  # goes into <main>; begins with an <h1>
    scripts: tuple[str, ...] = ()  # of static/, loaded as modules after the page
    styles: tuple[str, ...] = ()  # of static/, beside dashboard.css


class Viewer(Struct, frozen=True, kw_only=True):
    """Who looks, as far as a page needs it."""

    name: str
    role: str
    profile: str
    legal_basis: str
    csrf: str  # goes into each form that changes something, as the field `csrf`
    may_act: bool  # on alerts
    can_leave: bool  # there is somebody to log out
    demo: bool = False


class Frame(Struct, frozen=True, kw_only=True):
    """All that the frame shows around a page."""

    viewer: Viewer
    moment: Moment
    holds: Holds
    freshness: Freshness
    path: str  # of this page, without its moment
    query: Sequence[tuple[str, str]] = ()  # the page's own parameters, without its moment


class Layout:
    """The templates, compiled once. All that is shown is escaped, unless it is Markup."""

    def __init__(self, assets: Assets) -> None:
        self.environment: Final = Environment(
            loader=PackageLoader("consumers.dashboard"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals |= {"asset": assets.url, "has_asset": assets.has, "navigation": NAVIGATION}
        self.environment.filters |= {
            "utc": utc,
            "number": number,
            "duration": duration,
            "short": short,
            "claimed": claimed,
        }

    def page(self, page: Page, frame: Frame) -> str:
        """The whole document."""
        return self.environment.get_template("layout.html").render(page=page, frame=frame)

    def part(self, template: str, **values: Any) -> Markup:
        """One template's output, to stand in a page."""
        return Markup(self.environment.get_template(template).render(**values))  # noqa: S704 - escaped by the template


PageMaker = Callable[[Layout, Connection, Moment, Mapping[str, str], Viewer], Page]
"""Makes a page of what it was asked for: the parameters of its address and of its query, at a moment."""
