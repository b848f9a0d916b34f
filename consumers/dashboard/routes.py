"""Which page stands at which address."""

from typing import Final

from consumers.dashboard.pages.system import system
from consumers.dashboard.server import PageMaker

PAGES: Final[dict[str, PageMaker]] = {
    "/system": system,
}
