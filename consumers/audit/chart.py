"""The timeline's picture: state of health over the chain's time, as SVG. Pure, and the same bytes for the same story.

Needs no script and no font of its own; colour never stands alone: a verdict has a shape, too.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from msgspec import Struct

from consumers.audit.judged import Story
from indexer.events import ReadingEvent, ReadingRejected

WIDTH: Final = 720
HEIGHT: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 44
MAX_SOH_BP: Final = 12_000
TICKS: Final = 5

_ATTRIBUTES: Final = 'role="img" aria-labelledby="t d" font-family="sans-serif" font-size="12"'
_COLOURS: Final = {"passed": "#1a6e3c", "failed": "#9f0712", "not_assessable": "#5b5b00"}


class Dot(Struct, frozen=True):
    """One reading in the picture."""

    slot: int
    soh_bp: int
    result: str  # the worst of its four verdicts


def dots(story: Story) -> list[Dot]:
    """Readings with a state of health that a picture can hold; claims of any other size are in the table only."""
    results = {
        row.fact: worst((row.ledger, row.crypto, row.binding, row.plausibility)) for row in story.opinions.verdicts
    }
    found = []
    for fact in story.readings:
        event = fact.event
        assert isinstance(event, ReadingEvent)
        soh = event.decoded.reading.soh_bp if event.decoded.reading is not None else None
        if soh is not None and 0 <= soh <= MAX_SOH_BP and not isinstance(event, ReadingRejected):
            found.append(Dot(fact.slot, soh, results.get(fact.fact, "not_assessable")))
    return found


def worst(results: Sequence[str]) -> str:
    return "failed" if "failed" in results else "not_assessable" if "not_assessable" in results else "passed"


def timeline_svg(story: Story) -> bytes:
    """The picture, with a title and a description for who does not see it."""
    points = dots(story)
    slots = [fact.slot for fact in story.facts]
    first, last = min(slots, default=0), max(slots, default=1)
    values = [point.soh_bp for point in points]
    low = max(0, min(values, default=0) // 500 * 500 - 500)
    high = min(MAX_SOH_BP, -(-max(values, default=10_000) // 500) * 500 + 500)

    def x(slot: int) -> str:
        return _number(LEFT + (slot - first) * (WIDTH - LEFT - RIGHT) * 100 // max(1, last - first) / 100)

    def y(soh: int) -> str:
        return _number(TOP + (high - soh) * (HEIGHT - TOP - BOTTOM) * 100 // max(1, high - low) / 100)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {_ATTRIBUTES}>',
        f'<title id="t">State of health over time, {len(points)} readings</title>',
        f'<desc id="d">{escape(described(points))}</desc>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for tick in range(TICKS + 1):
        soh = low + (high - low) * tick // TICKS
        at = y(soh)
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" stroke="#d9d9d9"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{at}" dy="4" text-anchor="end">{soh / 100:.1f} %</text>')
    for known in story.keys[1:]:
        at = x(known.since_slot)
        lines.append(
            f'<line x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#404040" stroke-dasharray="4 3"/>'
        )
        lines.append(f'<text x="{at}" y="{TOP + 10}" dx="4">new key</text>')
    if len(points) > 1:
        course = " ".join(f"{x(point.slot)},{y(point.soh_bp)}" for point in points)
        lines.append(f'<polyline points="{course}" fill="none" stroke="#8a8a8a"/>')
    lines += [_mark(point.result, x(point.slot), y(point.soh_bp)) for point in points]
    lines += [
        f'<text x="{LEFT}" y="{HEIGHT - 24}">slot {first}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 24}" text-anchor="end">slot {last}</text>',
        *_legend(),
        "</svg>",
    ]
    return "\n".join(lines).encode() + b"\n"


def described(points: Sequence[Dot]) -> str:
    """The picture in words."""
    if not points:
        return "No reading with a state of health."
    counts = {result: sum(point.result == result for point in points) for result in _COLOURS}
    told = ", ".join(f"{count} {result.replace('_', ' ')}" for result, count in counts.items() if count)
    return (
        f"From {points[0].soh_bp / 100:.2f} % at slot {points[0].slot} to {points[-1].soh_bp / 100:.2f} % at slot "
        f"{points[-1].slot}. Worst verdict of each: {told}."
    )


def _mark(result: str, x: str, y: str) -> str:
    colour = _COLOURS[result]
    match result:
        case "passed":
            return f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'
        case "failed":
            return f'<path d="M{x} {y}m-5 -5l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="2.5" fill="none"/>'
        case _:
            return f'<path d="M{x} {y}m0 -6l6 11h-12z" stroke="{colour}" stroke-width="2" fill="#ffffff"/>'


def _legend() -> Iterator[str]:
    for number, (result, words) in enumerate(
        (("passed", "all verdicts passed"), ("failed", "one failed"), ("not_assessable", "one not assessable"))
    ):
        at = LEFT + 6 + number * 170
        yield _mark(result, str(at), str(HEIGHT - 10))
        yield f'<text x="{at + 10}" y="{HEIGHT - 6}">{words}</text>'


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
