"""The report: what strangers wrote stays text, the picture fits its frame, and the PDF is tagged."""

import re
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from consumers.audit.chart import HEIGHT, WIDTH, Dot, described, timeline_svg
from consumers.audit.collect import Collected, collect
from consumers.audit.container import read_container
from consumers.audit.judged import Story
from consumers.audit.pack import pack_of
from projections.rules.thresholds import ThresholdBook
from tests.consumers.audit.conftest import last_step
from tests.projections.chain import HOSTILE_IDS, PROFILE, Life, TestChain, key_of, walk

MARKUP = b"</title><script>alert(1)</script>#panic()"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, dict[str, bytes]]:
    life = Life(3, 1, hostile=True)
    life.ids.append(MARKUP)
    chain = TestChain(tmp_path_factory.mktemp("hostile") / "log.db", life)
    walk(chain, 40)
    chain.forward(chain.make(40, 2))
    packs = {}
    for raw in (*HOSTILE_IDS, MARKUP):
        collected = collect(chain.log, PROFILE, ThresholdBook(), key_of(raw), step=last_step(chain.log))
        packs[raw] = read_container(pack_of(collected))
    chain.close()
    return packs


@pytest.mark.parametrize("raw", [*HOSTILE_IDS, MARKUP])
def test_names_from_the_chain_are_text_in_every_form(hostile: dict[bytes, dict[str, bytes]], raw: bytes) -> None:
    parts = hostile[raw]
    page, picture = parts["report.html"].decode(), parts["timeline.svg"].decode()
    for shown in (page, picture):
        assert not set(shown) & set("\x00\x1b\u202e\u2066")
        assert "<script" not in shown
    assert parts["report.pdf"].startswith(b"%PDF-1.7")
    ET.fromstring(picture)


def test_the_picture_has_a_mark_for_each_reading_within_its_frame(collected: Collected) -> None:
    svg = timeline_svg(collected.story).decode()
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    title, words = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title is not None
    assert words is not None
    assert (title.text or "").endswith(f"{len(collected.story.readings)} readings")
    assert "Worst verdict of each" in (words.text or "")
    course = re.search(r'polyline points="([^"]+)"', svg)
    assert course is not None
    for point in course.group(1).split():
        x, y = map(float, point.split(","))
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT


def test_a_story_without_readings_has_a_picture_too(collected: Collected) -> None:
    story: Story = replace(collected.story, facts=())
    ET.fromstring(timeline_svg(story))
    assert described([]) == "No reading with a state of health."
    assert "1 failed" in described([Dot(1, 9_000, "failed")])


def test_the_pdf_says_that_it_is_accessible_and_has_words_for_its_picture(pack: bytes) -> None:
    content = read_container(pack)["report.pdf"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in content
    assert b"/StructTreeRoot" in content
    assert b"/Marked true" in content
    assert b"/Alt" in content


def test_the_page_loads_nothing_from_elsewhere(pack: bytes) -> None:
    page = read_container(pack)["report.html"].decode()
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=", page)
    assert page.count("<h1>") == 1
    assert page.count('scope="col"') > 10
    assert '<html lang="en">' in page
