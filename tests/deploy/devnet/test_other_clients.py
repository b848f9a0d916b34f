import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from deploy.devnet.server import serve
from tests.bench.typescript import PLACE, installed
from tests.deploy.devnet.client import ids, lively_chain
from tests.deploy.devnet.test_desk import ALICE, world


@pytest.mark.filterwarnings("ignore")
def test_the_pypi_ogmios_client_follows_the_devnet() -> None:
    """A second opinion on the server by a client that others wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ogmios: Any = pytest.importorskip("ogmios")
    chain, _ = lively_chain(120)
    found = []
    transactions = 0
    with serve(chain) as node, ogmios.Client("127.0.0.1", node.port) as client:
        point, tip, _ = client.find_intersection.execute([ogmios.Origin()])
        assert isinstance(point, ogmios.Origin)
        assert tip.height == 119
        client.next_block.execute()  # backward to the origin
        for _ in range(120):
            direction, _, block, _ = client.next_block.execute()
            assert direction is ogmios.Direction.forward
            found.append(block.id)
            transactions += len(block.transactions)
        assert client.query_block_height.execute()[0] == 119
        genesis, _ = client.query_genesis_configuration.execute(ogmios.Era.shelley.value)
        assert genesis.security_parameter == chain.network.k
    assert found == ids(chain)
    assert transactions > 10


@pytest.mark.long
def test_the_official_typescript_client_follows_and_queries_the_devnet() -> None:
    why = installed(may_install=True)
    if why:
        assert not os.environ.get("CI"), f"@cardano-ogmios/client has to be there: {why}"
        pytest.skip(f"@cardano-ogmios/client: {why}")
    script = PLACE / "devnet.mjs"
    shutil.copyfile(Path(__file__).with_name("typescript.mjs"), script)
    with world() as here:
        here.register()
        count = len(here.chain)
        words = ["node", str(script), "127.0.0.1", str(here.node.port), str(count), ALICE.place.text]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["ids"] == ids(here.chain)
        assert seen["height"] == count - 1
        assert seen["feeConstant"] == 155_381
        assert sorted(seen["lovelace"]) == sorted(each.utxo.lovelace for each in here.user.at(ALICE.place.text))
        assert seen["transactions"] > 3
        assert seen["rollbacks"] == 1, "the first answer after an intersection"
