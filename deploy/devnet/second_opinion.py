"""pycardano's opinion of what was made: each kind of transaction is read back by a library that others wrote.

pycardano writes a transaction in 8 ms, which would make minutes of a year of readings, so the maker writes the bytes
itself (docs/decisions/0004) and pycardano reads a sample of them while they are made.
"""

import warnings
from collections import Counter
from typing import Any, Final

import cbor2
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from deploy.devnet.actors import Made
from indexer.errors import OperatorMustAct

FIRST_OF_EACH_KIND: Final = 3
THEN_EVERY: Final = 1_000


class MadeWrongly(OperatorMustAct):
    """The maker wrote a transaction that pycardano reads as another one, or not at all."""


class SecondOpinion:
    """Reads the first few transactions of each kind and every thousandth after them."""

    def __init__(self) -> None:
        """Imports pycardano, which takes a second or three."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own dependencies' deprecations
            import pycardano  # noqa: PLC0415  # seconds, and only where transactions are made
        self._pycardano: Any = pycardano
        self._seen: Counter[str] = Counter()
        self.checked = 0

    def consider(self, made: Made) -> None:
        """Raises MadeWrongly where the two disagree."""
        self._seen[made.kind] += 1
        count = self._seen[made.kind]
        if count > FIRST_OF_EACH_KIND and count % THEN_EVERY:
            return
        transaction = made.transaction
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read = self._pycardano.Transaction.from_cbor(transaction.cbor)
                body = read.transaction_body
                # It hashes what it writes itself: the same id means that it understood every byte of the body.
                theirs = str(body.id)
                witnesses = read.transaction_witness_set.vkey_witnesses or []
                signed = all(_signed(witness, body.hash()) for witness in witnesses)
            except (self._pycardano.DeserializeException, cbor2.CBORDecodeError, ValueError) as error:
                raise MadeWrongly(
                    f"pycardano can't read the {made.kind} transaction {transaction.id}: {error}"
                ) from error
        if theirs != transaction.id or not signed:
            raise MadeWrongly(
                f"pycardano reads the {made.kind} transaction {transaction.id} as {theirs}, signed: {signed}"
            )
        self.checked += 1


def _signed(witness: Any, message: bytes) -> bool:
    try:
        VerifyKey(witness.vkey.payload).verify(message, witness.signature)
    except BadSignatureError:
        return False
    return True
