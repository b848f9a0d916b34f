"""Transactions that are valid on chain and hard on whoever reads them: huge ones, and nested thousands of levels deep.

Modelled on preprod block 5183974, whose native script of 5,383 nested clauses halted several indexers.
"""

from hashlib import blake2b
from typing import Final

import cbor2

from deploy.devnet.blocks import BlockTransaction
from deploy.devnet.keys import Key
from deploy.devnet.transactions import Draft, Out, Utxo, build

POISON_LEVELS: Final = 5_383
_FEE: Final = 900_000
_SHOWN_BYTES: Final = 10  # of a small integer, such as `{"int":7},`


def huge(number: int, size_bytes: int) -> BlockTransaction:
    """Shown with so many bytes of metadata: small integers, written ten times as large as their CBOR."""
    values = bytes(each % 24 for each in range(size_bytes // _SHOWN_BYTES))
    shown = ",".join(f'{{"int":{value}}}' for value in values)
    content = cbor2.dumps({1904: list(values)})
    labels = f'{{"1904":{{"json":{{"list":[{shown}]}}}}}}'
    metadata = f'"metadata":{{"hash":"{blake2b(content, digest_size=32).hexdigest()}","labels":{labels}}}'
    return _with(f"huge/{number}", metadata, len(content))


def poison(number: int, levels: int = POISON_LEVELS) -> BlockTransaction:
    """Carries a native script of so many nested ``all`` clauses: twice as many levels of JSON."""
    key = blake2b(b"poison", digest_size=28).hexdigest()
    inner = f'{{"clause":"signature","from":"{key}"}}'
    clauses = '{"clause":"all","from":[' * levels + inner + "]}" * levels
    cbor = b"\x82\x01\x81" * levels + cbor2.dumps([0, bytes.fromhex(key)])
    name = blake2b(b"\x00" + cbor, digest_size=28).hexdigest()
    script = f'"scripts":{{"{name}":{{"language":"native","json":{clauses},"cbor":"{cbor.hex()}"}}}}'
    return _with(f"poison/{number}", script, len(cbor))


def _with(name: str, field: str, more_bytes: int) -> BlockTransaction:
    """A payment of somebody to himself with one field more, spliced in as text: no JSON writer nests so deep."""
    key = Key(name)
    funds = Utxo(blake2b(name.encode(), digest_size=32).hexdigest(), 0, 10_000_000)
    draft = Draft(inputs=[funds], outputs=[Out(place=key.place, lovelace=10_000_000 - _FEE)], fee=_FEE, signers=[key])
    plain = build(draft).in_block("6.14")
    return BlockTransaction(plain.id, plain.json[:-1] + b"," + field.encode() + b"}", plain.size + more_bytes)
