"""Which of several nodes to follow: the first in the given order that is sound and not behind."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from indexer.chain import Point
from indexer.errors import InvalidChainData, OperatorMustAct, Retryable
from indexer.nodes import NodeState, State
from indexer.ogmios.connection import redacted
from indexer.ogmios.node import NodeFacts, NodeRefused, inspect_node

LAG_LIMIT_SLOTS: Final = 600
"""About 30 blocks. A node this far behind another's tip is still catching up, or has stopped."""


class Expected(Struct, frozen=True):
    """What the log was begun with, or the profiles ask for. None where that is not known yet."""

    network_magic: int | None = None
    security_parameter: int | None = None


class NoEndpoint(Retryable):
    """No endpoint can be followed for now."""


class Survey(Struct, frozen=True):
    """What the endpoints said, by address: facts, or why there are none."""

    facts: Mapping[str, NodeFacts]
    unwell: Mapping[str, str]
    refused: Mapping[str, str]  # for good, as long as we run


class Inspect(Protocol):
    """``inspect_node``, or what stands for it."""

    def __call__(self, url: str, *, timeout_seconds: float) -> NodeFacts: ...


def survey(
    urls: Sequence[str],
    set_aside: Mapping[str, str],
    inspect: Inspect = inspect_node,
    *,
    timeout_seconds: float = 5.0,
) -> Survey:
    """Asks every endpoint that was not set aside before."""
    facts: dict[str, NodeFacts] = {}
    unwell: dict[str, str] = {}
    refused = dict(set_aside)
    for url in urls:
        if url in refused:
            continue
        try:
            facts[url] = inspect(url, timeout_seconds=timeout_seconds)
        except Retryable as error:
            unwell[url] = str(error)
        except (NodeRefused, InvalidChainData) as error:
            refused[url] = str(error)
    return Survey(facts, unwell, refused)


def judge(found: Survey, expected: Expected) -> tuple[Survey, list[str]]:
    """Refuses nodes of another network and nodes that lag. Returns what is left and the order to try it in. Pure."""
    facts = dict(found.facts)
    refused = dict(found.refused)
    unwell = dict(found.unwell)
    for url, node in found.facts.items():
        why = _another_network(node, expected)
        if why:
            refused[url] = f"{redacted(url)} {why}"
            del facts[url]
    newest = max((_slot(node) for node in facts.values()), default=0)
    for url, node in list(facts.items()):
        behind = newest - _slot(node)
        if behind > LAG_LIMIT_SLOTS:
            unwell[url] = f"{redacted(url)} lags: its tip is {behind} slots behind the newest among the endpoints"
            del facts[url]
    return Survey(facts, unwell, refused), list(facts)


def states(
    endpoints: Sequence[str],
    found: Survey,
    aside: Mapping[str, str],
    followed: str,
    faults: Mapping[str, tuple[int, str]],
) -> tuple[NodeState, ...]:
    """What is known of each endpoint, in the given order, without passwords. Pure.

    ``aside``: those that were not asked, and why; ``faults``: how often a session ended in one, and the last.
    """
    told = []
    for url in endpoints:
        node = found.facts.get(url)
        count, last = faults.get(url, (0, ""))
        why = found.refused.get(url) or found.unwell.get(url) or aside.get(url, "")
        state: State = "refused" if url in found.refused else "unwell" if why or node is None else "sound"
        told.append(
            NodeState(
                endpoint=redacted(url),
                state="followed" if url == followed else state,
                reason="" if url == followed else why,
                version=node.version if node else "",
                network=node.network if node else "",
                tip_slot=_slot(node) if node else None,
                faults=count,
                last_fault=last,
            )
        )
    return tuple(told)


def nobody_left(found: Survey) -> OperatorMustAct | NoEndpoint:
    """The error to raise when no endpoint can be followed: final if all were refused for good."""
    reasons = "; ".join([*found.refused.values(), *found.unwell.values()])
    if found.unwell:
        return NoEndpoint(f"no node can be followed for now: {reasons}")
    return NodeRefused(f"every endpoint was refused: {reasons}")


def _another_network(node: NodeFacts, expected: Expected) -> str:
    genesis = node.genesis
    if expected.network_magic not in (None, genesis.network_magic):
        return f"is on the network with magic {genesis.network_magic}, not {expected.network_magic}"
    if expected.security_parameter not in (None, genesis.security_parameter):
        return f"has k = {genesis.security_parameter}, but the log was begun with {expected.security_parameter}"
    return ""


def _slot(node: NodeFacts) -> int:
    return node.tip.slot if isinstance(node.tip, Point) else 0
