import ast
import re

from indexer.protocol.reading import JSON_CHALLENGE, JSON_OTHER, JSON_TIMESTAMP, SLOT_CHALLENGE, VALIDITY_INTERVAL
from projections.verdicts.checks import NAMES
from projections.verdicts.words import CHECKS, REASONS, why
from tests.projections.verdicts.test_fold import chain
from tests.shared import ROOT

CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
INPUTS = {
    *("account_key", "age_slots", "claimed_slot_drift_slots", "invalid_after", "invalid_before", "last_holder"),
    *("last_soh_bp", "lovelace_after", "lovelace_before", "max_age_slots", "not_assessable"),
    *("passport_key_since_slot", "reward_per_read", "signed_as_witness", "soh_bp", "tolerance_bp"),
}


def test_every_reason_that_the_code_can_give_has_words() -> None:
    codes = {
        node.value
        for name in ("checks", "judge", "authentic", "signatures")
        for node in ast.walk(ast.parse((ROOT / f"projections/verdicts/{name}.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }
    forms = (JSON_CHALLENGE, JSON_OTHER, JSON_TIMESTAMP, SLOT_CHALLENGE, VALIDITY_INTERVAL)
    codes |= {f"legacy_{form}" for form in forms} | {"untagged", "builtin_false", "builtin_error"}
    assert codes - INPUTS - set(CHECKS) - set(REASONS) == set()


def test_every_check_has_words_and_stands_on_the_page() -> None:
    page = (ROOT / "docs" / "verdicts.md").read_text()
    for _, _, said in chain():
        if said.verdicts is not None:
            for check in said.verdicts.checks:
                assert check.name in CHECKS
    assert {name for name, _ in NAMES.values()} <= set(CHECKS)
    beside = set(CHECKS) - {name for name, _ in NAMES.values()}
    assert {name for name in beside if f"`{name}`" not in page} == set()


def test_every_reason_that_the_page_names_is_one_that_is_given() -> None:
    page = (ROOT / "docs" / "verdicts.md").read_text()
    named = {code for code in re.findall(r"`([a-z0-9_]+)`", page) if CODE.fullmatch(code)}
    known = set(REASONS) | set(CHECKS) | {"max_age_slots", "soh_tolerance_bp", "not_assessable"}
    assert named <= known


def test_a_code_without_words_is_still_readable() -> None:
    assert why("some_new_code") == "some new code"
    assert why("R24").startswith("state of health rises: ")
