"""An operator's key, from a file, and bytes into a file at once."""

import os
import tempfile
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from nacl.signing import SigningKey

from indexer.errors import ConfigurationError, OperatorMustAct

HOW_TO = "`openssl genpkey -algorithm ed25519 -out operator.pem` makes one"


def read_signing_key(file: str | None) -> SigningKey | None:
    """An Ed25519 key in PEM (PKCS #8, not encrypted); None without a file. Raises ConfigurationError."""
    if file is None:
        return None
    try:
        key = load_pem_private_key(Path(file).read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"can't read the key {file}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Not the library's words: they may hold a part of the file.
        raise ConfigurationError(f"{file} is no private key in PEM without a password: {HOW_TO}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{file} is a key of another kind: packs are signed by Ed25519, {HOW_TO}")
    return SigningKey(key.private_bytes_raw())


def write_whole(file: str, content: bytes) -> None:
    """Writes a file so that nobody ever sees a part of it. Raises OperatorMustAct."""
    path = Path(file)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
            temporary.write(content)
        Path(temporary.name).chmod(0o666 & ~_umask())
        Path(temporary.name).replace(path)
    except OSError as error:
        raise OperatorMustAct(f"can't write {file}: {error.strerror}") from error


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
