"""Recorded chains that tests read."""

from functools import cache

import zstandard

from tests.shared import shared


@cache
def preview_frames() -> list[bytes]:
    """864 contiguous blocks of the preview testnet, as nextBlock answers."""
    with shared("chain/preview-01285.ndjson.zst").open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()
