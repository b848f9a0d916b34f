"""The nodes together: who forks, who lags, and what no honest network does.

No two chains part deeper than k below the highest block that any node ever had: what Ouroboros promises, and what the
follower relies on. A node leaves its chain only for one that is at least as long.
"""

from collections.abc import Callable

from indexer.ogmios.connection import ConnectionLost
from tests.simulation.blocks import SimBlock, Tree
from tests.simulation.nodes import SimLink, SimNode
from tests.simulation.plan import Action


class Network:
    """Nodes by their address."""

    def __init__(self, tree: Tree, nodes: int, k: int) -> None:
        self.k = k
        self._tree = tree
        self.nodes = {f"ws://node-{at}:1337": SimNode(f"ws://node-{at}:1337", tree) for at in range(nodes)}
        self.highest = 0
        self._left: dict[str, tuple[int, list[SimBlock]]] = {}  # what a node had above a height before its last fork
        for node in self.nodes.values():
            node.chain.append(tree.first)

    @property
    def best(self) -> SimNode:
        return max(self.nodes.values(), key=lambda node: len(node.chain))

    @property
    def followed(self) -> SimNode | None:
        return next((node for node in self.nodes.values() if node.links), None)

    def connect(
        self,
        url: str,
        batch: int,
        begins: Callable[[str], None],
        ends: Callable[[str], None],
        before_receive: Callable[[SimLink, float], None],
    ) -> SimLink:
        node = self.nodes[url]
        if not node.up:
            raise ConnectionLost(f"can't connect to {url}")
        link = SimLink(node, batch, begins, ends, before_receive)
        link.k = self.k
        return link

    def act(self, action: Action) -> bool:
        """Whether anything came of it."""
        node = self._node(action.a)
        match action.kind:
            case "grow":
                return self._grow(node, action.b, action.c)
            case "sync":
                return self._sync(node, action.b)
            case "fork":
                return self._fork(node, action.b, action.c)
            case "return":
                return self._return(node)
            case "lag":
                return self._lag(node, action.b)
            case "down":
                node.up, node.late = False, True
                return bool(node.disconnect(in_flight=False))
            case "up":
                came, node.up = not node.up, True
                return came
            case "drop":
                return bool(node.disconnect(in_flight=bool(action.b)))
            case _:  # "freeze"
                for link in node.links:
                    link.frozen = True
                return bool(node.links)

    def recover(self) -> None:
        """The faults stop: all nodes are up, speak, and agree."""
        best = self.best
        for node in self.nodes.values():
            node.up = True
            for link in node.links:
                link.frozen = False
                link.instead, link.lie, link.held_back = b"", "", 0
            self._adopt(node, best)

    def answer_instead(self, frame: bytes) -> bool:
        """The next answer is this one."""
        node = self.followed
        if node is None or node.links[-1].broken:
            return False
        node.links[-1].instead = frame
        return True

    def come_late(self, times: int) -> bool:
        """What is on its way to the follower arrives only after so many looks."""
        node = self.followed
        if node is None or node.links[-1].broken:
            return False
        node.links[-1].held_back = times
        return True

    def tell_a_lie(self, lie: str) -> bool:
        node = self.followed
        if node is None or node.links[-1].broken:
            return False
        node.links[-1].lie = lie
        return True

    def _node(self, number: int) -> SimNode:
        """By number; one past the last means whichever is followed."""
        nodes = list(self.nodes.values())
        if number >= len(nodes):
            return self.followed or nodes[0]
        return nodes[number]

    def _grow(self, node: SimNode, count: int, salt: int) -> bool:
        if not node.up:
            return False
        best = self.best
        if node is not best and _common(node, best) == len(node.chain):
            return self._sync(node, count)
        self._extend(node, count, salt)
        return True

    def _extend(self, node: SimNode, count: int, salt: int = 0) -> None:
        chain = node.chain
        block = chain[-1]
        for _ in range(count):
            block = block.child(salt)
            chain.append(block)
        self._settle(node)

    def _settle(self, node: SimNode) -> None:
        """Others take the new blocks; of those on a fork, the ones that no longer can win."""
        if len(node.chain) - 1 <= self.highest:
            return
        self.highest = len(node.chain) - 1
        for other in self.nodes.values():
            common = _common(other, node)
            parted = common < len(other.chain)
            if (parted and common - 1 < self.highest - self.k) or not (parted or other.late):
                self._adopt(other, node)

    def _adopt(self, node: SimNode, other: SimNode) -> None:
        common = _common(node, other)
        if node is not other and common < len(other.chain):
            node.cut(common)
            node.chain += other.chain[common:]

    def _sync(self, node: SimNode, count: int) -> bool:
        best = self.best
        common = _common(node, best)
        if node is best or not node.up or common == len(best.chain):
            return False
        if common < len(node.chain):
            self._adopt(node, best)
            node.late = False
        else:
            node.late = bool(count)
            node.chain += best.chain[common : common + count if count else None]
        return True

    def _fork(self, node: SimNode, depth: int, longer: int) -> bool:
        chain = node.chain
        keep = max(len(chain) - depth, self.highest - self.k + 1, 1)
        depth = len(chain) - keep
        if depth < 1 or not node.up:
            return False
        left = chain[keep:]
        node.cut(keep)
        self._left[node.url] = (keep, left)
        # Another salt than the one that was left; the first of two, so that chains are come back to.
        salt = next(salt for salt in range(3) if chain[-1].child(salt) is not left[0])
        chain.append(chain[-1].child(salt))
        self._extend(node, depth - 1 + longer)
        return True

    def _return(self, node: SimNode) -> bool:
        """A, B, A: back to the chain that it left, which has grown meanwhile."""
        keep, left = self._left.pop(node.url, (0, []))
        chain = node.chain
        if not left or not node.up or keep - 1 < self.highest - self.k or len(chain) <= keep:
            return False
        if chain[keep - 1] is not left[0].parent or chain[keep] is left[0]:
            return False
        length = len(chain)
        left_now = chain[keep:]
        node.cut(keep)
        chain += left
        self._left[node.url] = (keep, left_now)
        self._extend(node, max(0, length - len(chain)))
        self._settle(node)
        return True

    def _lag(self, node: SimNode, blocks: int) -> bool:
        """Restarted from an older state: it is behind, and says no rollback to anybody."""
        if len(node.chain) <= blocks or len(self.nodes) == 1:
            return False
        node.disconnect(in_flight=False)
        if node is self.best and all(
            other is node or len(other.chain) < len(node.chain) for other in self.nodes.values()
        ):
            return False  # somebody keeps what the network has
        del node.chain[-blocks:]
        node.late = True
        return True


def _common(one: SimNode, other: SimNode) -> int:
    """How many first blocks two chains share. They never meet again after they part."""
    a, b = one.chain, other.chain
    at = min(len(a), len(b))
    while at and a[at - 1] is not b[at - 1]:
        at -= 1
    return at
