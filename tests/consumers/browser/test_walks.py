"""People at work: by mouse, by keyboard, without a script, on paper."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.consumers.browser.conftest import Site, eye

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.parametrize("width", [390, 1440])
def test_by_mouse_from_the_fleet_to_the_bytes_of_a_reading(browser: Browser, site: Site, width: int) -> None:
    with eye(browser, site, width=width) as person:
        page = person.page
        person.look("/")
        page.get_by_role("region", name="Look at these first").get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=2, name="Twelve checks of each reading")).to_be_visible()
        page.locator("#matrix td.f a").last.click()
        expect(page.get_by_role("heading", level=2, name="As it was received")).to_be_visible()
        assert re.match(r"0000 {2}[0-9a-f]{64}", page.locator("pre.hex").first.inner_text())
        assert "failed" in page.locator("tr:target").inner_text()
        page.locator(".crumbs a").click()
        expect(page.locator("h1")).to_contain_text("urn:eudpp")
        assert not person.complaints


def test_a_mark_in_the_chart_leads_to_its_battery_and_a_column_to_the_batteries_read_then(
    browser: Browser, site: Site
) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look("/")
        mark = page.locator(".multiples a:has(.mark)").first
        name = (mark.get_attribute("aria-label") or "").partition(":  ")[0]
        mark.locator(".mark").click(force=True)
        assert name.startswith(page.locator("h1").inner_text().strip())
        person.look("/")
        page.locator("svg:has(#days-title) a").first.click(force=True, position={"x": 4, "y": 140})
        expect(page.locator("[role=status].note")).to_contain_text("read in slots")
        assert page.locator("tbody tr").count() > 0
        assert not person.complaints


def test_the_inbox_by_keyboard_alone(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look("/alerts")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.keyboard.press("j")
        page.keyboard.press("j")
        chosen = page.locator("#inbox tbody a").nth(1)
        expect(chosen).to_be_focused()
        words, name = chosen.inner_text(), (chosen.get_attribute("id") or "").removeprefix("a-")
        page.keyboard.press("Enter")
        expect(page.locator("#h-evidence")).to_have_text(words)
        assert page.url.endswith(f"alert={name}")
        assert not person.violations()
        page.keyboard.press("a")
        expect(page.locator("#why")).to_be_focused()
        page.keyboard.type("asked the workshop <b>")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#evidence .signs")).to_contain_text("asked the workshop <b>")
        page.keyboard.press("2")
        expect(page.locator("#inbox tbody tr")).to_have_count(1)
        page.keyboard.press("/")
        expect(page.locator("#filter-q")).to_be_focused()
        assert not person.complaints


def test_the_course_by_keyboard_zooms_and_says_each_reading(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look(site.battery)
        live = page.locator("#course-live")
        expect(live.locator("canvas").first).to_be_visible()
        live.focus()
        page.keyboard.press("End")
        last = page.locator("#course-said").inner_text()
        assert re.match(r"reading of \d{4}-\d\d-\d\d .* UTC: .* %", last)
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#course-said")).not_to_have_text(last)
        for key in ("+", "Shift+ArrowLeft", "-", "0"):
            page.keyboard.press(key)
        page.get_by_role("button", name="1 month").click()
        live.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=2, name="As it was received")).to_be_visible()
        assert not person.complaints


def test_everything_can_be_reached_by_tab_and_is_seen_to_have_the_focus(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        page = person.page
        for path in ("/", "/alerts", site.event):
            person.look(path)
            page.keyboard.press("Tab")
            expect(page.locator(".skip")).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.locator("#main")).to_be_focused()
            seen = set()
            for _ in range(25):
                page.keyboard.press("Tab")
                seen.add(
                    page.evaluate(
                        "() => { const e = document.activeElement;"
                        " if (e === document.body || e.closest('svg')) return '';"
                        " return (getComputedStyle(e).outlineStyle === 'none' ? 'BARE ' : '') + e.outerHTML }"
                    )[:90]
                )
            assert len(seen) > 5, path
            assert not [each for each in seen if each.startswith("BARE")], path


def test_pages_say_the_same_without_script(browser: Browser, site: Site) -> None:
    with eye(browser, site, script=False) as person:
        page = person.page
        person.look(site.battery)
        expect(page.locator("svg.course")).to_be_visible()
        assert page.locator("svg.course a").count() > 20
        expect(page.locator("#course-live")).to_be_hidden()
        person.look("/alerts")
        page.locator("#inbox tbody a").nth(3).click()
        expect(page.locator("#evidence ol.findings li").first).to_be_visible()
        page.locator("#why").fill("no script, and it works")
        page.locator("#do-close").click()
        expect(page.locator("#evidence .signs")).to_contain_text("no script, and it works")


def test_what_a_rollback_took_back_is_shown_as_believed_until_then(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look(site.taken_back)
        section = page.locator("section[aria-labelledby=h-beliefs]")
        expect(section).to_contain_text("never came back")
        expect(section).to_contain_text("until")
        row = section.locator("tr", has_text="never came back").first
        row.get_by_role("link").first.click()
        expect(page.locator("p.problem")).to_contain_text("Taken back at step")
        assert not person.complaints


def test_a_page_of_the_past_says_so_and_its_links_stay_in_it(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look(f"/?as_of_slot={site.slot}")
        expect(page.locator(".moment.past")).to_contain_text("You look at the past")
        page.get_by_role("region", name="Look at these first").get_by_role("link").first.click()
        assert f"as_of_slot={site.slot}" in page.url
        expect(page.locator(".moment.past")).to_be_visible()


def test_a_battery_prints_as_a_document(browser: Browser, site: Site) -> None:
    with eye(browser, site) as person:
        page = person.page
        person.look(site.battery)
        expect(page.locator("#course-live canvas").first).to_be_visible()
        page.emulate_media(media="print")
        expect(page.locator(".top nav")).to_be_hidden()
        expect(page.locator("svg.course")).to_be_visible()
        expect(page.locator("#course-live")).to_be_hidden()
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert len(page.pdf(prefer_css_page_size=True)) > 20_000
