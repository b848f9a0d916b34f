from pathlib import Path

import pytest

from tests.shared import ROOT
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.mutate import MutantLost, judge, plant

SMOKE = ("incarnation always 1", "retraction to one partition only", "the tail is not audited")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_code_still_has_the_place_where_a_mutant_goes(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.text) == 1
    assert mutant.text != mutant.instead


@pytest.mark.long
@pytest.mark.parametrize("name", SMOKE)
def test_a_fault_planted_in_our_code_is_found(name: str) -> None:
    verdict = judge(next(mutant for mutant in MUTANTS if mutant.name == name))
    assert verdict.simulation


def test_a_mutant_whose_text_is_gone_fails_loudly(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("something = else_\n")
    with pytest.raises(MutantLost, match=r"0 times in code\.py"):
        plant(Mutant("gone", "code.py", "was here", "never"), tmp_path)
