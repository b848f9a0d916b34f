"""Whether a statement holds: by itself, after the one before it, and against a log."""

from collections.abc import Iterator
from hashlib import sha256

from msgspec.structs import asdict, replace

from consumers.audit.answer import Answer, Line, answer, line
from consumers.audit.container import PackRefused
from consumers.audit.signature import signature_line
from consumers.audit.statement import Progress, Statement, make_statement, read_statement
from consumers.audit.tree import Tree
from indexer.errors import ConfigurationError
from indexer.log.port import Log, LogDamaged


def check_statement(content: bytes, *, signer: str | None = None, previous: bytes | None = None) -> Answer:
    """What a statement's file proves of itself, and beside the file of the statement before. Pure; never raises."""
    try:
        raw, statement, seal = read_statement(content)
        lines = [
            line("seal", "The statement is as it was sealed", _sealed(raw, seal.sha256)),
            signature_line(raw, statement.signer, seal, signer),
            line("numbers", "Its numbers agree with each other", _numbers(statement)),
            _previous(statement, previous),
        ]
    except PackRefused as refused:
        return answer([line(refused.code, "The statement can be read", [str(refused)])])
    lines.append(
        Line("on_chain", "unknown", "Whether these are all blocks of the chain: ask a node of your own, `audit replay`")
    )
    return answer(lines)


def against_log(content: bytes, found: Answer, log: Log, progress: Progress) -> Answer:
    """The answer, with what a log says of the same blocks. The log may have gone on since."""
    _, statement, _ = read_statement(content)
    heights = (statement.first.height, statement.last.height)
    try:
        ours = make_statement(log, heights, provisional=True, progress=progress)
    except (ConfigurationError, LogDamaged) as error:
        return answer([*found.lines, line("log", "This log says the same", [str(error)])])
    same = replace(ours, log=statement.log, previous=statement.previous, signer=statement.signer)
    faults = [
        f"{name} is {said}, the log says {asdict(same)[name]}"
        for name, said in asdict(statement).items()
        if asdict(same)[name] != said
    ]
    words = "This log holds the same blocks and facts, and its digests lead to the statement's"
    return answer([*found.lines, line("log", words, [*faults, *_log_faults(statement, log)])])


def _log_faults(statement: Statement, log: Log) -> Iterator[str]:
    """The log still begins as the one that the statement was made of: its tree over those steps has that root."""
    digests = []
    for stored in log.spine():
        if stored.spine.step > statement.log.step:
            break
        digests.append(stored.digest)
    if len(digests) != statement.log.step + 1 or digests[-1] != statement.log.digest:
        yield f"step {statement.log.step} of this log does not have the digest {statement.log.digest}"
    elif Tree(digests).root != statement.log.tree_root:
        yield f"the tree over its steps does not have the root {statement.log.tree_root}"


def _sealed(raw: bytes, digest: str) -> Iterator[str]:
    if sha256(raw).hexdigest() != digest:
        yield "it was changed"


def _numbers(statement: Statement) -> Iterator[str]:
    first, last = statement.first, statement.last
    if statement.blocks != last.height - first.height + 1:
        yield f"{statement.blocks} blocks are not those from {first.height} to {last.height}"
    if sum(statement.facts.values()) != statement.after.events - statement.before.events:
        yield "the facts by kind are not as many as the canonical log grew by"
    if first.slot > last.slot:
        yield "the last block is older than the first"


def _previous(statement: Statement, previous: bytes | None) -> Line:
    words = "It goes on where the statement before it ended"
    if previous is None:
        if statement.previous is None:
            return Line("previous", "unknown", "It names no statement before it")
        return Line("previous", "unknown", f"It follows the statement with SHA-256 {statement.previous}: give it")
    _, before, _ = read_statement(previous)
    faults = []
    if statement.previous != sha256(previous).hexdigest():
        faults.append("it names another one")
    if (before.last.height + 1, before.last.id) != (statement.first.height, statement.parent):
        faults.append(f"that one ends with block {before.last.id} at height {before.last.height}")
    if before.after != statement.before:
        faults.append("the facts before its blocks are not those that the other ended with")
    if (before.network_magic, before.deployments) != (statement.network_magic, statement.deployments):
        faults.append("that one is of another network, or of other deployments")
    return line("previous", words, faults)
