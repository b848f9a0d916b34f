"""A node's chain: a current branch that grows, forks and is read by any number of clients, each with its own cursor."""

import random
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from deploy.devnet.blocks import GENESIS, BlockTransaction, Header, digest, make_block
from deploy.devnet.branch import Carried, rebranch, transactions_of
from deploy.devnet.network import Network, OgmiosVersion
from deploy.devnet.preview import MEAN_INTERVAL_SLOTS
from deploy.devnet.spool import Spool
from indexer.chain import ORIGIN, Point, PointOrOrigin, Tip, TipOrOrigin
from indexer.errors import ConfigurationError, InvalidChainData

FIRST_SLOT: Final = 20


class Ledger(Protocol):
    """Whoever makes the transactions of a growing chain, and must know what a fork did to them."""

    def transactions(self, slot: int) -> list[BlockTransaction]:
        """What goes into a block at this slot, in order."""

    def undo(self, transactions: Sequence[str]) -> None:
        """These ids, newest first, are on the chain no more."""

    def redo(self, transaction: str, slot: int) -> bool:
        """An undone transaction enters another branch. False where what it builds on is no longer there."""


class NoTransactions:
    """The ledger of a chain of empty blocks, or of a recording: every old transaction may come back."""

    def transactions(self, slot: int) -> list[BlockTransaction]:
        del slot
        return []

    def undo(self, transactions: Sequence[str]) -> None:
        pass

    def redo(self, transaction: str, slot: int) -> bool:
        del transaction, slot
        return True


class Fork(Struct, frozen=True, kw_only=True):
    """What one fork did."""

    depth: int  # blocks rolled back
    intersection: PointOrOrigin  # the last block that both branches share
    old_tip: TipOrOrigin
    new_tip: TipOrOrigin
    blocks: int  # of the new branch
    moved: int  # transactions that are on both branches
    dropped: int  # transactions that are on the old branch only


class _Abandoned(Struct, frozen=True):
    """The branch that the newest fork left."""

    position: int  # of the intersection
    records: list[int]
    headers: list[Header]
    transactions: list[str]


class Cursor:
    """Where one client stands: behind ``position`` blocks of the branch. It knows which forks it has been told of."""

    __slots__ = ("backward", "beginning", "forks_seen", "position")

    def __init__(self) -> None:
        self.position = 0
        self.beginning: PointOrOrigin = ORIGIN  # how this client calls what lies before the first block
        self.backward = False  # the next answer is a roll backward to the position
        self.forks_seen = 0


