"""What is shown while a page that takes long is made: at once, saying what it waits for, and it fills itself in."""

from consumers.dashboard.layout import Layout, Page, Section
from consumers.dashboard.moment import Moment


def waiting_page(layout: Layout, title: str, section: Section, moment: Moment) -> Page:
    body = layout.part("waiting.html", title=title, moment=moment)
    return Page(title=title, section=section, body=body, scripts=("waiting.js",))
