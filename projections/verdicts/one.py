"""One reading by itself, without a chain: is it authentic, and what does it say? Pure."""

from typing import Final

from msgspec import Struct

from indexer.errors import ConfigurationError
from indexer.events import CoseView, Reading
from indexer.protocol.cbor import Malformed
from indexer.protocol.cose import ALGORITHMS, read_cose
from indexer.protocol.datums import Submit, read_spend_redeemer
from projections.rules.engine import SINGLE_RULES, judge_reading
from projections.rules.history import NEW, Sample
from projections.rules.model import Finding
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds
from projections.verdicts.authentic import authenticity, ledger_says
from projections.verdicts.model import Result
from projections.verdicts.signatures import compressed

MAX_FILE_BYTES: Final = 262_144
"""A redeemer in hex has at most 32,768 digits; more is no reading."""

NEEDS_CHAIN: Final = ("fresh", "counter", "course")
"""What no single reading can answer."""


class Line(Struct, frozen=True):
    """One question and its answer; ``reasons`` are codes of ``words.REASONS``."""

    name: str
    result: Result
    reasons: tuple[str, ...] = ()


class One(Struct, frozen=True):
    """Everything that one reading says and proves by itself."""

    authentic: bool
    lines: tuple[Line, ...]
    remarks: tuple[str, ...]
    cose: CoseView
    findings: tuple[Finding, ...]  # of the rules that need neither history nor chain
    not_assessable: tuple[str, ...]


def message_of(content: bytes) -> bytes:
    """The COSE message in a file: binary or hex, by itself or in a SubmitSignedReading redeemer. Never raises."""
    text = content.strip()
    if text[:2].lower() in (b"0x", b"h'"):
        text = text[2:].rstrip(b"'")
    digits = b"".join(text.split())
    try:
        raw = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raw = content
    try:
        redeemer = read_spend_redeemer(raw)
    except Malformed:
        return raw
    return redeemer.cose if isinstance(redeemer, Submit) else raw


def read_key(text: str) -> bytes:
    """A public key from hex: 33 bytes compressed, 65 uncompressed, 32 of Ed25519. Raises ConfigurationError."""
    digits = "".join(text.removeprefix("0x").split())
    try:
        key = compressed(bytes.fromhex(digits))
    except ValueError as error:
        raise ConfigurationError(f"the key is not hex: {text[:80]!r}") from error
    if key is None:
        raise ConfigurationError(
            f"the key has {len(digits) // 2} bytes: give 33 (compressed), "
            "65 (uncompressed, begins with 04) or 32 (Ed25519)"
        )
    return key


def judge_one(
    raw: bytes, key: bytes, algorithm: int | None, thresholds: Thresholds, passport: Passport | None = None
) -> One:
    """Whether ``key`` signed the message, and what its values say by themselves.

    With a passport the reading must name its battery, too.
    """
    view = read_cose(raw)
    found = authenticity(view, key, algorithm)
    lines = [
        _line("cose_structure", found.structure),
        _line("algorithm", found.algorithm),
        _line("own_verification", (found.signature.reason,) if found.signature.reason else ()),
    ]
    reading = view.reading or Reading()
    authentic = found.authentic
    if passport is not None and passport.battery_id is not None:
        same = reading.battery_id == passport.battery_id
        lines.append(_line("passport_battery", () if same else ("battery_id_not_of_passport",)))
        authentic = authentic and same
    accepts, reason = ledger_says(view, key, algorithm, found)
    lines.append(_line("signature", (reason,) if reason else (), "not_assessable" if accepts is None else "failed"))
    lines += (Line(name, "not_assessable") for name in NEEDS_CHAIN)
    said = judge_reading(NEW, Sample(0, reading), passport or Passport(), thresholds, SINGLE_RULES)
    return One(authentic, tuple(lines), found.remarks, view, said.findings, said.not_assessable)


def algorithm_number(name: str) -> int:
    """A COSE algorithm's number from its name. Raises ConfigurationError."""
    for number, known in ALGORITHMS.items():
        if known.lower() == name.lower():
            return number
    raise ConfigurationError(f"no algorithm {name!r}: one of {', '.join(ALGORITHMS.values())}")


def _line(name: str, reasons: tuple[str, ...], otherwise: Result = "failed") -> Line:
    return Line(name, otherwise if reasons else "passed", reasons)
