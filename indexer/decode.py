"""Blocks in, facts out: what a block's transactions say of the deployments that are followed."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from indexer import chain
from indexer.events import ChainEvent, ReadingRejected
from indexer.protocol.accounts import reading_facts, refuse_ambiguous, reporting_facts, reporting_of
from indexer.protocol.address import payment_fragment
from indexer.protocol.commitments import closed_facts, minted_facts
from indexer.protocol.profile import Profile, needles
from indexer.protocol.tokens import collateral_return_facts, passport_facts
from indexer.protocol.view import TransactionView, Where, frame_fault, quarantined

MAX_NESTING: Final = 8
"""Levels of sub-transactions that are decoded; the ledger (Dijkstra era) allows one."""

# Offsets of the fragment in an address: behind the prefix and two more characters. See address.payment_fragment.
_FRAGMENT_PLACES: Final = {"addr1": slice(7, 51), "addr_": slice(12, 56)}


class _Watch(Struct, frozen=True):
    """The profiles by name, and which of them (by position) a policy or an address concerns."""

    profiles: tuple[Profile, ...]
    policies: dict[str, tuple[int, ...]]
    fragments: dict[str, tuple[int, ...]]
    needles: tuple[tuple[bytes, ...], ...]


def decode(block: chain.Block, profiles: Sequence[Profile]) -> list[ChainEvent]:
    """The facts that a block states about the deployments: by transaction, then by ``index`` within it.

    Pure, and never raises for what a block holds: a part that can't be read is quarantined, the rest is decoded.
    Profiles in any order give the same facts. Within a transaction they come by nesting (itself, then its
    sub-transactions in order), deployment name, and kind: passports, ownership tokens, accounts closed, commitments
    minted, accounts and readings, commitments closed, quarantined parts.
    """
    watch = _watch(tuple(sorted(profiles, key=lambda profile: profile.name)))
    events: list[ChainEvent] = []
    for position, tx in enumerate(block.transactions):
        if isinstance(tx, chain.UnreadableTransaction):
            found = _unreadable(tx, watch, position)
        else:
            found = _top_level(tx, watch, position)
        events += (replace(event, index=index) for index, event in enumerate(found))
    return events


@lru_cache(maxsize=16)
def _watch(profiles: tuple[Profile, ...]) -> _Watch:
    policies: dict[str, tuple[int, ...]] = {}
    fragments: dict[str, tuple[int, ...]] = {}
    for position, profile in enumerate(profiles):
        for policy in {profile.commitment_policy, profile.passport_policy}:
            policies[policy] = (*policies.get(policy, ()), position)
        fragment = payment_fragment(profile.reporting_script)
        fragments[fragment] = (*fragments.get(fragment, ()), position)
    return _Watch(profiles, policies, fragments, tuple(needles(profile) for profile in profiles))


def _top_level(tx: chain.Transaction, watch: _Watch, position: int) -> Iterator[ChainEvent]:
    """A transaction and those nested in it. They share its fate: where its scripts failed, none took effect."""
    failed = tx.spends == "collaterals"
    waiting: list[tuple[chain.Transaction, tuple[int, ...]]] = [(tx, ())]
    while waiting:
        nested, path = waiting.pop()
        for place in _concerned(nested, watch, failed=failed):
            yield from _facts(nested, watch.profiles[place], position, path, failed=failed)
        below = [(sub, (*path, number)[: MAX_NESTING + 1]) for number, sub in enumerate(nested.sub_transactions)]
        waiting += reversed(below)


def _concerned(tx: chain.Transaction, watch: _Watch, *, failed: bool) -> list[int]:
    """The positions of the profiles that a transaction can concern. See ``needles`` for why there are no others."""
    found: set[int] = set()
    policies, fragments = watch.policies, watch.fragments
    for policy in tx.mint:
        if policy in policies:
            found.update(policies[policy])
    outputs = tx.outputs
    if failed and tx.collateral_return is not None:
        outputs = (*outputs, tx.collateral_return)
    for output in outputs:
        address = output.address
        places = _FRAGMENT_PLACES.get(address[:5])
        if places is not None and address[places] in fragments:
            found.update(fragments[address[places]])
        for policy in output.value:
            if policy in policies:
                found.update(policies[policy])
    return sorted(found)


def _facts(
    tx: chain.Transaction, profile: Profile, position: int, path: tuple[int, ...], *, failed: bool
) -> Iterator[ChainEvent]:
    where_path = ".".join(map(str, path[:MAX_NESTING]))
    fault = frame_fault(tx)
    if fault is None and len(path) > MAX_NESTING:
        fault = ("nested_too_deep", f"sub-transactions are decoded {MAX_NESTING} levels deep")
    if fault is not None:
        raw = tx.id.encode("utf-8", "surrogatepass")
        where = Where(
            deployment=profile.name,
            transaction=tx.id if _HASH32.fullmatch(tx.id) else _digest(raw),
            transaction_index=position,
            index=0,
            path=where_path,
        )
        yield quarantined(where, None, *fault, raw)
        return
    view = TransactionView(tx, profile, position, where_path)
    if failed:
        yield from _rejected(view)
    else:
        yield from passport_facts(view)
        reporting = reporting_of(view)
        yield from minted_facts(view)
        yield from reporting_facts(view, reporting)
        yield from closed_facts(view, reporting)
    yield from view.quarantine


def _rejected(view: TransactionView) -> Iterator[ChainEvent]:
    """A transaction whose scripts failed: attempts to submit, and the ownership token that its collateral held.

    Its outputs never came to be, so what can't be read of them is nobody's loss; an attempt that can't be given to
    one account is.
    """
    yield from collateral_return_facts(view)
    refused = len(view.quarantine)
    reporting = reporting_of(view)
    del view.quarantine[refused:]
    if not reporting.readings:
        return
    if reporting.only is None:
        refuse_ambiguous(view, reporting)
    else:
        yield from reading_facts(view, reporting, reporting.only, ReadingRejected)


def _unreadable(tx: chain.UnreadableTransaction, watch: _Watch, position: int) -> Iterator[ChainEvent]:
    """Quarantined for each deployment that its text could concern; for no other, as nothing in it could be a fact."""
    transaction: str | None = None
    for profile, patterns in zip(watch.profiles, watch.needles, strict=True):
        if any(pattern in tx.raw for pattern in patterns):
            transaction = transaction or transaction_id_in(tx.raw) or _digest(tx.raw)
            where = Where(
                deployment=profile.name, transaction=transaction, transaction_index=position, index=0, path=""
            )
            yield quarantined(where, None, "transaction_unreadable", tx.reason, tx.raw)


_HASH32: Final = re.compile("[0-9a-f]{64}")
_TOKEN: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|[{}\[\]:,]', re.DOTALL)


def transaction_id_in(raw: bytes) -> str | None:
    """The transaction's id, from JSON text that is too deep for any parser; None where there is none to be found.

    Only ``id`` of the outermost object counts: inputs name transactions too.
    """
    depth = 0
    last: list[bytes] = [b"", b""]
    for token in _TOKEN.finditer(raw):
        text = token.group()
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and last == [b'"id"', b":"]:
            found = (token.group(1) or b"").decode("ascii", "replace")
            return found if _HASH32.fullmatch(found) else None
        last = [last[1], text]
    return None


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()
