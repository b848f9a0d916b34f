"""Pages compressed on their way, without telling their secrets by their length."""

import gzip
import io
import secrets
from typing import Final

LEVEL: Final = 5
RANDOM_BYTES: Final = 100


def packed(content: bytes) -> bytes:
    """A page in gzip, up to a hundred bytes longer than it need be.

    A page holds its session's secret beside what its address says, so its exact length would tell, guess by guess, what
    the secret is (BREACH). Source: Heal the Breach, IEEE Access 2022, as Django's GZipMiddleware does it.
    """
    buffer = io.BytesIO()
    name = secrets.token_hex(RANDOM_BYTES)[: 1 + secrets.randbelow(RANDOM_BYTES)]
    with gzip.GzipFile(filename=name, mode="wb", compresslevel=LEVEL, fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()
