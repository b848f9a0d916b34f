"""The tree of all blocks that ever were. The child of one parent with one salt is always the same block."""

from hashlib import blake2b
from typing import Final

from msgspec import Struct

from indexer.chain import ORIGIN, Point, PointOrOrigin
from indexer.log.records import BlockEntry
from tests.simulation.ledger import FOREIGN, Expected, expected, transaction_json

# As long as an empty block of the preview testnet in Ogmios' JSON, 1,291 bytes with its tip.
_HEADER: Final = (
    b'{"type":"praos","era":"conway","id":"%s","size":{"bytes":4},"height":%d,"slot":%d,"ancestor":"%s",'
    b'"issuer":{"verificationKey":"'
    + b"03" * 32
    + b'","operationalCertificate":{"count":2,"sigma":"'
    + b"26" * 64
    + b'"},"leaderValue":{"output":"'
    + b"52" * 64
    + b'","proof":"'
    + b"f9" * 80
    + b'"}},"protocol":{"version":{"major":9,"minor":0}},"transactions":[%s]}'
)


class Mix(Struct, frozen=True):
    """Of 256 blocks, how many concern a deployment, and how many hold transactions of others only."""

    ours: int
    foreign: int


class Tree:
    """All blocks by id; another salt is another network."""

    def __init__(self, mix: Mix, salt: int = 0) -> None:
        self.mix = mix
        self.by_id: dict[str, SimBlock] = {}
        self.first = SimBlock(self, None, salt)

    def let_go(self) -> None:
        """Blocks name their children and their parent: without the former they are no longer a web."""
        for block in self.by_id.values():
            block.children.clear()
        self.by_id.clear()


class SimBlock:
    """A block. ``ours`` holds the numbers of its transactions that concern us, with their places in it."""

    __slots__ = ("_tree", "children", "entry", "next_number", "ours", "parent", "parent_id", "transactions")

    def __init__(self, tree: Tree, parent: "SimBlock | None", salt: int) -> None:
        self.parent, self._tree = parent, tree
        mix = tree.mix
        self.parent_id = parent.entry.id if parent else "genesis"
        dice = blake2b(b"%s/%d" % (self.parent_id.encode(), salt), digest_size=32).digest()
        name = dice.hex()
        height, slot = (parent.entry.height, parent.entry.slot) if parent else (-1, 0)
        self.entry: BlockEntry = BlockEntry(height + 1, slot + 1 + dice[0] % 40, name)
        first = parent.next_number if parent else 0
        self.ours: tuple[tuple[int, int], ...] = ()
        self.transactions = 0
        if dice[1] < mix.ours:
            # Transactions enter a chain in turn, so each stands on it once; on another fork in another block.
            count = 1 + dice[2] % 3
            shift = dice[3] % 2
            self.ours = tuple((first + (at + dice[4]) % count, at + shift) for at in range(count))
            self.transactions = count + shift
        elif dice[1] < mix.ours + mix.foreign:
            self.transactions = 1 + dice[2] % 3
        self.next_number: int = first + len(self.ours)
        self.children: dict[int, SimBlock] = {}
        tree.by_id[self.entry.id] = self

    def child(self, salt: int) -> "SimBlock":
        found = self.children.get(salt)
        if found is None:
            found = self.children[salt] = SimBlock(self._tree, self, salt)
        return found

    @property
    def point(self) -> Point:
        return Point(self.entry.slot, self.entry.id)

    @property
    def facts(self) -> list[Expected]:
        """What the log must hold of this block, in the chain's order."""
        return [each for number, place in self.ours for each in expected(number, place)]

    def json(self) -> bytes:
        body = b""
        if self.transactions:
            held = [FOREIGN] * self.transactions
            for number, place in self.ours:
                held[place] = transaction_json(number)
            body = b",".join(held)
        entry = self.entry
        return _HEADER % (entry.id.encode(), entry.height, entry.slot, self.parent_id.encode(), body)


def forward_frame(block: bytes, tip: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":%s,"tip":%s},"id":null}' % (
        block,
        tip,
    )


def backward_frame(point: PointOrOrigin, tip: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"backward","point":%s,"tip":%s},"id":null}' % (
        point_json(point),
        tip,
    )


def point_json(point: PointOrOrigin) -> bytes:
    return b'"origin"' if isinstance(point, str) else b'{"slot":%d,"id":"%s"}' % (point.slot, point.id.encode())


def tip_json(block: SimBlock | None) -> bytes:
    if block is None:
        return b'"origin"'
    entry = block.entry
    return b'{"slot":%d,"id":"%s","height":%d}' % (entry.slot, entry.id.encode(), entry.height)


def point_of(block: SimBlock | None) -> PointOrOrigin:
    return ORIGIN if block is None else block.point
