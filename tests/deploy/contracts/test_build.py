"""The committed blueprints: what their sources compile to, and what they promise."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from deploy.contracts import build
from deploy.contracts.blueprint import BLUEPRINT, TRACED_BLUEPRINT, load_contracts
from deploy.contracts.parameters import ProtocolParameters
from indexer.errors import ConfigurationError
from tests.deploy.contracts.report import costs
from tests.shared import ROOT

COMMITTED = ROOT / "deploy" / "contracts"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "traced"), [(BLUEPRINT, False), (TRACED_BLUEPRINT, True)])
def test_the_sources_compile_to_the_committed_blueprint(tmp_path: Path, name: str, traced: bool) -> None:
    build.write(build.build(load_contracts().deployment, traced=traced), tmp_path / name)
    assert (tmp_path / name).read_bytes() == (COMMITTED / name).read_bytes(), "run `make blueprint` and commit"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_another_operator_makes_another_deployment() -> None:
    deployment = msgspec.structs.replace(load_contracts().deployment, operator="11" * 28)
    constants = {"OPERATOR": bytes.fromhex(deployment.operator)}
    assert build.compiled("passport", dict(constants)) != load_contracts().passport.content


def test_a_blueprint_whose_hash_is_not_its_scripts_is_refused(tmp_path: Path) -> None:
    blueprint = json.loads((COMMITTED / BLUEPRINT).read_text())
    blueprint["validators"][0]["hash"] = "00" * 28
    file = tmp_path / "plutus.json"
    file.write_text(json.dumps(blueprint))
    with pytest.raises(ConfigurationError, match="build the blueprint again"):
        load_contracts(file)
    file.write_text("{}")
    with pytest.raises(ConfigurationError, match="not a blueprint"):
        load_contracts(file)


def test_an_operator_that_is_no_key_hash_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        build.main, ["--operator", "abc", "--slot-zero-ms", "0", "--out", str(tmp_path)], catch_exceptions=False
    )
    assert result.exit_code == 2
    assert "56 hex digits" in result.output


def test_every_transaction_stays_under_a_tenth_of_the_ledgers_limits(parameters: ProtocolParameters) -> None:
    for name, cost in costs(parameters).items():
        assert cost.units.memory < parameters.max_transaction_memory / 10, name
        assert cost.units.cpu < parameters.max_transaction_cpu / 10, name
        assert cost.transaction_bytes < parameters.max_transaction_bytes / 10, name
