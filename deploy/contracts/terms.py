"""Terms of Untyped Plutus Core as tuples, and what can be said of one by looking.

Terms are tuples: ("var", name), ("lam", name, body), ("app", function, argument), ("delay", term), ("force", term),
("con", constant), ("builtin", function), ("error",). Every name is bound once. A "let" is ("app", ("lam", …), value).
"""

from typing import Any, Final

from msgspec import Struct

Term = tuple[Any, ...]

_SMALL_CONSTANT: Final = len("(con integer 99)")


class Constant(Struct, frozen=True):
    """A constant as text, which is what it is compared by: the library's own constants compare as scripts do."""

    text: str  # such as (con integer 1)


def is_value(term: Term) -> bool:
    """Evaluates to itself: can neither fail nor cost much, wherever it stands."""
    if term[0] == "force":
        return is_builtin(term)
    return term[0] in ("var", "lam", "delay", "con", "builtin")


def is_builtin(term: Term) -> bool:
    """A built-in with some of its forces: no built-in computes before its first argument."""
    while term[0] == "force":
        term = term[1]
    return bool(term[0] == "builtin")


def is_callable(term: Term) -> bool:
    """A function by name: nothing is evaluated to find it."""
    return bool(term[0] == "var") or is_builtin(term)


def is_small(term: Term) -> bool:
    """No larger than a variable, so that it is written wherever it is used."""
    if term[0] == "lam":
        return bool(term[2] == ("var", term[1])) or term[2][0] == "con"
    if term[0] == "delay":
        return bool(term[1][0] in ("var", "error")) or (term[1][0] == "con" and is_small(term[1]))
    return term[0] in ("var", "builtin") or (term[0] == "con" and len(term[1].text) <= _SMALL_CONSTANT)


def children(term: Term) -> tuple[Term, ...]:
    return tuple(part for part in term[1:] if isinstance(part, tuple))


def is_let(term: Term) -> bool:
    return bool(term[0] == "app" and term[1][0] == "lam")


def occurs_strictly(name: str, term: Term) -> bool:
    """Whether evaluating the term evaluates the variable, whatever else happens."""
    if term[0] == "var":
        return bool(term[1] == name)
    if term[0] == "app" and term[1][0] == "lam":
        return occurs_strictly(name, term[2]) or occurs_strictly(name, term[1][2])
    if term[0] in ("lam", "delay"):
        return False
    return any(occurs_strictly(name, child) for child in children(term))


def free(term: Term) -> frozenset[str]:
    """Names that a term takes from around it."""
    if term[0] == "var":
        return frozenset((term[1],))
    found = frozenset[str]().union(*(free(child) for child in children(term)))
    return found - {term[1]} if term[0] == "lam" else found


def spine(term: Term) -> tuple[Term, list[Term]]:
    """The head of nested applications, and the arguments in order."""
    arguments: list[Term] = []
    while term[0] == "app":
        arguments.append(term[2])
        term = term[1]
    return term, arguments[::-1]


def as_term(term: Term) -> Term:
    return term
