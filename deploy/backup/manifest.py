"""What a backup says of itself: its parts with their digests, and what must hold once it is restored."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from indexer.errors import OperatorMustAct
from projections.digest import ContentDigest

MANIFEST: Final = "manifest.json"
LOG: Final = "log.db"
"""The log as an SQLite file, whatever engine it was copied from: a log in its own right, that `log verify` reads."""

FORMAT: Final = 1
CHUNK_BYTES: Final = 1 << 20


class BackupDamaged(OperatorMustAct):
    """A backup is not what its manifest says, or there is none."""


class SavedPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the backup."""

    file: str  # below the backup's folder
    sha256: str
    size_bytes: int


class SavedTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table, as CSV with a header, compressed by zstd; rows in the order of its primary key where it has one."""

    schema: str
    table: str
    rows: int
    columns: tuple[str, ...]
    part: SavedPart


class SavedSequence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a sequence stood, so that no number is used again."""

    schema: str
    sequence: str
    last_value: int
    is_called: bool


class SavedDatabase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The database at one moment."""

    log_digest: str  # of step 0 of the log that the tables are of
    migrations: tuple[str, ...]  # by name
    whole: bool  # the tables made from the log, too, and not only what people did
    step: int  # up to which ``history`` speaks; -1 without the tables
    history: tuple[ContentDigest, ...]  # of all versions known up to ``step``: equal in whatever is made from the log
    tables: tuple[SavedTable, ...]
    sequences: tuple[SavedSequence, ...]


class SavedLog(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log up to the step at which the backup was taken."""

    steps: int
    digest: str  # of the last step: stands for every byte of the log
    first_digest: str  # of step 0
    part: SavedPart


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backup. The log holds at least every step that the database does, so that the tables can go on from it."""

    format: int
    cellwitness: str  # the version that took it
    taken_at: str  # UTC, ISO 8601
    log: SavedLog
    database: SavedDatabase

    def parts(self) -> tuple[SavedPart, ...]:
        return (self.log.part, *(table.part for table in self.database.tables))


def part_of(folder: Path, file: str) -> SavedPart:
    """A file as it is. Raises BackupDamaged where it can't be read."""
    digest = hashlib.sha256()
    size = 0
    try:
        with (folder / file).open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise BackupDamaged(f"{folder / file} can't be read: {error.strerror}") from error
    return SavedPart(file=file, sha256=digest.hexdigest(), size_bytes=size)


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Writes it and returns its SHA-256, which stands for the whole backup."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    (folder / MANIFEST).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """The manifest and its SHA-256. Raises BackupDamaged."""
    file = folder / MANIFEST
    try:
        text = file.read_bytes()
    except OSError as error:
        raise BackupDamaged(f"{folder} holds no backup: {file} can't be read ({error.strerror})") from error
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupDamaged(f"{file} is no manifest that this version knows: {error}") from error
    if manifest.format != FORMAT:
        raise BackupDamaged(f"{folder} is a backup of format {manifest.format}; this cellwitness reads {FORMAT}")
    return manifest, hashlib.sha256(text).hexdigest()


def check_parts(folder: Path, manifest: Manifest) -> None:
    """Reads every file. Raises BackupDamaged, naming the first one that is not what it was."""
    for part in manifest.parts():
        if Path(part.file).is_absolute() or ".." in Path(part.file).parts:
            raise BackupDamaged(f"the manifest names {part.file!r}, outside the backup: it was made by somebody else")
        found = part_of(folder, part.file)
        if found != part:
            raise BackupDamaged(
                f"{folder / part.file} was altered: {found.size_bytes} bytes, SHA-256 {found.sha256[:16]}…,"
                f" not {part.size_bytes} bytes, {part.sha256[:16]}…; use another backup"
            )
