"""A secure element in a file: what a battery's chip does, for trying things out. Its key protects nothing of value.

A counter is written down, and on the disk, before anything is signed with it. So a crash at any moment loses a counter
at worst, which leaves a gap, and never uses one twice.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from deploy.devnet.element import Algorithm, SecureElement, reading_payload
from indexer.errors import ConfigurationError, OperatorMustAct, Retryable

ALGORITHMS: dict[str, Algorithm] = {"ES256K": -47, "EdDSA": -8, "Ed25519": -19}


class CounterUsed(OperatorMustAct):
    """The element was asked to sign with a counter that it has used up."""


class _Content(Struct, frozen=True, kw_only=True):
    """The file, as JSON."""

    kind: Literal["cellwitness software secure element"] = "cellwitness software secure element"
    algorithm: int  # COSE
    secret: str  # 32 bytes, hex
    next_counter: int = 0  # every smaller one is used up


class ElementFile:
    """An element, its counter kept in its file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, algorithm: Algorithm) -> "ElementFile":
        """A new key in a new file, readable by its owner alone. Raises ConfigurationError where a file is."""
        content = _Content(algorithm=algorithm, secret=secrets.token_bytes(32).hex())
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already: an element is not overwritten") from None
        except OSError as error:
            raise ConfigurationError(f"can't write {path}: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(content))
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path)
        return cls(path)

    def chip(self) -> SecureElement:
        """The element as it stands, to look at: taps of it are not written down."""
        content = self._read()
        chip = SecureElement("", cast("Algorithm", content.algorithm), key=bytes.fromhex(content.secret))
        chip.counter = content.next_counter
        return chip

    def tap(
        self, battery_id: bytes, challenge: bytes, state: dict[int, int | list[int]], counter: int | None = None
    ) -> tuple[bytes, int]:
        """A signed reading and its counter, which is the next one unless a later one is asked for.

        Raises CounterUsed for one that was used, Retryable while another process taps.
        """
        with self._alone():
            content = self._read()
            wanted = content.next_counter if counter is None else counter
            if wanted < content.next_counter:
                raise CounterUsed(
                    f"{self.path} has used all counters below {content.next_counter}, {wanted} among them"
                )
            self._write(replace(content, next_counter=wanted + 1))
            return self.chip().sign(reading_payload(battery_id, challenge, wanted, state)), wanted

    def _read(self) -> _Content:
        try:
            mode = self.path.stat().st_mode & 0o777
            if mode & 0o077:
                raise ConfigurationError(f"others can read {self.path}: `chmod 600` it, and take its key for known")
            return msgspec.json.decode(self.path.read_bytes(), type=_Content)
        except OSError as error:
            raise ConfigurationError(
                f"can't read {self.path}: {error.strerror}; `cellwitness element new` makes one"
            ) from error
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{self.path} holds no software secure element: {error}") from error

    def _write(self, content: _Content) -> None:
        """Whole or not at all, and on the disk when it returns."""
        beside = self.path.with_name(f".{self.path.name}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(content))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        _sync_folder(self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self.path.with_name(f".{self.path.name}.lock")
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Retryable(f"another process taps {self.path} just now") from None
            yield


def _sync_folder(path: Path) -> None:
    """A name is on the disk only when its folder is."""
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
