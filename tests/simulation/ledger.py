"""Transactions by number, as JSON, and the facts that the log must hold of each."""

from collections import Counter
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from indexer.chain import Block, OutputReference, RollForward, Transaction, TransactionReference
from indexer.decode import decode
from indexer.events import encode_event, event_kind, fact_id
from indexer.ogmios.messages import read_block
from tests.indexer import build
from tests.indexer.build import Battery

PROFILE: Final = build.PROFILE
MAGIC: Final = PROFILE.network_magic
BATTERIES: Final = 7
STAGES: Final = 8

# Nobody's concern, and of a size at which the follower searches a frame before it reads it.
FOREIGN: Final = msgspec.json.encode(
    build.transaction(
        "foreign", outputs=tuple(build.output(build.address(build.digest(f"stranger {n}", 28))) for n in range(6))
    )
)


class Expected(Struct, frozen=True):
    """A fact as its record must state it."""

    fact: str
    kind: str
    key: str
    body: bytes


@lru_cache(maxsize=50_000)
def transaction_json(number: int) -> bytes:
    """A transaction of a battery's life: registered, then commitments, readings, failures, an account closed."""
    if number % (BATTERIES * STAGES) == BATTERIES * STAGES - 1:
        # Names a deployment, and is no transaction that any decoder can read.
        return b'{"id":"%s","inputs":"none","mint":{"%s":{}}}' % (
            build.digest(f"tx {number}").encode(),
            PROFILE.passport_policy.encode(),
        )
    return msgspec.json.encode(replace(_transaction(number), id=_id(number)))


def _id(number: int) -> str:
    return build.digest(f"tx {number}")


def _transaction(number: int) -> Transaction:
    battery = Battery(number % BATTERIES)
    stage, before = number // BATTERIES % STAGES, number - BATTERIES
    match stage:
        case 0:
            return build.register(battery)
        case 1 | 3 | 5:
            return build.commit(battery)
        case 2 | 6:
            return _submit(battery, before, number)
        case 4:
            spent = (OutputReference(TransactionReference(_id(before)), 0),)
            return replace(build.reclaim(battery), inputs=spent)
        case _:
            return replace(_submit(battery, before, number), spends="collaterals")


def _submit(battery: Battery, commitment: int, number: int) -> Transaction:
    message = build.cose_sign1(build.payload(battery.id, bytes.fromhex(_id(commitment)), number // BATTERIES))
    made = build.submit(battery, cose=message)
    token = OutputReference(TransactionReference(_id(commitment)), 0)
    held = build.reference(f"register {battery.number}", 2)
    spent = sorted((token, held), key=lambda each: each.key)
    redeemers = tuple(
        build.spend(at, build.CONSUME if each == token else build.submit_redeemer(message))
        for at, each in enumerate(spent)
    )
    return replace(made, inputs=tuple(spent), redeemers=redeemers)


@lru_cache(maxsize=50_000)
def expected(number: int, place: int) -> tuple[Expected, ...]:
    """What a transaction states where it is the block's ``place``-th: read whole and decoded, by itself.

    The decoder is its own oracle here; tests/indexer/test_decode.py holds it to the protocol.
    """
    block = b'{"type":"praos","id":"%s","ancestor":"%s","height":1,"slot":1,"transactions":[%s]}' % (
        b"a" * 64,
        b"b" * 64,
        b",".join([FOREIGN] * place + [transaction_json(number)]),
    )
    message = read_block(b'{"result":{"direction":"forward","block":%s,"tip":"origin"}}' % block)
    assert isinstance(message, RollForward)
    assert isinstance(message.block, Block)
    seen: Counter[str] = Counter()
    found = []
    for event in decode(message.block, (PROFILE,)):
        kind = event_kind(event)
        fact = fact_id(MAGIC, event.transaction, kind, seen[kind])
        seen[kind] += 1
        found.append(Expected(fact, kind, event.battery_key, encode_event(event)))
    return tuple(found)