class Chain:
    """Blocks, kept encoded (see Spool); 48 bytes of memory a block, 1.5 kB of disk for an empty one.

    Every method may be called from any thread. Heights have no gaps; what a fork abandons is forgotten.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        ogmios_version: OgmiosVersion = "6.14",
        seed: int = 0,
        ledger: Ledger | None = None,
    ) -> None:
        self.network = network or Network()
        self.ogmios_version: OgmiosVersion = ogmios_version
        self.ledger: Ledger = ledger or NoTransactions()
        self.complete = True  # False while a recording is being played: more is known to come
        self._random = random.Random(f"chain/{seed}")  # noqa: S311 reproducible, not secret
        self._lock = threading.RLock()
        self._watchers: list[Callable[[], None]] = []
        self._spool = Spool()
        self._records = array("Q")  # block -> its number in the spool
        self._slots = array("Q")
        self._ids = bytearray()  # 32 bytes each
        self._first_height = 0
        self._root: PointOrOrigin = ORIGIN
        # No two networks share a genesis, so none of their blocks are the same.
        self._salt = b"" if self.network.magic == Network().magic else self.network.magic.to_bytes(4)
        self._forks: list[int] = []  # the positions rolled back to, oldest first
        self._abandoned: _Abandoned | None = None

    def __len__(self) -> int:
        return len(self._records)

    @property
    def forks(self) -> int:
        """How often this chain has changed its branch."""
        return len(self._forks)

    @property
    def tip(self) -> TipOrOrigin:
        return self.tip_before(0)

    @property
    def root(self) -> PointOrOrigin:
        """What lies before the first block: the origin or, in a recording that begins later, its first block's parent.

        No recording tells the parent's slot: the one just before the first block's stands for it.
        """
        return self._root

    def point(self, position: int) -> PointOrOrigin:
        """The newest block of the first ``position`` ones."""
        with self._lock:
            return Point(self._slots[position - 1], self._id(position - 1)) if position else self._root

    def _id(self, block: int) -> str:
        return self._ids[32 * block : 32 * block + 32].hex()

    def _header(self, block: int) -> Header:
        return Header(
            self._id(block),
            self._first_height + block,
            self._slots[block],
            self._id(block - 1) if block else GENESIS,
        )

    # growing

    def append(self, header: Header, block: bytes) -> None:
        """Adds a block as Ogmios shows it (the value of ``block``). Raises InvalidChainData where it doesn't link."""
        with self._lock:
            size = len(self)
            if size:
                last = self._header(size - 1)
                if header.ancestor != last.id or header.height != last.height + 1 or header.slot <= last.slot:
                    raise InvalidChainData(
                        f"block {header.height} at slot {header.slot} names {header.ancestor} as its parent; "
                        f"the chain ends with block {last.height} at slot {last.slot}, {last.id}"
                    )
            else:
                self._first_height = header.height
                self._root = ORIGIN if header.ancestor == GENESIS else Point(header.slot - 1, header.ancestor)
            self._records.append(self._spool.append(block))
            self._slots.append(header.slot)
            self._ids += bytes.fromhex(header.id)
        self._changed()

    def add(self, slot: int, transactions: Sequence[BlockTransaction] = ()) -> Header:
        """Makes a block of these transactions on top of the branch."""
        with self._lock:
            parent = self._header(len(self) - 1) if len(self) else None
            header, block = make_block(
                parent=parent,
                height=parent.height + 1 if parent else 0,
                slot=slot,
                transactions=transactions,
                salt=digest(self._salt, len(self._forks).to_bytes(4)) if self._forks else self._salt,
            )
            self.append(header, block)
            return header

    def grow(self, blocks: int = 1) -> list[Header]:
        """Makes that many blocks, some 25 slots apart, of whatever transactions the ledger has by then."""
        with self._lock:
            headers = []
            for _ in range(blocks):
                slot = self.next_slot()
                headers.append(self.add(slot, self.ledger.transactions(slot)))
            return headers

    def grow_with(self, more: Sequence[BlockTransaction]) -> Header:
        """Makes one block, with these transactions behind the ledger's."""
        with self._lock:
            slot = self.next_slot()
            return self.add(slot, [*self.ledger.transactions(slot), *more])

    def next_slot(self) -> int:
        """A slot for the next block, drawn as the real chain's are (``preview.py``)."""
        with self._lock:
            gap = 1 + int(self._random.expovariate(1 / MEAN_INTERVAL_SLOTS))
            return self._slots[-1] + gap if len(self) else FIRST_SLOT

    # forking

    def rollback(self, point: PointOrOrigin) -> None:
        """Drops every block after the point. A chain never stays so: the other branch's blocks are added next."""
        with self._lock:
            position = self.find(point)
            if position is None:
                raise InvalidChainData(f"the chain has no block {point} to roll back to")
            if position == len(self):
                return
            del self._records[position:]
            del self._slots[position:]
            del self._ids[32 * position :]
            self._forks.append(position)
        self._changed()

    def fork(self, depth: int, *, drop_share: float = 0.1) -> Fork:
        """Rolls back ``depth`` blocks and grows another branch, one block longer.

        Its transactions are the old branch's, some in other blocks; about ``drop_share`` of them, and all that build
        on those, are lost. Raises ConfigurationError for a depth that the chain doesn't have.
        """
        with self._lock:
            if not 0 < depth <= len(self):
                raise ConfigurationError(f"a fork of {depth} blocks needs 1 to {len(self)}, the length of the chain")
            position = len(self) - depth
            old_tip, intersection = self.tip, self.point(position)
            old = [
                Carried(slot=slot, transactions=transactions_of(block))
                for slot, block in zip(
                    self._slots[position:], self._spool.read(list(self._records[position:])), strict=True
                )
            ]
            before = [transaction.id for carried in old for transaction in carried.transactions]
            self._abandoned = _Abandoned(
                position,
                list(self._records[position:]),
                [self._header(block) for block in range(position, len(self))],
                before,
            )
            self.rollback(intersection)
            self.ledger.undo(before[::-1])
            after_slot = self._slots[-1] if len(self) else 0
            kept = 0
            for slot, transactions in rebranch(old, after_slot, drop_share, self._random, self.ledger.redo):
                kept += len(transactions)
                self.add(slot, transactions)
            return Fork(
                depth=depth,
                intersection=intersection,
                old_tip=old_tip,
                new_tip=self.tip,
                blocks=depth + 1,
                moved=kept,
                dropped=len(before) - kept,
            )

    def restore(self) -> Fork:
        """Goes back to the branch that the newest fork abandoned, block for block, and grows it beyond the other one.

        Raises ConfigurationError where there is none to go back to.
        """
        with self._lock:
            left = self._abandoned
            if left is None or left.position > len(self):
                raise ConfigurationError("there is no abandoned branch to go back to: fork first")
            depth, old_tip, length = len(self) - left.position, self.tip, len(self)
            gone = [
                transaction.id
                for block in self._spool.read(list(self._records[left.position :]))
                for transaction in transactions_of(block)
            ]
            self.rollback(self.point(left.position))
            self.ledger.undo(gone[::-1])
            for header, record in zip(left.headers, left.records, strict=True):
                self.append(header, self._spool.read([record])[0])
            for transaction in left.transactions:
                self.ledger.redo(transaction, 0)
            self._abandoned = None
            self.grow(max(1, length + 1 - len(self)))
            return Fork(
                depth=depth,
                intersection=self.point(left.position),
                old_tip=old_tip,
                new_tip=self.tip,
                blocks=len(self) - left.position,
                moved=len(set(gone) & set(left.transactions)),
                dropped=len(set(gone) - set(left.transactions)),
            )

    # reading

    def tip_before(self, blocks: int) -> TipOrOrigin:
        """The tip as it would be without the newest ``blocks`` ones."""
        with self._lock:
            block = len(self) - blocks - 1
            header = self._header(block) if block >= 0 else None
        return Tip(header.slot, header.id, header.height) if header else ORIGIN

    def find(self, point: PointOrOrigin) -> int | None:
        """The position just behind the point; None where the branch doesn't hold it."""
        if not isinstance(point, Point) or point == self._root:
            return 0
        with self._lock:
            block = bisect_left(self._slots, point.slot)
            if block < len(self) and self._slots[block] == point.slot and self._id(block) == point.id:
                return block + 1
            return None

    def intersect(self, cursor: Cursor, points: Sequence[PointOrOrigin], *, hidden: int = 0) -> PointOrOrigin | None:
        """Moves the cursor to the first of the points that the branch holds. None, and no move, if it holds none.

        The newest ``hidden`` blocks are not looked at.
        """
        with self._lock:
            for point in points:
                position = self.find(point)
                if position is not None and position <= len(self) - hidden:
                    cursor.position = position
                    cursor.beginning = point if position == 0 else self._root
                    cursor.backward = True
                    cursor.forks_seen = len(self._forks)
                    return point
            return None

    def read(
        self, cursor: Cursor, limit: int, limit_bytes: int, *, hidden: int = 0
    ) -> tuple[PointOrOrigin | None, list[bytes]]:
        """What comes next for a client: a point to roll backward to, or up to ``limit`` blocks, or neither at the tip.

        Moves the cursor past what it returns. At least one block is returned, however large; then ``limit_bytes``
        holds, as well as a file's worth of blocks can be guessed. The newest ``hidden`` blocks are not handed out.
        """
        with self._lock:
            self._notice_forks(cursor)
            if cursor.backward:
                cursor.backward = False
                return (self.point(cursor.position) if cursor.position else cursor.beginning), []
            wanted = min(limit, len(self) - hidden - cursor.position)
            blocks: list[bytes] = []
            total = 0
            while wanted > 0 and total < limit_bytes:
                step = min(wanted, 64)
                found = self._spool.read(list(self._records[cursor.position : cursor.position + step]))
                cursor.position += step
                wanted -= step
                blocks += found
                total += sum(map(len, found))
            return None, blocks

    def _notice_forks(self, cursor: Cursor) -> None:
        if cursor.forks_seen == len(self._forks):
            return
        lowest = min(self._forks[cursor.forks_seen :])
        cursor.forks_seen = len(self._forks)
        if lowest < cursor.position:
            cursor.position = lowest
            cursor.backward = True

    # watching

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Calls ``watcher``, in the thread that changed the chain, after each change. Returns how to end that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _changed(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()

    def close(self) -> None:
        """Gives back the disk space."""
        self._spool.close()
