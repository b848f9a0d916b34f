"""The optimiser's rules for functions: where they stand, and which parameters they need."""

from collections import Counter, defaultdict

from deploy.contracts.terms import Term, as_term, children, free, is_let, is_value, spine


def floated(term: Term) -> Term:
    """Functions that take nothing from around them but other such functions move to the beginning.

    There they are in scope of one another, so that passing one to another is seen to be the same in every call.
    """
    found: dict[str, Term] = {}
    inner = _without_closed(term, found)
    for name in reversed(_arguments_first(term, found)):
        inner = ("app", ("lam", name, inner), found[name])
    return inner


def _arguments_first(term: Term, found: dict[str, Term]) -> list[str]:
    """An order in which a function stands behind those that it refers to, and if it can, behind those it is given."""
    needs = {name: free(value) for name, value in found.items()}
    for name in found:  # in an order in which each refers to earlier ones: closed over at once
        needs[name] = needs[name].union(*(needs[needed] for needed in needs[name]))
    given: dict[str, set[str]] = defaultdict(set)
    _count_given(term, found, given)
    order: list[str] = []

    def place(name: str, waiting: frozenset[str]) -> None:
        if name in order or name in waiting:
            return
        waiting |= {name}
        first = [other for other in found if other in needs[name]]
        first += [other for other in found if other in given[name] and not waiting & (needs[other] | {other})]
        for other in first:
            place(other, waiting)
        if name not in order:
            order.append(name)

    for name in found:
        place(name, frozenset())
    return order


def _count_given(term: Term, found: dict[str, Term], given: dict[str, set[str]]) -> None:
    if term[0] == "app":
        head, arguments = spine(term)
        name = head[1] if head[0] == "force" else head
        if name[0] == "var" and name[1] in found:
            bare = [argument[1] if argument[0] == "delay" else argument for argument in arguments]
            given[name[1]] |= {argument[1] for argument in bare if argument[0] == "var" and argument[1] in found}
    for child in children(term):
        _count_given(child, found, given)


def _without_closed(term: Term, found: dict[str, Term]) -> Term:
    if is_let(term):
        value = _without_closed(term[2], found)
        function = value[1] if value[0] == "delay" else value
        if function[0] == "lam" and free(value) <= found.keys():
            found[term[1][1]] = value
            return _without_closed(term[1][2], found)
        return ("app", ("lam", term[1][1], _without_closed(term[1][2], found)), value)
    return tuple(_without_closed(part, found) if isinstance(part, tuple) else part for part in term)


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


def specialised(term: Term) -> Term:
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
    if is_let(term):
        value = term[2]
        if value[0] == "lam" or (value[0] == "delay" and value[1][0] == "lam"):
            functions[term[1][1]] = _Function(value, scope)
    inner = scope | {term[1]} if term[0] == "lam" else scope
    for child in children(term):
        _collect(child, inner, functions)


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
                    return as_term(term[1])
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
        if is_let(term) and term[1][1] in self._functions:
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
