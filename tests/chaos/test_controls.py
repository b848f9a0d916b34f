"""Each control is a real change of our code: it must fit the code as it is now."""

from pathlib import Path

import pytest

from tests.chaos.controls import CONTROLS
from tests.simulation.mutate import plant_in_copy


@pytest.mark.parametrize("name", CONTROLS)
def test_what_a_control_switches_off_is_there(name: str, tmp_path: Path) -> None:
    plant_in_copy(CONTROLS[name].mutant, tmp_path)
