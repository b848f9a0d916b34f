"""Charts are pure: series in, escaped markup out, within their frame whatever somebody claims."""

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from consumers.dashboard.charts.bars import Column, Part, columns, row
from consumers.dashboard.charts.course import Interval, Lane, Plot, Sample, Sign, course_chart, course_height
from consumers.dashboard.charts.fade import Slice, Stand, fade_chart
from consumers.dashboard.charts.scale import Scale, nice, number, scale_of, ticks, time_ticks
from consumers.dashboard.charts.spark import sparkline
from consumers.dashboard.charts.svg import tag, thinned
from consumers.dashboard.pages.fleet import shared_cycles

NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)
HOSTILE = '"><script>alert(1)</script>&\x1b'


def within(markup: str) -> None:
    """Every place that is given as a share lies in the chart, and the markup is sound."""
    ET.fromstring(markup.replace("\x1b", ""))  # our own
    for share in re.findall(r'(?:x|x1|x2|cx)="([-\d.]+)%"', markup):
        assert 0 <= float(share) <= 100


@given(st.lists(NUMBERS, max_size=20), st.floats(0.001, 1e6))
def test_a_scale_holds_all_its_values_and_is_never_empty(values: list[float], least: float) -> None:
    scale = scale_of(values, least_span=least)
    assert scale.high > scale.low or least < abs(scale.low) * 1e-15
    assert all(0 <= scale(value) <= 1 for value in values)


@given(NUMBERS, st.floats(0.01, 1e9), st.integers(2, 8))
def test_ticks_are_few_rise_and_lie_where_they_say(low: float, span: float, about: int) -> None:
    scale = Scale(low, low + span)
    if scale.high - scale.low < abs(low) * 1e-9:
        return
    wide, nice_ticks = nice(scale, about)
    assert wide.low <= scale.low + span * 1e-6
    assert wide.high >= scale.high - span * 1e-6
    for made in (nice_ticks, ticks(scale, about)):
        assert len(made) <= 2 * about + 3
        assert made == sorted(set(made))


@given(st.integers(0, 2_000_000_000), st.integers(60, 2_000_000_000))
def test_ticks_of_time_are_few_and_differ_in_words_or_are_months(low: int, span: int) -> None:
    made = time_ticks(low, low + span)
    assert len(made) <= 9
    assert all(low <= at <= low + span for at, _ in made)


def test_numbers_are_short_and_never_in_exponents() -> None:
    assert [number(each) for each in (0, 1234567, -5, 0.5, 1e15)] == [
        "0",
        "1\u202f234\u202f567",
        "\u22125",
        "0.5",
        "1\u202f000\u202f000\u202f000\u202f000\u202f000",
    ]


@given(st.lists(st.tuples(st.floats(0, 1000), NUMBERS), min_size=1, max_size=300))
def test_a_thinned_line_keeps_its_extremes_and_its_ends(points: list[tuple[float, float]]) -> None:
    points.sort(key=lambda point: point[0])
    kept = thinned(points, 5)
    assert len(kept) <= max(len(points), 4 * 6)
    for measure in (min, max):
        assert measure(y for _, y in kept) == measure(y for _, y in points)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]


def test_what_strangers_wrote_is_text_in_a_chart() -> None:
    assert tag("text", HOSTILE, title=HOSTILE) == (
        '<text title="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\x1b">'
        "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\x1b</text>"
    )
    for markup in (
        fade_chart(
            "f", HOSTILE, [Slice(1, (1, 2, 3, 4, 5), HOSTILE, "/b")], [Stand(1, 2, None, HOSTILE, "/b")], Scale(0, 9), 9
        ),
        columns("c", HOSTILE, HOSTILE, [Column(0, (Part("passed", 1),), HOSTILE, "/b")], 9),
        row([Part("failed", 1)], 1, HOSTILE),
        sparkline([1, 2], Scale(0, 3), HOSTILE),
    ):
        assert "<script" not in markup
        within(str(markup))


@given(st.lists(st.tuples(st.floats(0, 2e9), NUMBERS, NUMBERS), max_size=30))
def test_a_course_stays_in_its_frame_whatever_is_claimed(values: list[tuple[float, float, float]]) -> None:
    samples = tuple(Sample(at, v, "failed" if v > 0 else "", "w", "/e", low) for at, v, low in sorted(values))
    lane = Lane(
        "l", tuple(Interval(at, at + v, "open", "w", "/e") for at, v, _ in values), (Sign(5, "high", "w", "/a"),)
    )
    markup = str(course_chart("n", "t", "d", [lane], [Plot("p", "V", 60, samples)], (0.0, 1e9)))
    within(markup)
    assert f'height="{course_height(1, [60])}"' in markup


def test_models_share_an_axis_of_cycles_and_one_absurd_claim_flattens_none() -> None:
    assert shared_cycles([]) == 0
    assert shared_cycles([40, 1_500]) == 1_500
    assert shared_cycles([40, 10**9]) == 40
    assert shared_cycles([3_000, 2_000, 10**9, 28_000]) == 28_000
    at_hundred = [
        str(fade_chart("f", "t", [], [Stand(100, 50, "high", "w", "/b")], Scale(0, 100), shared_cycles([100, each])))
        for each in (400, 200)
    ]
    assert [re.search(r'class="at" x="([\d.]+)%"', markup)[1] for markup in at_hundred] == ["25.00", "50.00"]  # type: ignore[index]


def test_severities_differ_by_shape_too() -> None:
    stands = [Stand(1, 50, severity, "w", "/b") for severity in (None, "warning", "high", "critical")]
    markup = str(fade_chart("f", "t", [], stands, Scale(0, 100), 9))
    shapes = set(re.findall(r'd="(M[^"]+)"', markup))
    assert len(shapes) == 3
    assert markup.count("<circle") == 1


def test_one_failed_reading_in_a_million_is_seen() -> None:
    markup = str(row([Part("passed", 999_999), Part("failed", 1)], 1_000_000, "t"))
    width = re.search(r'fill failed"[^>]*width="([\d.]+)%"', markup)
    assert width is not None
    assert float(width[1]) > 0.3
