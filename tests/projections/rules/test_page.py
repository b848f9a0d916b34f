import re

import pytest

from indexer.errors import ConfigurationError
from projections.rules.page import rules_page
from projections.rules.thresholds import DEFAULT, load_thresholds
from tests.shared import ROOT

PAGE = ROOT / "docs" / "rules.md"


def test_the_page_on_rules_is_the_one_that_the_catalogue_writes() -> None:
    """If not: uv run python -m projections.rules.page > docs/rules.md"""
    assert PAGE.read_text() == rules_page()


def test_the_page_s_example_of_thresholds_can_be_read() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    book = load_thresholds(example, "example.toml")
    assert book.of("", None).soh_increase_warning_bp == 250
    assert book.of("example", None).silent_days == 365
    assert book.of("example", "LFP-96S280").cycles_per_day == 4
    assert book.of("other", "other").silent_days == DEFAULT.silent_days


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[thresholds]\nsoh_increase_warnig_bp = 1", "did you mean 'soh_increase_warning_bp'"),
        ("[thresholds]\nsilent_days = 1.5", "silent_days"),
        ("[thresholds]\nsilent_days = true", "silent_days"),
        ("[treshold]\n", "no such table"),
        ("[model]\nx = 1", "write a table for each name"),
        ("thresholds = 1", "write a table"),
        ("[", "not valid TOML"),
    ],
)
def test_a_wrong_file_of_thresholds_is_refused_with_what_to_do(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)) as refused:
        load_thresholds(text, "mine.toml")
    assert str(refused.value).startswith("mine.toml: ")
