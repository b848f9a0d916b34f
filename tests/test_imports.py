"""Imports go one way: indexer <- projections <- consumers <- deploy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared import ROOT

PACKAGES = ("indexer", "projections", "consumers", "deploy")
OPEN_TO_ALL = (
    *("indexer.events", "indexer.hexes", "indexer.chain", "indexer.protocol", "indexer.log", "indexer.errors"),
    "indexer.nodes",
)
PURE = (
    "indexer/chain.py",
    "indexer/decode.py",
    "indexer/eras.py",
    "indexer/events.py",
    "indexer/follow.py",
    "indexer/hexes.py",
    "indexer/log/records.py",
    "indexer/log/steps.py",
    "indexer/nodes.py",
    "indexer/ogmios/messages.py",
    "indexer/ogmios/salvage.py",
    "indexer/protocol",
    "consumers/audit/answer.py",
    "consumers/audit/chart.py",
    "consumers/audit/check_bytes.py",
    "consumers/audit/check_log.py",
    "consumers/audit/check_second.py",
    "consumers/audit/container.py",
    "consumers/audit/evidence.py",
    "consumers/audit/inclusion.py",
    "consumers/audit/judged.py",
    "consumers/audit/manifest.py",
    "consumers/audit/report.py",
    "consumers/audit/tree.py",
    "consumers/audit/verify.py",
    "consumers/alerting/backoff.py",
    "consumers/alerting/bundles.py",
    "consumers/alerting/messages.py",
    "consumers/alerting/notices.py",
    "consumers/alerting/plan.py",
    "consumers/alerting/routes.py",
    "consumers/dashboard/charts",
    "consumers/lives.py",
    "consumers/text.py",
    "projections/alerts.py",
    "projections/batch.py",
    "projections/fleet_rules.py",
    "projections/folding.py",
    "projections/judging.py",
    "projections/rules",
    "projections/parking.py",
    "projections/timeline.py",
    "projections/verdicts",
)
IMPURE = {
    "os",
    "socket",
    "time",
    "random",
    "logging",
    "structlog",
    "psycopg",
    "sqlite3",
    "websockets",
    "prometheus_client",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_package_imports_one_above_it() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for level, package in enumerate(PACKAGES)
        for file in modules(package)
        for name in imports(file)
        if name.partition(".")[0] in PACKAGES[level + 1 :]
    ]
    assert not wrong


def test_above_the_indexer_only_its_contract_is_imported() -> None:
    """The composition root (deploy) may wire anything; projections and consumers read the contract only."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for package in ("projections", "consumers")
        for file in modules(package)
        for name in imports(file)
        if name.startswith("indexer.") and not name.startswith(OPEN_TO_ALL)
    ]
    assert not wrong


def test_the_core_has_no_clock_no_socket_and_no_logger() -> None:
    files = [file for path in PURE for file in ([ROOT / path] if path.endswith(".py") else modules(path))]
    wrong = [f"{file} imports {name}" for file in files for name in imports(file) if name.partition(".")[0] in IMPURE]
    assert not wrong


def test_nothing_but_the_devnet_imports_the_libraries_that_build_transactions() -> None:
    wrong = [
        f"{file} imports {name}"
        for package in PACKAGES
        for file in modules(package)
        if "devnet" not in file.parts
        for name in imports(file)
        if name.partition(".")[0] in {"pycardano", "ogmios", "cose"}
    ]
    assert not wrong


def test_compiler_and_evaluator_of_scripts_are_imported_by_their_own_modules_only() -> None:
    allowed = {"deploy/contracts/build.py", "deploy/contracts/machine.py"}
    wrong = [
        f"{file} imports {name}"
        for package in PACKAGES
        for file in modules(package)
        if str(file.relative_to(ROOT)) not in allowed and "onchain" not in file.parts
        for name in imports(file)
        if name.partition(".")[0] in {"opshin", "uplc", "pluthon"}
    ]
    assert not wrong


def test_reading_the_contracts_needs_neither_compiler_nor_evaluator() -> None:
    code = (
        "import sys; from deploy.contracts.blueprint import load_contracts; import deploy.contracts.judge; "
        "load_contracts(); "
        "print([name for name in ('uplc', 'opshin', 'pycardano') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_longer_than_400_lines(package: str) -> None:
    assert not [str(f) for f in modules(package) if len(f.read_text().splitlines()) > 400]
