"""A third verifier, from docs/pack-format.md alone: the standard library and `cryptography`, nothing of cellwitness."""

import io
import json
import zipfile
from hashlib import blake2b, sha256
from typing import Any
from zlib import crc32

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


class Wrong(Exception):
    """A rule of the page that does not hold."""


def require(holds: bool, rule: str) -> None:
    if not holds:
        raise Wrong(rule)


def digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=32).digest()


def bstr(content: bytes) -> bytes:
    """A CBOR byte string (RFC 8949), shortest form."""
    size = len(content)
    return (
        bytes((0x40 | size,)) if size < 24 else bytes((0x58, size)) if size < 256 else b"\x59" + size.to_bytes(2)
    ) + content


def partition_of(key: str, count: int) -> int:
    """murmur2 as Java's Kafka clients compute it."""
    data, mask = key.encode(), 0xFFFFFFFF
    found = 0x9747B28C ^ len(data)
    for at in range(0, len(data) - len(data) % 4, 4):
        word = int.from_bytes(data[at : at + 4], "little") * 0x5BD1E995 & mask
        found = (found * 0x5BD1E995 & mask) ^ ((word ^ word >> 24) * 0x5BD1E995 & mask)
    for at, byte in enumerate(rest := data[len(data) - len(data) % 4 :]):
        found ^= byte << 8 * at
    if rest:
        found = found * 0x5BD1E995 & mask
    found = (found ^ found >> 13) * 0x5BD1E995 & mask
    return ((found ^ found >> 15) & 0x7FFFFFFF) % count


def signed(event: dict[str, Any], key: bytes) -> bool:
    cose = event["decoded"]
    protected, payload, signature = (bytes.fromhex(cose[name]) for name in ("protected", "payload", "signature"))
    message = b"\x84\x6aSignature1" + bstr(protected) + b"\x40" + bstr(payload)
    try:
        if len(key) == 32:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        else:
            curve = ec.SECP256K1() if cose["algorithm"] == -47 else ec.SECP256R1()
            both = (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
            public = ec.EllipticCurvePublicKey.from_encoded_point(curve, key)
            public.verify(encode_dss_signature(*both), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def verify(content: bytes) -> dict[str, Any]:
    """The manifest of a pack that holds. Raises Wrong with the rule that does not."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            require(all(member.compress_type == 0 for member in members), "stored")
            parts = {member.filename: archive.read(member) for member in members}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Wrong(f"container: {error}") from error
    require(container(parts) == content, "container")
    try:
        return _facts(parts)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Wrong(f"form: {error!r}") from error


def container(parts: dict[str, bytes]) -> bytes:
    out, central = b"", b""
    for name in sorted(parts):
        body, size = parts[name], len(parts[name]).to_bytes(4, "little")
        common = bytes((20, 0, 0, 0, 0, 0, 0, 0, 33, 0)) + crc32(body).to_bytes(4, "little") + size + size
        common += len(name).to_bytes(2, "little") + bytes(2)
        central += b"PK\x01\x02\x14\x03" + common + bytes(6) + (0o100644 << 16).to_bytes(4, "little")
        central += len(out).to_bytes(4, "little") + name.encode()
        out += b"PK\x03\x04" + common + name.encode() + body
    count = len(parts).to_bytes(2, "little")
    end = b"PK\x05\x06" + bytes(4) + count + count + len(central).to_bytes(4, "little") + len(out).to_bytes(4, "little")
    return out + central + end + bytes(2)


def _facts(parts: dict[str, bytes]) -> dict[str, Any]:
    manifest, seal = json.loads(parts["manifest.json"]), json.loads(parts["seal.json"])
    require((manifest["format"], manifest["version"]) == ("cellwitness-evidence-pack", 1), "format")
    listed = {each["name"]: (each["size"], each["sha256"]) for each in manifest["parts"]}
    there = {name: (len(part), sha256(part).hexdigest()) for name, part in parts.items()}
    require(
        listed == {name: said for name, said in there.items() if name not in ("manifest.json", "seal.json")}, "parts"
    )
    require(seal["sha256"] == sha256(parts["manifest.json"]).hexdigest(), "seal")
    require((manifest["signer"] is None) == (seal["signature"] is None), "signature")
    if manifest["signer"] is not None:
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(manifest["signer"]))
            public.verify(bytes.fromhex(seal["signature"]), parts["manifest.json"])
        except InvalidSignature as error:
            raise Wrong("signature") from error
    subject = manifest["subject"]
    spines = {json.loads(line)["step"]: line for line in parts["log/spine.jsonl"].splitlines()}
    paths = json.loads(parts["log/tree.json"])
    for step, line in spines.items():
        before = spines.get(step - 1)
        require(before is None or json.loads(line)["previous"] == digest(before).hex(), "previous")
        require(_root(step, digest(line), manifest["tree_size"], paths[str(step)]) == manifest["tree_root"], "tree")
    require(manifest["tree_size"] == manifest["step"] + 1, "tree_size")
    require(digest(spines[manifest["step"]]).hex() == manifest["step_digest"], "step_digest")
    partition = partition_of(subject["battery_key"], len(json.loads(spines[0])["partitions"]))
    live: dict[str, dict[str, Any]] = {}
    group: list[bytes] = []
    for line in parts["log/records.jsonl"].splitlines(keepends=True):
        group.append(line)
        record = json.loads(line)
        if record["kind"] == "marker":
            first, last, _, said = json.loads(spines[record["step"]])["partitions"][partition]
            require([json.loads(each)["seq"] for each in group] == list(range(first, last + 1)), "seq")
            require(digest(b"".join(group)).hex() == said, "records")
            group = []
        elif (record["key"], record["deployment"]) == (subject["battery_key"], subject["deployment"]):
            names = ("event", record["fact"], record["block"], str(record["incarnation"]))
            if record["kind"] == "event":
                require(record["id"] == digest("\0".join(names).encode()).hex(), "id")
                live[record["id"]] = record["body"] | {"fact": record["fact"]}
            else:
                live.pop(record["retracts"])
    require(not group, "marker")
    _readings(parts, {event["fact"]: event for event in live.values()})
    found: dict[str, Any] = manifest
    return found


def _readings(parts: dict[str, bytes], events: dict[str, dict[str, Any]]) -> None:
    verdicts = json.loads(parts["verdicts.json"])["verdicts"]
    minted = {(e["transaction"], e["output"]["index"]) for e in events.values() if e["type"] == "commitment_minted"}
    for row in verdicts:
        event, checks = events[row["fact"]], row["checks"]
        require(parts[f"readings/{row['fact']}.cose"].hex() == event["cose"], "message")
        if checks["cose_structure"]["result"] == "passed" and row["public_key"]:
            passed = checks["own_verification"]["result"] == "passed"
            require(signed(event, bytes.fromhex(row["public_key"])) == passed, "signed")
        if checks["challenge"]["result"] == "passed":
            spent = {(each["transaction"], each["index"]) for each in event["inputs"]} & minted
            require(event["decoded"]["reading"]["challenge"] in {transaction for transaction, _ in spent}, "challenge")


def _root(step: int, leaf: bytes, width: int, path: list[str]) -> str:
    found, left = digest(b"\x00" + leaf), [bytes.fromhex(each) for each in path]
    while width > 1:
        if step ^ 1 < width:
            beside = left.pop(0)
            found = digest(b"\x01" + (beside + found if step % 2 else found + beside))
        step, width = step // 2, (width + 1) // 2
    require(not left, "path")
    return found.hex()
