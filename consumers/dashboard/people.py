"""Who may do what: roles, and the tokens by which a person or a program shows who it is."""

import hashlib
import hmac
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct

from indexer.errors import ConfigurationError, OperatorMustAct

Role = Literal["viewer", "analyst", "auditor", "admin"]
Right = Literal["read", "act", "record", "administer"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)

RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    "viewer": frozenset(("read",)),
    "analyst": frozenset(("read", "act")),
    "auditor": frozenset(("read", "record")),
    "admin": frozenset(("read", "act", "record", "administer")),
}
"""``act``: on alerts. ``record``: to see who asked what."""

SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(r"cw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Person(Struct, frozen=True, kw_only=True):
    """Whoever asks. ``profile`` is the widest that he may ask with, a name of consumers/access.py."""

    name: str
    role: Role
    profile: str
    legal_basis: str  # of what he asks, where he names none himself; empty: he has to
    by: Literal["loopback", "token", "proxy"]
    token: str = ""  # its id

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]


class Token(Struct, frozen=True, kw_only=True):
    """A token as it is kept: what it is compared with, never what it is."""

    id: str  # 12 hex digits, its first part
    sha256: str  # of its second part. Not a slow hash: the secret has 256 bits, nobody guesses it
    name: str
    role: Role
    profile: str
    legal_basis: str
    made_at: datetime
    expires_at: datetime | None


class TokenFile:
    """The tokens of one dashboard, in a file that only its owner reads. Revoking holds at once: a change is read."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def tokens(self) -> list[Token]:
        """As they are now, oldest first. Raises OperatorMustAct where the file can't be read."""
        try:
            stat = self.path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                found = msgspec.json.decode(self.path.read_bytes(), type=list[Token])
                self._tokens = {token.id: token for token in found}
                self._seen = seen
        except FileNotFoundError:
            self._tokens, self._seen = {}, None
        except (OSError, msgspec.MsgspecError) as error:
            raise OperatorMustAct(f"can't read the tokens in {self.path}: {error}") from error
        return list(self._tokens.values())

    def add(self, *, name: str, role: Role, profile: str, legal_basis: str, days: float | None) -> tuple[str, Token]:
        """Makes a token. Returns its text, which is nowhere kept, and what is kept of it."""
        if not name.strip():
            raise ConfigurationError("a token needs the name of whoever will use it")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = datetime.now(UTC).replace(microsecond=0)
        token = Token(
            id=secrets.token_hex(6),
            sha256=_hash(secret),
            name=name.strip(),
            role=role,
            profile=profile,
            legal_basis=legal_basis.strip(),
            made_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        self._write([*self.tokens(), token])
        return f"cw_{token.id}_{secret}", token

    def revoke(self, token_id: str) -> bool:
        """Takes a token's worth away. False: there is none of this id."""
        before = self.tokens()
        left = [token for token in before if token.id != token_id]
        if len(left) == len(before):
            return False
        self._write(left)
        return True

    def find(self, text: str, now: datetime) -> Person | None:
        """Whose token this is; None where it is nobody's, or not any more."""
        match = _TOKEN.fullmatch(text)
        known = {token.id: token for token in self.tokens()}
        token = known.get(match[1]) if match else None
        # Compared all the same where there is none: how long an answer takes says nothing about ids.
        same = hmac.compare_digest(_hash(match[2] if match else ""), token.sha256 if token else _hash("nobody's"))
        return _person(token) if token and same and not _expired(token, now) else None

    def holder(self, token_id: str, now: datetime) -> Person | None:
        """Whose session it still is that began with this token."""
        token = next((each for each in self.tokens() if each.id == token_id), None)
        return _person(token) if token and not _expired(token, now) else None

    def _write(self, tokens: list[Token]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(tokens)))
            beside.replace(self.path)
        except OSError as error:
            raise OperatorMustAct(f"can't write the tokens into {self.path}: {error.strerror}") from error


def _person(token: Token) -> Person:
    return Person(
        name=token.name,
        role=token.role,
        profile=token.profile,
        legal_basis=token.legal_basis,
        by="token",
        token=token.id,
    )


def _expired(token: Token, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at <= now


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
