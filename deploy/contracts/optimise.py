"""Smaller and cheaper programs that accept exactly what they accepted: for what the compiler leaves behind.

OpShin passes every variable as a delayed term, hands functions all that they refer to, and leaves bindings that nobody
uses. The rules here undo that. Each keeps acceptance: terms move only to where they are evaluated all the same, a term
that could fail is never dropped, and one failure is as good as another, since a script has no other effect.
"""

from collections import Counter
from typing import Final

from deploy.contracts.functions import floated, specialised
from deploy.contracts.terms import (
    Term,
    as_term,
    children,
    is_builtin,
    is_callable,
    is_let,
    is_small,
    is_value,
    occurs_strictly,
    spine,
)

_MAX_PASSES: Final = 40
_LAST_PASSES: Final = 3
_WORTH_A_NAME: Final = 3  # uses
_INVERSES: Final = {"UnIData": "IData", "UnBData": "BData", "UnMapData": "MapData", "UnListData": "ListData"}


def optimised(term: Term) -> Term:
    """Applies the rules until nothing changes."""
    for _ in range(_MAX_PASSES):
        after = specialised(floated(_Simplifier(term).run()))
        if after == term:
            break
        term = after
    term = _hoisted(term)
    for _ in range(_LAST_PASSES):
        term = _Simplifier(term).run()
    return term


def _hoisted(term: Term) -> Term:
    """Built-ins whose forces would be paid at every use are forced once, at the beginning."""
    uses: Counter[Term] = Counter()
    _count_forced(term, uses)
    names = {forced: f"forced_{forced_name(forced)}" for forced, count in uses.items() if count >= _WORTH_A_NAME}
    if not names:
        return term
    result = _renamed(term, names)
    for forced, name in names.items():
        result = ("app", ("lam", name, result), forced)
    return result


def forced_name(term: Term) -> str:
    while term[0] == "force":
        term = term[1]
    return str(term[1].name)


def _count_forced(term: Term, uses: Counter[Term]) -> None:
    if term[0] == "force" and is_builtin(term):
        uses[term] += 1
        return
    for child in children(term):
        _count_forced(child, uses)


def _renamed(term: Term, names: dict[Term, str]) -> Term:
    if term[0] == "force" and term in names:
        return ("var", names[term])
    return tuple(_renamed(part, names) if isinstance(part, tuple) else part for part in term)


class _Simplifier:
    """One walk from the outside in, carrying what is written in place of variables."""

    def __init__(self, term: Term) -> None:
        self.as_term = term
        self._uses: Counter[str] = Counter()
        self._forced: Counter[str] = Counter()
        self._count(term)
        self._written: dict[str, Term] = {}  # in place of a variable
        self._negations: set[str] = set()  # names of \x. if x then False else True
        self._bare: set[str] = set()  # bound without the delay that each of their uses forced

    def run(self) -> Term:
        return self._walk(self.as_term)

    def _count(self, term: Term) -> None:
        if term[0] == "var":
            self._uses[term[1]] += 1
        if term[0] == "force" and term[1][0] == "var":
            self._forced[term[1][1]] += 1
        for child in children(term):
            self._count(child)

    def _walk(self, term: Term) -> Term:
        match term[0]:
            case "var":
                return self._written.get(term[1], term)
            case "lam":
                return self._lambda(term)
            case "delay":
                return ("delay", self._walk(term[1]))
            case "force":
                return self._force(term)
            case "app":
                return self._apply(term)
        return term

    def _lambda(self, term: Term) -> Term:
        body = self._walk(term[2])
        if body[0] == "app" and body[2] == ("var", term[1]) and self._uses[term[1]] == 1 and is_callable(body[1]):
            return as_term(body[1])  # \x. f x is f
        return ("lam", term[1], body)

    def _force(self, term: Term) -> Term:
        if term[1][0] == "var" and term[1][1] in self._bare:
            return as_term(term[1])
        inner = self._walk(term[1])
        if inner[0] == "delay":
            return as_term(inner[1])
        if is_let(inner):
            return ("app", ("lam", inner[1][1], ("force", inner[1][2])), inner[2])
        return ("force", inner)

    def _apply(self, term: Term) -> Term:
        if term[1][0] == "lam":
            return self._let(term[1][1], term[1][2], self._walk(term[2]))
        function, argument = self._walk(term[1]), self._walk(term[2])
        if is_let(function):
            return ("app", ("lam", function[1][1], ("app", function[1][2], argument)), function[2])
        if _undoes(function, argument) or self._is_twice_not(function, argument):
            return as_term(argument[2])
        return ("app", function, argument)

    def _is_twice_not(self, function: Term, argument: Term) -> bool:
        return (
            function[0] == "var" and function[1] in self._negations and argument[0] == "app" and argument[1] == function
        )

    def _let(self, name: str, body: Term, value: Term) -> Term:
        if is_let(value):
            return ("app", ("lam", value[1][1], self._let(name, body, value[1][2])), value[2])
        uses = self._uses[name]
        if value[0] == "lam" and _is_negation(value):
            self._negations.add(name)
        if is_value(value):
            if uses == 0:
                return self._walk(body)
            if uses == 1 or is_small(value):
                return self._instead(name, body, value)
            if value[0] == "delay" and is_value(value[1]) and self._forced[name] == uses:
                self._bare.add(name)
                return ("app", ("lam", name, self._walk(body)), value[1])
        elif uses == 1 and occurs_strictly(name, body):
            return self._instead(name, body, value)
        return ("app", ("lam", name, self._walk(body)), value)

    def _instead(self, name: str, body: Term, value: Term) -> Term:
        """Writes the value in place of the variable; a variable in it is now used as often."""
        self._written[name] = value
        inner = value[1] if value[0] == "delay" else value
        if inner[0] == "var":
            self._uses[inner[1]] += self._uses[name] - 1
            self._forced[inner[1]] += self._forced[name] if inner is value else 0
        return self._walk(body)


def _is_negation(function: Term) -> bool:
    head, arguments = spine(function[2])
    if len(arguments) != 3:
        return False
    texts = [argument[1].text for argument in arguments[1:] if argument[0] == "con"]
    is_choice = head[0] == "force" and head[1][0] == "builtin" and head[1][1].name == "IfThenElse"
    return is_choice and arguments[0] == ("var", function[1]) and texts == ["(con bool False)", "(con bool True)"]


def _undoes(function: Term, argument: Term) -> bool:
    """Whether a built-in takes apart what another has just put together."""
    if function[0] != "builtin" or argument[0] != "app" or argument[1][0] != "builtin":
        return False
    return bool(_INVERSES.get(function[1].name) == argument[1][1].name)
