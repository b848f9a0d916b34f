"""Tells frames that can concern a deployment from the many that can't, without parsing them.

A transaction that concerns a deployment names one of its script hashes in its JSON text: a policy id in hex, or the
reporting script in the bech32 text of an address (``profile.needles``). So a frame without a needle in its bytes holds
no such transaction. docs/decisions/0003 has the measurement that earned this its place, a property holds it complete.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Final

from indexer.chain import ChainMessage
from indexer.ogmios.messages import InvalidFrame, read_block, read_header

Place = tuple[bytearray | bytes, int, int]
"""(buffer, start, end): a message lies in buffer[start:end]."""

Concerns = Callable[[bytearray | bytes, int, int], bool]
"""(buffer, start, end) -> whether buffer[start:end] may hold a needle."""


WORTH_FILTERING_BYTES: Final = 2_048
"""Below this, which is a block without transactions, a typed decode of the whole is as fast as a search of its own."""

_TRANSACTIONS: Final = b'"transactions":['


def make_prefilter(needles: Sequence[bytes]) -> Concerns:
    """A search for any of the needles (44 to 56 bytes each).

    glibc's and macOS' ``memmem`` skip ahead by up to a needle's length: 9 to 25 GB/s here, where ``bytes.find`` does
    0.4 on frames under 30 kB. Where the C library has none, ``find`` serves.
    """
    memmem = _memmem()
    pairs = [(needle, len(needle)) for needle in needles]
    char_at = ctypes.c_char.from_buffer
    address_of = ctypes.addressof

    def concerns(buffer: bytearray | bytes, start: int, end: int) -> bool:
        if end - start < WORTH_FILTERING_BYTES:
            return True
        if memmem is None or isinstance(buffer, bytes):
            return any(buffer.find(needle, start, end) >= 0 for needle in needles)
        # Holding `anchor` keeps the bytearray from being resized or freed while C reads it.
        anchor = char_at(buffer, start)
        address = address_of(anchor)
        size = end - start
        for needle, needle_size in pairs:  # noqa: SIM110  # a generator costs as much as the search
            if memmem(address, size, needle, needle_size):
                return True
        return False

    return concerns


def read_all(received: Sequence[Place], concerns: Concerns) -> list[ChainMessage]:
    """The nextBlock answers that were received together, each read whole only where it may concern a deployment.

    They lie in one buffer, and mostly none of them holds a needle: then one search serves them all, where a search
    each would cost more than small frames take to read. Raises as ``read_block``.
    """
    first, start, _ = received[0]
    concerned = True
    if len(received) > 1 and all(buffer is first for buffer, _, _ in received):
        concerned = concerns(first, start, received[-1][2])
    messages = []
    for buffer, start, end in received:
        if concerned and concerns(buffer, start, end):
            with memoryview(buffer) as whole, whole[start:end] as frame:
                messages.append(read_block(frame))
        else:
            messages.append(_read_past_transactions(buffer, start, end))
    return messages


def _read_past_transactions(buffer: bytearray | bytes, start: int, end: int) -> ChainMessage:
    """A message that concerns nobody: of a large one, what stands before and behind its transactions.

    Cut out is all from the block's list of transactions to the last list's end. If that were to take a field that we
    need, or leave brackets without their partners, the rest would not decode, and the whole is read as any other.
    """
    if end - start >= WORTH_FILTERING_BYTES:
        list_start = buffer.find(_TRANSACTIONS, start, end)
        list_end = buffer.rfind(b"]", list_start, end)
        if 0 <= list_start < list_end:
            try:
                return read_header(buffer[start : list_start + len(_TRANSACTIONS)] + buffer[list_end:end])
            except InvalidFrame:
                pass  # it is not built as we thought; the whole will tell what it is
    return read_header(buffer[start:end])


def _memmem() -> Callable[..., int | None] | None:
    try:
        memmem = ctypes.CDLL(None).memmem
    except (AttributeError, OSError, TypeError):
        return None
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    found: Callable[..., int | None] = memmem
    return found
