"""What a pack is about, which parts it has, and who vouches for it. Pure."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct
from nacl.signing import SigningKey

from consumers.audit.container import PackRefused
from indexer.hexes import StrictHash28, StrictHash32, StrictHex

MANIFEST: Final = "manifest.json"
SEAL: Final = "seal.json"

_T = TypeVar("_T")


class Subject(Struct, frozen=True, kw_only=True):
    """Whose evidence it is: a battery in a deployment, and of a pack about one reading its fact."""

    network: str
    network_magic: int
    deployment: str
    battery_key: StrictHash28
    battery_id: StrictHex | None  # as the battery's events name it
    reading: StrictHash32 | None  # fact id


class Part(Struct, frozen=True):
    """A member of the container: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: StrictHash32


class Versions(Struct, frozen=True, kw_only=True):
    """What made the parts that are opinions and pictures. Others make other bytes of the same facts."""

    rule_set: int
    fold: int
    report: int
    typst: str


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``manifest.json``. ``step`` to ``tree_root`` say as of where in the log the pack was made."""

    format: Literal["cellwitness-evidence-pack"] = "cellwitness-evidence-pack"
    version: Literal[1] = 1
    subject: Subject
    step: int
    step_digest: StrictHash32
    tree_size: int  # step + 1
    tree_root: StrictHash32
    versions: Versions
    signer: StrictHash32 | None  # Ed25519 public key
    parts: tuple[Part, ...]  # all but manifest and seal, by name


class Seal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``seal.json``: the SHA-256 of the manifest's bytes and, where somebody signed, an Ed25519 signature over them."""

    sha256: StrictHash32
    signature: StrictHex | None  # 64 bytes


def canonical(value: Any) -> bytes:
    """The one byte form of the pack's JSON: no spaces, fields in their order, keys of maps sorted, a line feed."""
    return msgspec.json.encode(value, order="deterministic") + b"\n"


def decoded(content: bytes, kind: type[_T], name: str) -> _T:
    """A part's value. Raises PackRefused ``part_malformed`` unless it is in its one byte form."""
    try:
        value = msgspec.json.decode(content, type=kind)
        again = canonical(value)
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise PackRefused("part_malformed", f"{name} is not what a pack holds under this name: {error}") from error
    if again != content:
        raise PackRefused("part_malformed", f"{name} is not in its one byte form: it was altered, or made elsewhere")
    return value


def part_of(name: str, content: bytes) -> Part:
    return Part(name, len(content), sha256(content).hexdigest())


def sealed(manifest: Manifest, parts: Mapping[str, bytes], key: SigningKey | None) -> dict[str, bytes]:
    """All members of a pack: its parts, the manifest that lists them, the seal. ``manifest`` has no parts yet."""
    signer = None if key is None else bytes(key.verify_key).hex()
    listed = tuple(part_of(name, parts[name]) for name in sorted(parts))
    content = canonical(msgspec.structs.replace(manifest, signer=signer, parts=listed))
    return {**parts, MANIFEST: content, SEAL: canonical(seal_of(content, key))}


def seal_of(content: bytes, key: SigningKey | None) -> Seal:
    signature = None if key is None else key.sign(content).signature.hex()
    return Seal(sha256=sha256(content).hexdigest(), signature=signature)
