"""The twenty-five as data: whole, well formed, and written down in the page."""

import re

from consumers.access import PROFILES, may_ask, visible_columns
from consumers.queries import QUERIES
from consumers.queries import run as module
from consumers.queries.model import DATA
from consumers.queries.page import queries_page
from tests.shared import ROOT


def test_the_page_on_queries_is_the_one_that_their_data_writes() -> None:
    """If not: uv run python -m consumers.queries.page > docs/queries.md"""
    assert (ROOT / "docs" / "queries.md").read_text() == queries_page()


def test_there_are_twenty_five_with_numbers_in_their_order() -> None:
    assert [query.number for query in QUERIES.values()] == list(range(1, 26))
    assert [query.audience for query in QUERIES.values()] == ["surveillance"] * 15 + ["audit"] * 10
    assert {name.replace("-", "_") for name in QUERIES} == set(module._SQL)


def test_each_is_explained_and_its_chart_draws_its_own_columns() -> None:
    for query in QUERIES.values():
        names = [column.name for column in query.columns]
        assert len(names) == len(set(names)), query.name
        assert query.meaning.endswith((".", "?"))
        assert all(column.meaning for column in query.columns), query.name
        assert all(parameter.meaning for parameter in query.parameters), query.name
        assert query.parameter("limit") is not None
        if query.chart is not None:
            assert {query.chart.x, *query.chart.y} <= set(names), query.name
            assert query.chart.by in ("", *names), query.name


def test_each_parameter_is_bound_somewhere_in_the_sql() -> None:
    """Or somebody is told that it restricts, and it does not."""
    by_moment = {"deployment", "manufacturer", "model", "battery", "limit"}
    for query in QUERIES.values():
        text = module.sql_of(query)
        for parameter in query.parameters:
            assert parameter.name in by_moment or f"%({parameter.name})s" in text, (query.name, parameter.name)
            if parameter.name in ("manufacturer", "model"):
                assert "fleet" in query.reads, query.name
            if parameter.name == "deployment":
                assert "fleet" in query.reads or "%(deployment)s" in text, query.name
            if parameter.name == "battery":
                assert "%(battery_keys)s" in text, query.name


def test_every_query_is_open_to_somebody_and_every_kind_of_data_to_the_auditor() -> None:
    assert PROFILES["auditor"].data == set(DATA)
    for query in QUERIES.values():
        assert may_ask(PROFILES["auditor"], query)
        assert set(query.needs) <= {column.data for column in query.columns} | {"identity"}, query.name
        for profile in PROFILES.values():
            assert not may_ask(profile, query) or visible_columns(profile, query)
    assert not any(
        "person" in profile.data for name, profile in PROFILES.items() if name in ("public", "notified-body")
    )


def test_no_sql_is_made_by_formatting() -> None:
    """Text is put together from files alone; what people give is bound."""
    for file in (ROOT / "consumers" / "queries").glob("*.py"):
        assert not re.search(r"execute\(\s*f[\"']", file.read_text()), file
