"""Five minutes of faults on the real parts, and a run with one guarantee switched off that has to fail."""

import shutil
from pathlib import Path

import pytest

from tests.chaos.run import new_folder, run_chaos
from tests.chaos.services import Failed

MINUTES = 5.0
CONTROL_MINUTES = 1.5


@pytest.fixture
def folder() -> Path:
    return new_folder()


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_five_minutes_of_faults_leave_everything_as_an_undisturbed_run(folder: Path) -> None:
    report = run_chaos(MINUTES, "suite", folder, tell=print)
    assert {finding.invariant for finding in report.findings} == {"I1", "I2", "I3", "I6", "I7", "I8"}
    done = report.faults
    assert done["fork"] >= 10
    assert done["kill -9"] >= 5
    assert report.looks > 20
    shutil.rmtree(folder)  # what it holds is for whoever has to find out why a run failed


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_run_without_the_fence_fails(folder: Path) -> None:
    """Or the five minutes above prove nothing."""
    with pytest.raises(Failed):
        run_chaos(CONTROL_MINUTES, "control", folder, control="fence", tell=print)
    shutil.rmtree(folder)
