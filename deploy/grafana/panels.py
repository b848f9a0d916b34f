"""What a Grafana dashboard is made of, as its JSON model has it: panels on a grid of 24 columns, and what they ask."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct

PROMETHEUS: Final = {"type": "prometheus", "uid": "prometheus"}
POSTGRES: Final = {"type": "grafana-postgresql-datasource", "uid": "cellwitness"}
"""As provisioning/datasources names them."""

Kind = Literal["stat", "timeseries", "table", "barchart", "bargauge"]

COLUMNS: Final = 24


class Panel(Struct, frozen=True, kw_only=True):
    """One panel. Either asks Prometheus, with a legend for each question, or asks the tables, as the reader."""

    title: str
    about: str  # what it says, and when to worry
    kind: Kind = "timeseries"
    ask: Sequence[tuple[str, str]] = ()  # (PromQL, legend)
    sql: str = ""
    over_time: bool = False  # the rows of ``sql`` have a column ``time``
    unit: str = "short"  # Grafana's name
    width: int = 8
    height: int = 7
    worry_from: float | None = None  # shown red from here on


class Dashboard(Struct, frozen=True, kw_only=True):
    """A dashboard: rows of panels in order, each on as much of the grid as it takes."""

    uid: str
    title: str
    about: str
    since: str  # how much time it shows at first, such as now-6h
    refresh: str
    panels: Sequence[Panel]
    by_deployment: bool = False  # has a choice of deployments


def dashboard_json(dashboard: Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana's provisioning takes it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["cellwitness"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": dashboard.since, "to": "now"},
        "refresh": dashboard.refresh,
        "annotations": {"list": []},
        "templating": {"list": [_DEPLOYMENTS] if dashboard.by_deployment else []},
        "panels": _placed(dashboard.panels),
    }


def _placed(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    placed, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        placed.append(_panel(number, panel, x, y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "text" if panel.kind == "stat" else "green", "value": None}]
    if panel.worry_from is not None:
        steps.append({"color": "red", "value": panel.worry_from})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": POSTGRES if panel.sql else PROMETHEUS,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": _OPTIONS[panel.kind],
        "targets": [_sql_target(panel)] if panel.sql else [_target(*each) for each in enumerate(panel.ask)],
    }


def _target(number: int, question: tuple[str, str]) -> dict[str, Any]:
    expression, legend = question
    return {"refId": chr(ord("A") + number), "datasource": PROMETHEUS, "expr": expression, "legendFormat": legend}


def _sql_target(panel: Panel) -> dict[str, Any]:
    how = "time_series" if panel.over_time else "table"
    return {"refId": "A", "datasource": POSTGRES, "format": how, "rawQuery": True, "rawSql": panel.sql}


_REDUCED: Final = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
_OPTIONS: Final[dict[Kind, dict[str, Any]]] = {
    "stat": _REDUCED | {"colorMode": "value", "graphMode": "area"},
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "table": {"showHeader": True, "cellHeight": "sm"},
    "barchart": {"orientation": "vertical", "legend": {"displayMode": "list", "placement": "bottom"}},
    "bargauge": _REDUCED | {"orientation": "horizontal", "displayMode": "basic"},
}
_DEPLOYMENTS: Final[dict[str, Any]] = {
    "name": "deployment",
    "label": "Deployment",
    "type": "query",
    "datasource": POSTGRES,
    "query": "SELECT DISTINCT deployment FROM cellwitness.batteries ORDER BY 1",
    "refresh": 1,
    "multi": True,
    "includeAll": True,
    "current": {"text": ["All"], "value": ["$__all"]},
}
