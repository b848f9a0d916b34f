"""Which page stands at which address."""

from typing import Final

from consumers.dashboard.pages.alerts import alerts, one_alert
from consumers.dashboard.pages.batteries import batteries
from consumers.dashboard.pages.battery import battery
from consumers.dashboard.pages.event import event
from consumers.dashboard.pages.fleet import fleet
from consumers.dashboard.pages.queries import queries, query
from consumers.dashboard.pages.system import system
from consumers.dashboard.server import PageMaker

PAGES: Final[dict[str, PageMaker]] = {
    "/": fleet,
    "/alerts": alerts,
    "/alerts/{alert}": one_alert,
    "/batteries": batteries,
    "/batteries/{deployment}/{battery_key}": battery,
    "/batteries/{deployment}/{battery_key}/events/{event_id}": event,
    "/queries": queries,
    "/queries/{query}": query,
    "/system": system,
}

RECORDED: Final = frozenset(("/queries/{query}",))
"""Pages that write down what was asked: on a connection that may add to the record."""
