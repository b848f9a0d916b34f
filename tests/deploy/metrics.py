"""What is measured, by the code that does it."""

import re
from functools import cache

from tests.shared import ROOT

_DECLARED = re.compile(r'\b(Counter|Gauge|Histogram|Info)\(\s*"(cellwitness_[a-z_]+)"')
_SUFFIXES = {"Counter": ("",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count"), "Info": ("_info",)}


@cache
def measured() -> frozenset[str]:
    """The names of all series, as Prometheus stores them."""
    code = "".join(
        file.read_text()
        for package in ("indexer", "projections", "consumers", "deploy")
        for file in (ROOT / package).rglob("*.py")
    )
    found = frozenset(name + suffix for kind, name in _DECLARED.findall(code) for suffix in _SUFFIXES[kind])
    assert found
    return found


def of_what_is_not_here(name: str) -> bool:
    """Whether the part that measures it is not in this tree, so that nobody can say."""
    return name.startswith("cellwitness_alert_") and not (ROOT / "consumers" / "alerting").exists()
