"""A statement of completeness: every block from A to B was seen, each names the one before it, and these are the facts
in them, counted. Two lines of JSON: the statement, and its seal.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b, sha256
from typing import Final, Literal

import msgspec
from msgspec import Struct
from nacl.signing import SigningKey

from consumers.audit.container import PackRefused
from consumers.audit.manifest import Seal, canonical, decoded, seal_of
from consumers.audit.tree import Tree
from indexer.errors import ConfigurationError, OperatorMustAct, Retryable
from indexer.hexes import StrictHash32
from indexer.log.audit import Report, verify
from indexer.log.canonical import CanonicalDigest, canonical_lines
from indexer.log.port import Log, LogDamaged
from indexer.log.records import BlockEntry, Forward, Rollback

MAX_STATEMENT_BYTES: Final = 1 << 20
NAME: Final = "the statement"


class NotFinal(OperatorMustAct):
    """A rollback may still take some of these blocks back."""

    exit_code = 1


class LogMoved(Retryable):
    """The log went on while blocks were counted that are not final yet."""


class Block(Struct, frozen=True):
    """A block's place on the chain."""

    height: int
    slot: int
    id: StrictHash32


class InLog(Struct, frozen=True):
    """Where the log stood: its last step, the digest that stands for all before it, and the tree over all steps."""

    step: int
    digest: StrictHash32
    tree_root: StrictHash32
    final_height: int


class Canonical(Struct, frozen=True):
    """The canonical log's digest up to a height, and how many facts it is over."""

    events: int
    digest: StrictHash32


class Statement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of the file."""

    format: Literal["cellwitness-completeness-statement"] = "cellwitness-completeness-statement"
    version: Literal[1] = 1
    network: str
    network_magic: int
    security_parameter: int
    deployments: dict[str, str]  # name -> digest of the profile
    first: Block
    last: Block
    parent: str  # header hash that the first block names: of the last block of the statement before
    blocks: int
    blocks_digest: StrictHash32  # a chain over the blocks, see ``chain_of``
    facts: dict[str, int]  # by kind, in these blocks
    before: Canonical  # up to the block before the first
    after: Canonical  # up to the last
    log: InLog
    previous: StrictHash32 | None  # SHA-256 of the statement before, as its file lies there
    signer: StrictHash32 | None


class Counted(Struct, frozen=True):
    """How far the counting is."""

    done: int
    total: int
    events: int


Progress = Callable[[Counted], None]


def make_statement(
    log: Log,
    heights: tuple[int, int],
    *,
    previous: bytes | None = None,
    provisional: bool = False,
    progress: Progress = lambda _: None,
) -> Statement:
    """Proves the whole log sound first, so that every number stands on blocks that link to their parents.

    Raises NotFinal, LogMoved, ConfigurationError for heights that the log does not have, LogDamaged.
    """
    first, last = heights
    report = verify(log, lambda at: progress(Counted(at.steps, at.to_step + 1, at.events)))
    if report.fault is not None:
        raise LogDamaged(f"no statement can be made of this log: {report.fault.what}", step=report.fault.step)
    if last > report.final_height and not provisional:
        raise NotFinal(
            f"height {last} is not final: up to {report.final_height} nothing changes; wait, or say --provisional"
        )
    chain, tree = _chain(log, report, heights)
    missing = [height for height in range(first, last + 1) if height not in chain]
    if missing or first > last:
        raise ConfigurationError(f"the log does not hold the blocks {first} to {last}: it ends at {report.height}")
    before, after, facts = _facts(log, first, last)
    end = log.end()
    if last > report.final_height and (end is None or end.digest != report.digest):
        raise LogMoved("the log went on while its newest blocks were counted: try again, or state final blocks only")
    opened = log.opened()
    blocks = [chain[height][0] for height in range(first, last + 1)]
    return Statement(
        network=opened.network,
        network_magic=opened.network_magic,
        security_parameter=opened.security_parameter,
        deployments=opened.deployments,
        first=_block(blocks[0]),
        last=_block(blocks[-1]),
        parent=chain[first][1],
        blocks=len(blocks),
        blocks_digest=chain_of(blocks),
        facts=dict(sorted(facts.items())),
        before=before,
        after=after,
        log=InLog(report.to_step, report.digest, tree.root, report.final_height),
        previous=None if previous is None else sha256(previous).hexdigest(),
        signer=None,
    )


def chain_of(blocks: list[BlockEntry]) -> str:
    """blake2b-256 over the digest before (32 zero bytes at first) and ``height slot id`` as text, block by block."""
    digest = bytes(32)
    for block in blocks:
        digest = blake2b(digest + f"{block.height} {block.slot} {block.id}".encode(), digest_size=32).digest()
    return digest.hex()


def _chain(log: Log, report: Report, heights: tuple[int, int]) -> tuple[dict[int, tuple[BlockEntry, str]], Tree]:
    """The blocks of the heights that hold at the log's end, each with the parent that it names; and the tree."""
    chain: dict[int, tuple[BlockEntry, str]] = {}
    first, last = heights

    def digests() -> Iterator[str]:
        for stored in log.spine():
            spine = stored.spine
            if spine.step > report.to_step:
                return
            if isinstance(spine, Rollback):
                for height in [height for height in chain if height > spine.height]:
                    del chain[height]
            elif isinstance(spine, Forward):
                parent = spine.parent
                for block in spine.blocks:
                    if first <= block.height <= last:
                        chain[block.height] = (block, parent)
                    parent = block.id
            yield stored.digest

    return chain, Tree(digests())


def _facts(log: Log, first: int, last: int) -> tuple[Canonical, Canonical, Counter[str]]:
    digest, counts = CanonicalDigest(), Counter[str]()
    before = Canonical(0, digest.hexdigest())
    for each in canonical_lines(log, last):
        line = _decode_place(each)
        digest.add(each)
        if line.height < first:
            before = Canonical(digest.events, digest.hexdigest())
        else:
            counts[line.type] += 1
    return before, Canonical(digest.events, digest.hexdigest()), counts


class _Place(Struct, frozen=True):
    height: int
    type: str


_decode_place = msgspec.json.Decoder(_Place).decode


def _block(entry: BlockEntry) -> Block:
    return Block(entry.height, entry.slot, entry.id)


def written(statement: Statement, key: SigningKey | None) -> bytes:
    """The file: the statement's line and its seal's."""
    signer = None if key is None else bytes(key.verify_key).hex()
    line = canonical(msgspec.structs.replace(statement, signer=signer))
    return line + canonical(seal_of(line, key))


def read_statement(content: bytes) -> tuple[bytes, Statement, Seal]:
    """The statement's bytes, the statement, and its seal. Raises PackRefused by name."""
    lines = content.splitlines(keepends=True)
    if len(content) > MAX_STATEMENT_BYTES or len(lines) != 2:
        raise PackRefused("statement_malformed", "a statement has two lines: itself, and its seal")
    return lines[0], decoded(lines[0], Statement, NAME), decoded(lines[1], Seal, "its seal")
