"""Points, tips, blocks and transactions: plain values, shaped as Ogmios writes them so that they decode in one pass."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

ORIGIN: Final = "origin"

NO_BLOCK_HEIGHT: Final = -1
"""Height of the origin: the first block has height 0 or 1."""


Slot = Annotated[int, Meta(ge=0)]
Height = Annotated[int, Meta(ge=0)]


class Point(Struct, frozen=True):
    """A place on the chain: a slot and the block header's hash (32 bytes, lowercase hex)."""

    slot: Slot
    id: str

    def __str__(self) -> str:
        return f"{self.slot}.{self.id}"


PointOrOrigin = Point | Literal["origin"]


class Tip(Struct, frozen=True):
    """The newest block a node knows."""

    slot: Slot
    id: str
    height: Height


TipOrOrigin = Tip | Literal["origin"]


class TransactionReference(Struct, frozen=True):
    """Names a transaction by its id (32 bytes, hex)."""

    id: str


class OutputReference(Struct, frozen=True, order=True):
    """Names one output of a transaction."""

    transaction: TransactionReference
    index: int

    def __str__(self) -> str:
        return f"{self.transaction.id}#{self.index}"

    @property
    def key(self) -> tuple[str, int]:
        """The ledger's order of inputs: by transaction id, then index."""
        return (self.transaction.id, self.index)


Assets = dict[str, dict[str, int]]
"""policy id (28 bytes, hex) -> asset name (0 to 32 bytes, hex) -> quantity; in a value also ``ada`` -> ``lovelace``."""


class ReferenceScript(Struct, frozen=True):
    """That an output carries a script; its bytes concern nobody here."""

    language: str = ""


class Output(Struct, frozen=True, rename="camel"):
    """A transaction's output. At most one of ``datum`` (inline) and ``datum_hash`` is there."""

    address: str  # bech32, or base58 for Byron
    value: Assets
    datum: str | None = None  # CBOR of the Plutus data, as received, hex
    datum_hash: str | None = None  # blake2b-256, hex
    script: ReferenceScript | None = None

    @property
    def lovelace(self) -> int:
        return self.value.get("ada", {}).get("lovelace", 0)


class Validator(Struct, frozen=True):
    """What a redeemer is for. ``spend`` counts inputs sorted by (id, index), ``mint`` policies sorted by bytes."""

    purpose: str
    index: int


class Redeemer(Struct, frozen=True):
    """The argument given to one script run: CBOR of the Plutus data, as received, hex."""

    validator: Validator
    redeemer: str


class Signatory(Struct, frozen=True):
    """A witness: its verification key (32 bytes, hex; 64 with the chain code in old bootstrap witnesses)."""

    key: str


class ValidityInterval(Struct, frozen=True, rename="camel"):
    """Slots in which a transaction may enter a block: from ``invalid_before`` until just below ``invalid_after``."""

    invalid_before: int | None = None
    invalid_after: int | None = None


class Transaction(Struct, frozen=True, rename="camel"):
    """The parts of a transaction that can concern a deployment.

    ``spends`` is ``collaterals`` where a script failed: then inputs, outputs, mint and redeemers had no effect, the
    collaterals were consumed, and ``collateral_return`` was created at index ``len(outputs)``.
    """

    id: str  # 32 bytes, hex
    inputs: tuple[OutputReference, ...]
    spends: Literal["inputs", "collaterals"] = "inputs"  # sub-transactions do not say
    references: tuple[OutputReference, ...] = ()
    collaterals: tuple[OutputReference, ...] = ()
    outputs: tuple[Output, ...] = ()
    collateral_return: Output | None = None
    mint: Assets = {}
    redeemers: tuple[Redeemer, ...] = ()
    required_extra_signatories: tuple[str, ...] = ()  # key hashes, 28 bytes, hex
    signatories: tuple[Signatory, ...] = ()
    validity_interval: ValidityInterval = ValidityInterval()
    datums: dict[str, str] = {}  # datum hash -> CBOR, hex
    sub_transactions: tuple["Transaction", ...] = ()  # Dijkstra era (Ogmios v7)


class UnreadableTransaction(Struct, frozen=True):
    """A transaction that no decoder could read, kept as the JSON text that the node sent."""

    raw: bytes
    reason: str


class Block(Struct, frozen=True):
    """A block, with its transactions in order. One that could not be read keeps its place in the list."""

    point: Point
    height: int  # the block number
    parent: str  # header hash of the block before, or "genesis"
    transactions: tuple[Transaction | UnreadableTransaction, ...] = ()


class BoundaryBlock(Struct, frozen=True):
    """A Byron epoch boundary block: no slot, no transactions, never a point; it only links its neighbours."""

    id: str
    height: int
    parent: str


class RollForward(Struct, frozen=True):
    """The node's chain goes on with this block."""

    block: Block | BoundaryBlock
    tip: TipOrOrigin


class RollBackward(Struct, frozen=True):
    """Everything after ``point`` is no longer on the node's chain; the block at the point is."""

    point: PointOrOrigin
    tip: TipOrOrigin


ChainMessage = RollForward | RollBackward
