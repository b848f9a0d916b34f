"""Which page and which of the API's endpoints stands at which address, and what each tells of."""

from typing import Final

from consumers.dashboard import api, api_fleet
from consumers.dashboard.endpoints import AtMoment, Endpoint, Paged
from consumers.dashboard.layout import PageMaker
from consumers.dashboard.pages.alerts import alerts, one_alert
from consumers.dashboard.pages.batteries import batteries
from consumers.dashboard.pages.battery import battery
from consumers.dashboard.pages.diff import diff
from consumers.dashboard.pages.event import event
from consumers.dashboard.pages.fleet import fleet
from consumers.dashboard.pages.queries import queries, query
from consumers.dashboard.server import Keeping
from consumers.queries.model import Data

_OF_ONE: Final[frozenset[Data]] = frozenset(("identity", "status", "condition", "finding"))
_OF_ALL: Final[frozenset[Data]] = frozenset(("model", "statistic", "identity", "condition", "finding"))

PAGES: Final[dict[str, PageMaker]] = {
    "/": fleet,
    "/alerts": alerts,
    "/alerts/{alert}": one_alert,
    "/batteries": batteries,
    "/batteries/{deployment}/{battery_key}": battery,
    "/batteries/{deployment}/{battery_key}/events/{event_id}": event,
    "/diff": diff,
    "/queries": queries,
    "/queries/{query}": query,
}

NEEDS: Final[dict[str, frozenset[Data]]] = {
    "/": _OF_ALL,
    "/alerts": frozenset(("identity", "finding", "evidence")),
    "/alerts/{alert}": frozenset(("identity", "finding", "evidence")),
    "/batteries": _OF_ALL,
    "/batteries/{deployment}/{battery_key}": _OF_ONE | {"evidence", "person"},
    "/batteries/{deployment}/{battery_key}/events/{event_id}": _OF_ONE | {"evidence", "person"},
    "/diff": _OF_ALL | {"evidence"},
}
"""Kinds of data that a page shows: who may not see one of them does not get the page. Of the API he gets the rest."""

RECORDED: Final = frozenset(("/queries/{query}",))
"""Pages that write down themselves what was asked: on a connection that may add to the record."""

KEPT: Final[dict[str, Keeping]] = {
    "/": Keeping("Fleet", "fleet"),
    "/batteries": Keeping("Batteries", "batteries"),
    "/diff": Keeping("What is different now", "fleet", settles=False),
}
"""Pages over a whole fleet that are the same for everybody who may see them: made once a step, see kept.py."""

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/fleet",
        name="fleet",
        answer=api_fleet.FleetAnswer,
        run=api_fleet.fleet,
        parameters=AtMoment,
        needs=frozenset(("statistic",)),
        summary="A whole fleet in numbers: models and how they fade, days, verdicts, alerts, who is accused.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/batteries",
        name="batteries",
        answer=api_fleet.BatteriesAnswer,
        run=api_fleet.batteries,
        parameters=api_fleet.BatteriesAsked,
        needs=frozenset(("identity",)),
        summary="Batteries by what they have in common, the gravest first.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/batteries/{deployment}/{battery_key}",
        name="timeline",
        answer=api.TimelinePart,
        run=api.timeline,
        parameters=Paged,
        needs=frozenset(("identity",)),
        problems=(404,),
        summary="Everything known of a battery, in the chain's order, with what each reading is worth.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/batteries/{deployment}/{battery_key}/series",
        name="series",
        answer=api.SeriesAnswer,
        run=api.series,
        parameters=AtMoment,
        needs=_OF_ONE,
        problems=(404,),
        summary="A battery's readings as columns, with its findings, commitments and ages as lanes.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/batteries/{deployment}/{battery_key}/beliefs",
        name="beliefs",
        answer=api_fleet.BeliefsAnswer,
        run=api_fleet.beliefs,
        parameters=AtMoment,
        needs=frozenset(("identity", "evidence")),
        summary="What was believed of a battery and taken back by a rollback, and until when.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/batteries/{deployment}/{battery_key}/events/{event_id}",
        name="evidence",
        answer=api_fleet.EvidenceAnswer,
        run=api_fleet.evidence,
        parameters=AtMoment,
        needs=frozenset(("identity", "evidence")),
        problems=(404,),
        summary="One event as it was received, and what was made of it.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/alerts",
        name="alerts",
        answer=api.Alerts,
        run=api.alerts,
        parameters=api.AlertsAsked,
        needs=frozenset(("identity", "finding")),
        summary="Alerts, the gravest first.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/alerts/{alert}",
        name="alert",
        answer=api.OneAlert,
        run=api.alert,
        parameters=AtMoment,
        needs=frozenset(("identity", "finding", "evidence")),
        problems=(404,),
        summary="One alert, with its evidence and what people did.",
    ),
    Endpoint(
        method="POST",
        path="/api/v1/alerts/{alert}/acts",
        name="act",
        answer=api.ActDone,
        run=api.act,
        body=api.ActAsked,
        right="act",
        needs=frozenset(("identity", "finding")),
        problems=(404, 413, 415),
        summary="Acknowledges, annotates or closes an alert, in the name of whoever asks.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/system",
        name="system",
        answer=api.SystemAnswer,
        run=api.system,
        summary="Nodes, partitions, workers, rollbacks, what is parked and quarantined, rebuilds: as of now.",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/steps",
        name="steps",
        answer=api.Steps,
        run=api.steps,
        parameters=api.StepsAsked,
        summary="Steps of the log, newest first: runs of blocks, and rollbacks.",
    ),
)
