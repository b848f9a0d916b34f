"""Whether an operator's key signed: the same line for packs and statements. Pure."""

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from consumers.audit.answer import Line, line
from consumers.audit.manifest import Seal

NAME = "operator_signature"


def signature_line(content: bytes, signer: str | None, seal: Seal, wanted: str | None) -> Line:
    """``signer`` is the Ed25519 key (hex) that the content names, ``wanted`` the one that must have signed."""
    words = "The operator's key signed this"
    if signer is None and seal.signature is None:
        if wanted is not None:
            return line(NAME, words, ["nobody signed it"])
        return Line(NAME, "unknown", "Nobody signed this: who made it can't be known")
    if signer is None or seal.signature is None:
        return line(NAME, words, ["a signature without a signer, or a signer without a signature"])
    if wanted is not None and signer != wanted:
        return line(NAME, words, [f"it is signed by {signer}, not by {wanted}"])
    whose = "that you named" if wanted is not None else "but whose key that is, you have to know"
    sound = _signed(signer, content, seal.signature)
    return line(NAME, f"{words}: {signer}, {whose}", () if sound else ["the signature is not of these bytes"])


def _signed(signer: str, content: bytes, signature: str) -> bool:
    try:
        VerifyKey(bytes.fromhex(signer)).verify(content, bytes.fromhex(signature))
    except (BadSignatureError, ValueError):
        return False
    return True
