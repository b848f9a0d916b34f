"""The second machine: npm `scalus`, installed from its lock file into the ignored folder `.cellwitness`."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cbor2
import msgspec
import pytest

from deploy.contracts.context import SlotConfig
from deploy.contracts.ledger import OutputReference
from tests.shared import ROOT

SOURCE: Final = Path(__file__).parent / "scalus"
PLACE: Final = ROOT / ".cellwitness" / "second-evaluator"
INSTALL_SECONDS: Final = 300.0
COST_MODEL_VALUES: Final = 297  # it takes Plutus V3's first ones, like the Python machine


class SecondEvaluator:
    """One process that judges transaction after transaction."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(PLACE / "evaluate.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)

    def judge(
        self,
        transaction: bytes,
        outputs: Mapping[OutputReference, bytes],
        slots: SlotConfig,
        cost_model: tuple[int, ...],
    ) -> dict[str, Any]:
        """``units``: purpose, index, memory, CPU of each redeemer; or ``refused`` with its message and ``logs``."""
        known = [
            cbor2.dumps([bytes.fromhex(identity), index]) + output for (identity, index), output in outputs.items()
        ]
        request = {
            "transaction": transaction.hex(),
            "outputs": (_map_head(len(known)) + b"".join(known)).hex(),
            "zeroTimeMs": slots.zero_time_ms,
            "zeroSlot": slots.zero_slot,
            "slotMs": slots.slot_ms,
            "costModel": cost_model[:COST_MODEL_VALUES],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(request).decode() + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = msgspec.json.decode(self._process.stdout.readline())
        return answer


def _map_head(entries: int) -> bytes:
    assert entries < 24
    return bytes((0xA0 + entries,))


def require() -> None:
    """Installs it. Where Node is missing the tests that need it are skipped by name, in CI they fail."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            reason = f"{tool} is not installed: the second evaluator of the contracts can't run"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
    lock = (SOURCE / "package-lock.json").read_bytes()
    done = PLACE / "installed-lock.json"
    PLACE.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE / "evaluate.js", PLACE / "evaluate.js")
    if done.exists() and done.read_bytes() == lock:
        return
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(SOURCE / name, PLACE / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    ran = subprocess.run(command, cwd=PLACE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert ran.returncode == 0, f"npm could not install the second evaluator: {ran.stderr}"
    done.write_bytes(lock)
