"""A course of more readings than there are pixels looks as all of them would, and shows what was taken back."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from consumers.dashboard.vendor import STATIC
from tests.consumers.browser.conftest import Site, eye

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

OUTLINE = """async ([source, at, high, low, odd, from, to, columns]) => {
  const module = await import("data:text/javascript," + encodeURIComponent(source));
  return module.outline(at, high, low, Uint8Array.from(odd), from, to, columns);
}"""


def outline(page: Page, *arguments: Any) -> list[int]:
    found: list[int] = page.evaluate(OUTLINE, [(STATIC / "outline.js").read_text(), *arguments])
    return found


def test_of_each_column_of_pixels_the_extremes_stay_and_whatever_stands_out(browser: Browser) -> None:
    count, columns = 20_000, 300
    at = [float(number * 7 + number % 5) for number in range(count)]
    high: list[float | None] = [(number * 7_919 % 10_007) / 7 for number in range(count)]
    low = [None if value is None else value - number % 13 for number, value in enumerate(high)]
    for number in range(0, count, 97):
        high[number] = low[number] = None
    odd = [int(number % 401 == 3) for number in range(count)]
    first, last = 123, count - 77
    page = browser.new_page()
    try:
        kept = outline(page, at, high, low, odd, first, last, columns)
        everything = outline(page, at, high, low, odd, 10, 500, columns)
    finally:
        page.close()
    assert kept == sorted(set(kept))
    assert (first <= kept[0], kept[-1] <= last) == (True, True)
    assert len(kept) <= 4 * (columns + 1) + sum(odd)
    assert {number for number in range(first, last + 1) if odd[number]} <= set(kept)
    width = (at[last] - at[first]) / columns
    whole: dict[int, list[int]] = {}
    for number in range(first, last + 1):
        if high[number] is not None:
            whole.setdefault(int((at[number] - at[first]) / width), []).append(number)
    chosen = set(kept)
    for numbers in whole.values():
        stay = [number for number in numbers if number in chosen]
        assert max(high[number] or 0 for number in stay) == max(high[number] or 0 for number in numbers)
        assert min(low[number] or 0 for number in stay) == min(low[number] or 0 for number in numbers)
        assert (stay[0], stay[-1]) == (numbers[0], numbers[-1])
    assert everything == list(range(10, 501)), "few are not thinned"


def test_readings_that_a_rollback_took_back_are_in_the_live_chart_and_lead_to_their_evidence(
    browser: Browser, site: Site
) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look(site.taken_back)
        expect(page.locator("#course-live canvas").first).to_be_visible()
        expect(page.locator(".past-key")).to_be_visible()
        address = page.locator("#course-place").get_attribute("data-series")
        said = page.evaluate("async (url) => (await (await fetch(url)).json()).series", address)
        gone = said["taken_back"]
        assert gone["at"]
        assert said["span"][0] <= min(gone["at"])
        assert max(gone["at"]) <= said["span"][1]
        # The ring stands where its time and its state of health are: the first plot comes after the lanes.
        plot = page.locator("#course-live .u-over").nth(len(said["lanes"]))
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box is not None
        share = (gone["at"][0] - said["span"][0]) / (said["span"][1] - said["span"][0])
        for down in range(2, int(box["height"]), 4):
            page.mouse.move(box["x"] + share * box["width"], box["y"] + down)
            if "taken back" in page.locator("#course-said").inner_text():
                break
        else:
            pytest.fail("no ring is found where the reading was")
        expect(page.locator("#course-said")).to_contain_text("believed until step")
        page.mouse.click(box["x"] + share * box["width"], box["y"] + down)
        expect(page.locator("p.problem")).to_contain_text("Taken back at step")
        assert not person.complaints
