"""The page on oneself: who asks, what he may see and do, on which legal basis; and for auditors who asked what."""

from collections.abc import Sequence

from consumers.access import PROFILES, Question
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.people import RIGHTS

QUESTIONS_SHOWN = 100


def access_page(layout: Layout, viewer: Viewer, questions: Sequence[Question] | None) -> Page:
    """``questions`` None: they are not for whoever looks."""
    body = layout.part(
        "access.html",
        viewer=viewer,
        profile=PROFILES[viewer.profile],
        rights=sorted(RIGHTS.get(viewer.role, ())),  # type: ignore[call-overload]
        questions=questions,
    )
    return Page(title="You", section="access", body=body)
