"""What is shown while a page that takes long is made: at once, saying what it waits for, and it fills itself in."""

from typing import Final

from consumers.dashboard.layout import NAVIGATION, Layout, Page, Section
from consumers.dashboard.moment import Moment

_TITLES: Final = {section: name for section, _, name in NAVIGATION}


def waiting_page(layout: Layout, section: Section, moment: Moment) -> Page:
    title = _TITLES[section]
    body = layout.part("waiting.html", title=title, moment=moment)
    return Page(title=title, section=section, body=body, scripts=("waiting.js",))
