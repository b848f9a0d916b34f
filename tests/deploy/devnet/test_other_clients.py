import warnings
from typing import Any

import pytest

from deploy.devnet.server import serve
from tests.deploy.devnet.client import ids, lively_chain


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
