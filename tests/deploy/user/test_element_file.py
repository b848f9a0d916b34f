"""A software secure element keeps its promise whatever happens to the process: no counter signs twice."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.user.element_file import ALGORITHMS, CounterUsed, ElementFile
from indexer.errors import ConfigurationError, Retryable
from indexer.protocol.cose import read_cose
from tests.deploy.devnet.oracle import HALF_ORDER

BATTERY, CHALLENGE = b"urn:eudpp:battery:mine", bytes(32)
STATE: dict[int, int | list[int]] = {1: 9_500, 2: 5_000, 3: 12, 4: 100, 6: 350_000, 7: 0, 8: 10, 9: 12}

TAP_FOREVER = """
import sys
from pathlib import Path
from deploy.user.element_file import ElementFile
element = ElementFile(Path(sys.argv[1]))
while True:
    cose, counter = element.tap(b"urn:eudpp:battery:mine", bytes(32), {1: 1, 3: 1})
    sys.stdout.write(f"{counter}\\n")
    sys.stdout.flush()
"""


def tap(element: ElementFile, counter: int | None = None) -> int:
    cose, used = element.tap(BATTERY, CHALLENGE, STATE, counter)
    reading = read_cose(cose).reading
    assert reading is not None
    assert reading.counter == used
    return used


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_new_element_is_for_its_owner_alone_and_signs_what_its_key_verifies(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "chip.json"
    element = ElementFile.create(path, ALGORITHMS[algorithm])
    assert path.stat().st_mode & 0o777 == 0o600
    cose, _ = element.tap(BATTERY, CHALLENGE, STATE)
    assert path.stat().st_mode & 0o777 == 0o600
    view = read_cose(cose)
    assert view.departures == ()
    assert view.algorithm == ALGORITHMS[algorithm]
    if algorithm == "ES256K":
        assert view.signature is not None
        assert int(view.signature[64:], 16) <= HALF_ORDER
    assert json.loads(path.read_text())["secret"] not in element.chip().public_key.hex()


def test_an_element_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    ElementFile.create(path, -47)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="not overwritten"):
        ElementFile.create(path, -47)
    assert path.read_bytes() == before


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    element = ElementFile.create(path, -47)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        tap(element)


def test_a_used_counter_is_refused_and_a_later_one_leaves_a_gap(tmp_path: Path) -> None:
    element = ElementFile.create(tmp_path / "chip.json", -47)
    assert [tap(element), tap(element), tap(element, 9), tap(element)] == [0, 1, 9, 10]
    for used in (0, 5, 10):
        with pytest.raises(CounterUsed):
            tap(element, used)
    assert element.chip().counter == 11


@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_whatever_is_asked_for_no_counter_signs_twice(tmp_path: Path, wanted: list[int | None]) -> None:
    path = tmp_path / f"{time.monotonic_ns()}.json"
    element, signed = ElementFile.create(path, -8), []
    for counter in wanted:
        try:
            signed.append(tap(element, counter))
        except CounterUsed:
            assert counter is not None
            assert counter <= max(signed, default=-1)
    assert signed == sorted(set(signed))


def test_a_counter_is_on_the_disk_before_it_signs(tmp_path: Path) -> None:
    """Killed again and again in the middle of its work, it never says a counter twice."""
    path = tmp_path / "chip.json"
    ElementFile.create(path, -8)
    said: list[int] = []
    for round_number in range(6):
        with subprocess.Popen([sys.executable, "-c", TAP_FOREVER, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            said += [int(process.stdout.readline()) for _ in range(3 + round_number)]
            os.kill(process.pid, signal.SIGKILL)
            said += [int(line) for line in process.stdout.read().decode().splitlines() if line]
    assert len(said) > 20
    assert said == sorted(set(said))


def _hold(path: str, held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with ElementFile(Path(path))._alone():
        held.set()
        done.wait(30)


def test_two_at_once_is_refused_for_now(tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    element = ElementFile.create(path, -47)
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(path), held, done))
    other.start()
    try:
        assert held.wait(30)
        with pytest.raises(Retryable):
            tap(element)
    finally:
        done.set()
        other.join()
    assert tap(element) == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"nonsense", b'{"kind":"other"}'])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chip.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="no software secure element"):
        tap(ElementFile(path))
