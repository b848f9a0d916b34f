"""What the browser loads beside pages: our own files and the fetched ones, under addresses that change with them."""

import gzip
import hashlib
from pathlib import Path
from typing import Final

from msgspec import Struct

from consumers.dashboard.vendor import STATIC

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(Struct, frozen=True):
    """One file, as it is sent."""

    content: bytes
    compressed: bytes  # gzip
    content_type: str


class Assets:
    """Every file of ``static`` that a browser may have, read once, when the server starts.

    One digest over all of them is part of each address: a browser may keep a file for ever, and a script finds its
    neighbours by relative names.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in TYPES)
        self._files: Final = {path.relative_to(folder).as_posix(): _read(path) for path in files}
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(name.encode() + b"\0" + asset.content + b"\0")
        self.digest: Final = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """The address of a file by its name below ``static``. A file that was not fetched has one all the same."""
        return f"/static/{self.digest}/{name}"

    def has(self, name: str) -> bool:
        return name in self._files

    def find(self, digest: str, name: str) -> Asset | None:
        return self._files.get(name) if digest == self.digest else None


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, gzip.compress(content, mtime=0), TYPES[path.suffix])
