"""Smaller and cheaper programs that accept exactly what they accepted: for what the compiler leaves behind.

OpShin passes every variable as a delayed term, hands functions all that they refer to, and leaves bindings that nobody
uses. The rules here undo that. Each keeps acceptance: terms move only to where they are evaluated all the same, a term
that could fail is never dropped, and one failure is as good as another, since a script has no other effect.

Terms are tuples: ("var", name), ("lam", name, body), ("app", function, argument), ("delay", term), ("force", term),
("con", constant), ("builtin", function), ("error",). Every name is bound once. A "let" is ("app", ("lam", …), value).
"""

from collections import Counter, defaultdict
from typing import Any, Final

from msgspec import Struct

Term = tuple[Any, ...]

_MAX_PASSES: Final = 40
_WORTH_A_NAME: Final = 3  # uses
_SMALL_CONSTANT: Final = len("(con integer 99)")
_INVERSES: Final = {"UnIData": "IData", "UnBData": "BData", "UnMapData": "MapData", "UnListData": "ListData"}


class Constant(Struct, frozen=True):
    """A constant as text, which is what it is compared by: the library's own constants compare as scripts do."""

    text: str  # such as (con integer 1)


def optimised(term: Term) -> Term:
    """Applies the rules until nothing changes."""
    for _ in range(_MAX_PASSES):
        after = _specialised(_Simplifier(term).run())
        if after == term:
            break
        term = after
    return _hoisted(term)


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
    if term[0] == "force" and _is_builtin(term):
        uses[term] += 1
        return
    for child in children(term):
        _count_forced(child, uses)


def _renamed(term: Term, names: dict[Term, str]) -> Term:
    if term[0] == "force" and term in names:
        return ("var", names[term])
    return tuple(_renamed(part, names) if isinstance(part, tuple) else part for part in term)


def is_value(term: Term) -> bool:
    """Evaluates to itself: can neither fail nor cost much, wherever it stands."""
    if term[0] == "force":
        return _is_builtin(term)
    return term[0] in ("var", "lam", "delay", "con", "builtin")


def _is_builtin(term: Term) -> bool:
    """A built-in with some of its forces: no built-in computes before its first argument."""
    while term[0] == "force":
        term = term[1]
    return bool(term[0] == "builtin")


def _is_small(term: Term) -> bool:
    """No larger than a variable, so that it is written wherever it is used."""
    if term[0] == "delay":
        return bool(term[1][0] in ("var", "error")) or (term[1][0] == "con" and _is_small(term[1]))
    return term[0] in ("var", "builtin") or (term[0] == "con" and len(term[1].text) <= _SMALL_CONSTANT)


def children(term: Term) -> tuple[Term, ...]:
    return tuple(part for part in term[1:] if isinstance(part, tuple))


def _is_let(term: Term) -> bool:
    return bool(term[0] == "app" and term[1][0] == "lam")


def _occurs_strictly(name: str, term: Term) -> bool:
    """Whether evaluating the term evaluates the variable, whatever else happens."""
    if term[0] == "var":
        return bool(term[1] == name)
    if term[0] == "app" and term[1][0] == "lam":
        return _occurs_strictly(name, term[2]) or _occurs_strictly(name, term[1][2])
    if term[0] in ("lam", "delay"):
        return False
    return any(_occurs_strictly(name, child) for child in children(term))


