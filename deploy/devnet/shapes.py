"""The two shapes in which Ogmios shows one transaction: v6.14 writes empty fields that v7 leaves out."""

from typing import Any

import msgspec

from deploy.devnet.network import OgmiosVersion

Json = dict[str, Any]

_V6_ALWAYS: dict[str, Any] = {"outputs": [], "validityInterval": {}}
"""Of these v6.14 writes the empty value. Source: ``Ogmios.Data.Json.*``, changelog of 7.0."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def reshape(block: bytes, version: OgmiosVersion) -> bytes:
    """A block's JSON in the shape of a version; the very bytes where they need no change."""
    if b'"transactions":[' not in block:
        return block
    if version == "7":
        fits = b'"outputs":[]' not in block and b'"validityInterval":{}' not in block
    else:
        transactions = block.count(b'"spends":')
        fits = all(block.count(f'"{field}":'.encode()) >= transactions for field in _V6_ALWAYS)
    if fits:
        return block
    value = _decode(block)
    value["transactions"] = [shaped(transaction, version) for transaction in value["transactions"]]
    return _encode(value)


def shaped(transaction: Json, version: OgmiosVersion) -> Json:
    """A transaction with or without its empty fields."""
    if version == "7":
        return {key: value for key, value in transaction.items() if not (key in _V6_ALWAYS and not value)}
    return transaction | {key: value for key, value in _V6_ALWAYS.items() if key not in transaction}
