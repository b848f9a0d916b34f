"""Passport and thread policy, and the validator that holds passports: all of it is the operator's.

The pair (100) and (222), the thread token of a reporting account, and every change of a passport need the operator's
signature. The other two scripts build on it: whoever shows a thread token shows an account that the operator opened.
"""

from opshin.prelude import *

OPERATOR: bytes = b""  # key hash, baked in by the build


def validator(context: ScriptContext) -> None:
    assert OPERATOR in context.transaction.signatories, "operator: has not signed"