class _Simplifier:
    """One walk from the outside in, carrying what is written in place of variables."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._uses: Counter[str] = Counter()
        self._forced: Counter[str] = Counter()
        self._count(term)
        self._written: dict[str, Term] = {}  # in place of a variable
        self._bare: set[str] = set()  # bound without the delay that each of their uses forced

    def run(self) -> Term:
        return self._walk(self._term)

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
        if body[0] == "app" and body[2] == ("var", term[1]) and self._uses[term[1]] == 1 and _is_builtin(body[1]):
            return _term(body[1])  # \x. f x is f
        return ("lam", term[1], body)

    def _force(self, term: Term) -> Term:
        if term[1][0] == "var" and term[1][1] in self._bare:
            return _term(term[1])
        inner = self._walk(term[1])
        if inner[0] == "delay":
            return _term(inner[1])
        if _is_let(inner):
            return ("app", ("lam", inner[1][1], ("force", inner[1][2])), inner[2])
        return ("force", inner)

    def _apply(self, term: Term) -> Term:
        if term[1][0] == "lam":
            return self._let(term[1][1], term[1][2], self._walk(term[2]))
        function, argument = self._walk(term[1]), self._walk(term[2])
        if _is_let(function):
            return ("app", ("lam", function[1][1], ("app", function[1][2], argument)), function[2])
        if _undoes(function, argument):
            return _term(argument[2])
        return ("app", function, argument)

    def _let(self, name: str, body: Term, value: Term) -> Term:
        if _is_let(value):
            return ("app", ("lam", value[1][1], self._let(name, body, value[1][2])), value[2])
        uses = self._uses[name]
        if is_value(value):
            if uses == 0:
                return self._walk(body)
            if uses == 1 or _is_small(value):
                return self._instead(name, body, value)
            if value[0] == "delay" and is_value(value[1]) and self._forced[name] == uses:
                self._bare.add(name)
                return ("app", ("lam", name, self._walk(body)), value[1])
        elif uses == 1 and _occurs_strictly(name, body):
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


def _undoes(function: Term, argument: Term) -> bool:
    """Whether a built-in takes apart what another has just put together."""
    if function[0] != "builtin" or argument[0] != "app" or argument[1][0] != "builtin":
        return False
    return bool(_INVERSES.get(function[1].name) == argument[1][1].name)


def _term(term: Term) -> Term:
    return term


class _Function:
    """A bound function whose every use is a call with all of its arguments."""

    def __init__(self, definition: Term, scope: frozenset[str]) -> None:
        self.delayed = definition[0] == "delay"
        self.scope = scope
        self.parameters: list[str] = []
        body = definition[1] if self.delayed else definition
        while body[0] == "lam":
            self.parameters.append(body[1])
            body = body[2]
        self.body = body
        self.calls: list[list[Term]] = []

    def is_known(self, argument: Term) -> bool:
        """Whether an argument means the same where the function is defined."""
        bare = argument[1] if argument[0] == "delay" else argument
        return bare[0] in ("con", "builtin") or (bare[0] == "var" and bare[1] in self.scope)


def _specialised(term: Term) -> Term:
    """Functions lose the parameters that are the same variable in every call, and the delays of those that are values.

    A delayed argument becomes a plain one where every call gives a delayed value; in the body its forces vanish.
    """
    functions: dict[str, _Function] = {}
    _collect(term, frozenset(), functions)
    uses: Counter[str] = Counter()
    _count_calls(term, functions, uses)
    dropped: dict[str, dict[int, Term]] = defaultdict(dict)
    plain: dict[str, set[int]] = defaultdict(set)
    for name, function in functions.items():
        if len(function.calls) != uses[name] or not function.calls:
            continue
        for index, parameter in enumerate(function.parameters):
            arguments = [call[index] for call in function.calls]
            if function.is_known(arguments[0]) and all(argument == arguments[0] for argument in arguments):
                dropped[name][index] = arguments[0]
            elif all(argument[0] == "delay" for argument in arguments) and (
                all(is_value(argument[1]) for argument in arguments) or _is_forced(parameter, function.body)
            ):
                plain[name].add(index)
        if not function.delayed and len(dropped[name]) == len(function.parameters):
            dropped[name].popitem()  # without a parameter it would run where it is defined
    if not any(dropped.values()) and not any(plain.values()):
        return term
    return _Rewriter(functions, dropped, plain).walk(term)


def _is_forced(name: str, term: Term) -> bool:
    """Whether evaluating the term forces the variable, whatever else happens: then it may be evaluated before."""
    if term[0] == "force" and term[1] == ("var", name):
        return True
    if term[0] == "app" and term[1][0] == "lam":
        return _is_forced(name, term[2]) or _is_forced(name, term[1][2])
    if term[0] in ("lam", "delay"):
        return False
    return any(_is_forced(name, child) for child in children(term))


def _collect(term: Term, scope: frozenset[str], functions: dict[str, _Function]) -> None:
    if _is_let(term):
        value = term[2]
        if value[0] == "lam" or (value[0] == "delay" and value[1][0] == "lam"):
            functions[term[1][1]] = _Function(value, scope)
    inner = scope | {term[1]} if term[0] == "lam" else scope
    for child in children(term):
        _collect(child, inner, functions)


def spine(term: Term) -> tuple[Term, list[Term]]:
    """The head of nested applications, and the arguments in order."""
    arguments: list[Term] = []
    while term[0] == "app":
        arguments.append(term[2])
        term = term[1]
    return term, arguments[::-1]


def _called(head: Term, functions: dict[str, _Function]) -> str | None:
    """The bound function that the head of a call names, forced if and only if it is bound delayed."""
    delayed = head[0] == "force"
    inner = head[1] if delayed else head
    if inner[0] != "var" or inner[1] not in functions or functions[inner[1]].delayed != delayed:
        return None
    return str(inner[1])


def _count_calls(term: Term, functions: dict[str, _Function], uses: Counter[str]) -> None:
    if term[0] == "var":
        uses[term[1]] += 1
        return
    if term[0] == "app":
        head, arguments = spine(term)
        name = _called(head, functions)
        if name is not None and len(arguments) >= len(functions[name].parameters):
            functions[name].calls.append(arguments)
        _count_calls(head, functions, uses)
        for argument in arguments:
            _count_calls(argument, functions, uses)
        return
    for child in children(term):
        _count_calls(child, functions, uses)


class _Rewriter:
    """Rewrites definitions and calls together."""

    def __init__(
        self, functions: dict[str, _Function], dropped: dict[str, dict[int, Term]], plain: dict[str, set[int]]
    ) -> None:
        self._functions, self._dropped, self._plain = functions, dropped, plain
        self._written: dict[str, Term] = {}
        self._bare: set[str] = set()
        for name, indexes in dropped.items():
            for index, argument in indexes.items():
                self._written[functions[name].parameters[index]] = argument
        for name, positions in plain.items():
            self._bare |= {functions[name].parameters[index] for index in positions}

    def walk(self, term: Term) -> Term:
        match term[0]:
            case "var":
                return self._variable(term)
            case "lam":
                return ("lam", term[1], self.walk(term[2]))
            case "force":
                if term[1][0] == "var" and term[1][1] in self._bare:
                    return _term(term[1])
                return ("force", self.walk(term[1]))
            case "delay":
                return ("delay", self.walk(term[1]))
            case "app":
                return self._apply(term)
        return term

    def _variable(self, term: Term) -> Term:
        if term[1] in self._bare:
            return ("delay", term)
        written = self._written.get(term[1])
        # A function's own argument may be a parameter that is dropped too.
        return term if written is None else self.walk(written)

    def _apply(self, term: Term) -> Term:
        if _is_let(term) and term[1][1] in self._functions:
            definition = self._definition(term[1][1], term[2])
            return ("app", ("lam", term[1][1], self.walk(term[1][2])), definition)
        head, arguments = spine(term)
        if head[0] == "lam" and len(arguments) > 1:
            result = self._apply(("app", head, arguments[0]))
            for argument in arguments[1:]:
                result = ("app", result, self.walk(argument))
            return result
        name = _called(head, self._functions)
        changed = name is not None and (name in self._dropped or name in self._plain)
        result = self.walk(head)
        for index, argument in enumerate(arguments):
            if changed and name is not None and index in self._dropped.get(name, {}):
                continue
            walked = self.walk(argument)
            unwrapped = changed and name is not None and index in self._plain.get(name, set())
            result = ("app", result, ("force", walked) if unwrapped else walked)
        return result

    def _definition(self, name: str, value: Term) -> Term:
        function = self._functions[name]
        dropped = self._dropped.get(name, {})
        body = self.walk(function.body)
        for index in reversed(range(len(function.parameters))):
            if index not in dropped:
                body = ("lam", function.parameters[index], body)
        return ("delay", body) if value[0] == "delay" else body
