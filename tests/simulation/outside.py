"""What a simulated process reaches besides its log: nodes by their address, and the clock."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from indexer.chain import ORIGIN
from indexer.eras import Bound, Era, EraHistory, EraParameters, SlotLength
from indexer.ogmios.connection import ConnectionLost
from indexer.ogmios.node import Genesis, NodeFacts
from indexer.outside import NodeConnection
from tests.simulation.faults import Process
from tests.simulation.ledger import MAGIC

if TYPE_CHECKING:
    from tests.simulation.world import World

STARTED: Final = datetime(2026, 1, 1, tzinfo=UTC)


class SimOutside:
    """As ``indexer.outside.Outside``: every call is an effect of its process, which may fail in any way."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world, self._process = world, process

    def inspect(self, url: str, *, timeout_seconds: float = 10.0) -> NodeFacts:
        del timeout_seconds
        self._world.begin(self._process, "inspect")
        node = self._world.network.nodes[url]
        if not node.up:
            raise ConnectionLost(f"can't connect to {url}")
        tip = node.tip_block
        # The forecast ends soon, so the follower has to ask again.
        start = Bound({"seconds": 0}, 0, 0)
        end_slot = (tip.entry.slot if tip else 0) + 200
        era = Era(start, EraParameters(86_400, SlotLength(1_000)), Bound({"seconds": end_slot}, end_slot, 0))
        self._world.end(self._process, "inspect")
        return NodeFacts(
            "v6.14.0",
            "preview",
            Genesis("testnet", MAGIC, self._world.settings.k),
            EraHistory(STARTED, (era,)),
            tip.point if tip else ORIGIN,
        )

    def connect(self, url: str, *, silence_seconds: float) -> NodeConnection:
        del silence_seconds
        world, process = self._world, self._process
        world.begin(process, "connect")
        link = world.network.connect(
            url,
            world.settings.batch,
            lambda what: world.begin(process, what),
            lambda what: world.end(process, what),
            lambda link, seconds: world.before_receive(process, link, seconds),
        )
        if process.fails("instead"):
            link.break_off(in_flight=False)  # accepted, and closed at once: a proxy whose node is away
        world.end(process, "connect")
        return link

    def now(self) -> float:
        return self._world.clock

    def jitter(self) -> float:
        return 1.0
