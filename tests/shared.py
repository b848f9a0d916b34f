"""Data that nobody here wrote, beside the checkout. Where it is missing, the test that needs it is skipped by name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def shared(path: str) -> Path:
    """A file or folder of the shared data, such as ``vectors/poison``."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"shared data is not here: {path}")
    return found
