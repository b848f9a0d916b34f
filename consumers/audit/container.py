"""The pack's container: a ZIP file that has one byte form. What is not written exactly so is refused. Pure.

Members are stored, never compressed, so that the same parts give the same bytes with any library, and so that no member
unpacks to more than the file itself.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Final

from indexer.errors import OperatorMustAct

MAX_PACK_BYTES: Final = 256 << 20
MAX_MEMBERS: Final = 20_000
MAX_NAME_BYTES: Final = 120

_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the least that the format can say
_UNIX: Final = 3
_MODE: Final = 0o100644 << 16
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
_CENTRAL_ENTRY: Final = b"PK\x01\x02"


class PackRefused(OperatorMustAct):
    """The file can't be a pack as it was written: it was damaged, altered, or made by somebody else.

    ``code`` is a stable name of the fault.
    """

    exit_code = 1

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def write_container(parts: Mapping[str, bytes]) -> bytes:
    """The container with these parts, in the order of their names' bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(parts):
            if not _is_name(name):
                raise ValueError(f"{name!r} is no name of a part")
            member = zipfile.ZipInfo(name, _TIME)
            member.create_system, member.external_attr = _UNIX, _MODE
            archive.writestr(member, parts[name])
    return buffer.getvalue()


def read_container(content: bytes) -> dict[str, bytes]:
    """The parts by name. Raises PackRefused with the name of the fault; takes memory of some times the file's size."""
    if len(content) > MAX_PACK_BYTES:
        raise PackRefused(
            "pack_too_large", f"the file has {len(content):,} bytes; a pack has at most {MAX_PACK_BYTES:,}"
        )
    if content.count(_CENTRAL_ENTRY) > 2 * MAX_MEMBERS:  # asked before anybody makes an object for each
        raise PackRefused("too_many_members", f"the file names more than {MAX_MEMBERS:,} members")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members, len(content))
            parts = {member.filename: archive.read(member) for member in members}
    except _UNREADABLE as error:
        raise PackRefused("not_a_zip", f"the file is no sound ZIP: {error}") from error
    if write_container(parts) != content:
        raise PackRefused(
            "not_canonical",
            "the file is not in the one byte form of a pack: something was changed, added or moved around its parts",
        )
    return parts


# What zipfile says of bytes that are none of its own.
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, OverflowError, LookupError, OSError),
)


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MAX_MEMBERS:
        raise PackRefused(
            "too_many_members", f"the file has {len(members):,} members, at most {MAX_MEMBERS:,} are read"
        )
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if not _is_name(name):
            raise PackRefused("member_name", f"{name[:MAX_NAME_BYTES]!r} is no name of a part: it was not unpacked")
        if name in seen:
            raise PackRefused("duplicate_member", f"{name} stands in the file twice: no one could tell which counts")
        seen.add(name)
        if member.compress_type != zipfile.ZIP_STORED:
            raise PackRefused(
                "compressed_member", f"{name} is compressed: a pack's parts never are. It was not unpacked"
            )
        if member.flag_bits & 1:
            raise PackRefused("encrypted_member", f"{name} is encrypted: a pack's parts never are")
    if sum(member.file_size for member in members) > size:
        raise PackRefused("members_overlap", "the members claim more bytes than the file has: they were not unpacked")


def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME_BYTES and _NAME.fullmatch(name) is not None
