"""Whatever strangers' bytes reach ends as it says, on what a fuzzer begins with and on all that once was a crash."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import FOUND, TARGETS
from tests.shared import ROOT

NAMED = pytest.mark.parametrize("name", TARGETS)


@NAMED
def test_each_seed_is_handled(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for content in seeds:
        TARGETS[name].run(content)


@pytest.mark.parametrize(
    ("name", "crash"), [(file.parent.name, file.name) for file in sorted(FOUND.glob("*/*"))] or [("", "")]
)
def test_what_once_was_a_crash_is_handled(name: str, crash: str) -> None:
    if name:
        TARGETS[name].run((FOUND / name / crash).read_bytes())


@NAMED
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_seeds_with_parts_cut_doubled_and_altered_are_handled(name: str, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([seed for seed in TARGETS[name].seeds() if len(seed) < 2_000])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 40))
        part = bytes(content[at : at + length])
        content[at : at + length] = data.draw(st.binary(max_size=6) | st.sampled_from([part * 2, part[::-1], b""]))
    TARGETS[name].run(bytes(content))


@NAMED
@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_handled(name: str, content: bytes) -> None:
    TARGETS[name].run(content)


@pytest.mark.long
def test_a_run_of_the_fuzzer_counts_its_inputs_and_finds_what_is_planted() -> None:
    pytest.importorskip("atheris", reason="the fuzzer is in a dependency group of its own: `make fuzz` installs it")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--inputs", "2000", "--seconds", "120", "--target", "address"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 crashes" in done.stdout
