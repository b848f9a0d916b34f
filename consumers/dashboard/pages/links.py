"""Addresses of pages, at the moment that the present page shows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from consumers.dashboard.moment import Moment


def battery_link(moment: Moment, deployment: str, battery_key: str, **query: str) -> str:
    """``deployment`` may hold any character; an empty one is written as a hyphen."""
    return moment.link(f"/batteries/{quote(deployment or '-', safe='')}/{battery_key}", **query)


def batteries_link(moment: Moment, **query: str) -> str:
    """Batteries by what they have in common; empty values are left out."""
    return moment.link("/batteries", **{name: value for name, value in query.items() if value})


def alerts_link(moment: Moment, **query: str) -> str:
    return moment.link("/alerts", **{name: value for name, value in query.items() if value})


def series_link(moment: Moment, battery: Mapping[str, Any]) -> str:
    """A battery's course as columns, of the API."""
    deployment = quote(battery["deployment"] or "-", safe="")
    return moment.link(f"/api/v1/batteries/{deployment}/{battery['battery_key']}/series")


def deployment_of(path: Mapping[str, str]) -> str:
    """As an address names it."""
    return "" if path["deployment"] == "-" else path["deployment"]


def event_link(moment: Moment, battery: Mapping[str, Any], event_id: str) -> str:
    """One event of a battery, with the evidence behind it."""
    return battery_link(moment, battery["deployment"], f"{battery['battery_key']}/events/{event_id}")
