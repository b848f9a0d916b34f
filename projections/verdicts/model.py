"""What is said of a reading: checks, and the four verdicts that they make. None overwrites another."""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from indexer.hexes import Hex

RULE_SET: Final = 1
"""Goes up when checks or rules say anything else of the same events. Stands in every verdict and finding."""

TWELVE: Final = 12

Result = Literal["passed", "failed", "not_assessable"]
VerdictName = Literal["ledger", "crypto", "binding", "plausibility"]
Value = int | str | bool | None


class Check(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question about a reading, its answer, and what it was answered from."""

    name: str
    verdict: VerdictName
    number: int = 0  # of the twelve checks of the published contract; 0 for what we ask besides
    result: Result
    reasons: tuple[str, ...] = ()  # stable codes: why it failed or can't be assessed, and what it warns of
    inputs: dict[str, Value] = {}


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What checks say together."""

    name: VerdictName
    result: Result
    reasons: tuple[str, ...] = ()


class Verdicts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything said of one reading, by one version of the rule set."""

    ledger: Verdict
    crypto: Verdict
    binding: Verdict
    plausibility: Verdict
    checks: tuple[Check, ...]
    key: Hex | None = None  # public key that the signature was judged by
    signed: bool = False  # that key signed these bytes, and they are sound
    rule_set: int = RULE_SET

    def check(self, number: int) -> Check:
        """One of the twelve, which come first."""
        return self.checks[number - 1]

    def beside(self, name: str) -> Check | None:
        """One that we ask besides."""
        for check in self.checks[TWELVE:]:
            if check.name == name:
                return check
        return None


def together(name: VerdictName, checks: Iterable[Check], *, failing: tuple[str, ...] = ()) -> Verdict:
    """Failed if one failed, else not assessable if one is, else passed. ``failing``: reasons from elsewhere to fail."""
    result: Result = "failed" if failing else "passed"
    reasons: dict[str, None] = {}
    for check in checks:
        if check.verdict != name:
            continue
        if check.result == "failed" or (check.result == "not_assessable" and result == "passed"):
            result = check.result
        if check.reasons:  # seldom
            reasons |= dict.fromkeys(check.reasons)
    return Verdict(name=name, result=result, reasons=(*reasons, *failing))
