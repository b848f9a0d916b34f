"""The Python machine for Untyped Plutus Core: one program, one argument, what came of it and what it used.

The package `uplc` evaluates. It imports pycardano and takes seconds, so it is imported when the first script runs.
Where its built-ins answer otherwise than the ledger's, the answers here replace them.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import cbor2
from msgspec import Struct

from deploy.contracts.ledger import NotJudged
from deploy.devnet.plutus_writer import octets
from indexer.protocol.cbor import ARRAY, MAP, TAG, write_head
from indexer.protocol.plutus import Constr, Data, PlutusMap

_ARGUMENT_BYTES: Final = {"key": 33, "digest": 32, "signature": 64}  # of verifyEcdsaSecp256k1Signature

_RECURSION: Final = 20_000


class Units(Struct, frozen=True):
    """Execution units: memory and CPU steps."""

    memory: int
    cpu: int


class Run(Struct, frozen=True, kw_only=True):
    """What became of one evaluation. ``failure`` is empty where the script accepted."""

    units: Units
    traces: tuple[str, ...]
    failure: str


class Machine:
    """Evaluates Plutus V3 programs on one cost model (the ledger's order, 297 values or more)."""

    def __init__(self, cost_model: tuple[int, ...]) -> None:
        self._uplc = _library()
        names = list(self._uplc.cost_model.latest_network_config_plutus(self._uplc.cost_model.PlutusVersion.PlutusV3))
        if len(cost_model) < len(names):
            raise NotJudged(f"a Plutus V3 cost model has {len(names)} values or more, not {len(cost_model)}")
        # The library knows the built-ins of Plutus V3's first 297 values; a script that uses a later one is refused.
        values = dict(zip(names, cost_model, strict=False))
        model = self._uplc.cost_model
        self._steps = model.updated_cek_machine_cost_model_from_network_config(
            model.default_cek_machine_cost_model_base(), values
        )
        self._builtins = model.updated_builtin_cost_model_from_network_config(
            model.default_builtin_cost_model_base(), values
        )
        self._programs: dict[bytes, Any] = {}

    def run(self, script: bytes, argument: Data, limit: Units) -> Run:
        """Applies a script (its bytes as the ledger hashes them) to its context. At most ``limit`` is spent."""
        with deep_recursion():
            if script not in self._programs:
                self._programs[script] = self._uplc.tools.unflatten(script)
            program = self._uplc.tools.apply(self._programs[script], self._constant(argument))
            budget = self._uplc.cost_model.Budget(cpu=limit.cpu, memory=limit.memory)
            result = self._uplc.machine.Machine(budget, self._steps, self._builtins).eval(program)
        failure = ""
        if isinstance(result.result, Exception):
            failure = str(result.result) or type(result.result).__name__
        elif not isinstance(result.result, self._uplc.ast.BuiltinUnit):
            failure = "the script returned something other than unit"
        return Run(units=Units(result.cost.memory, result.cost.cpu), traces=tuple(result.logs), failure=failure)

    def _constant(self, data: Data) -> Any:
        ast = self._uplc.ast
        match data:
            case int():
                return ast.PlutusInteger(data)
            case bytes():
                return ast.PlutusByteString(data)
            case Constr(index=index, fields=fields):
                return ast.PlutusConstr(index, [self._constant(field) for field in fields])
            case PlutusMap(pairs=pairs):
                entries = {self._constant(key): self._constant(value) for key, value in pairs}
                if len(entries) < len(pairs):
                    raise NotJudged("script data holds a map with one key twice, which this machine can't represent")
                return ast.PlutusMap(entries)
            case _:
                return ast.PlutusList([self._constant(item) for item in data])


@contextmanager
def deep_recursion() -> Iterator[None]:
    """The library walks a program's tree by calling itself, a level for each binding: thousands for our contracts."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@cache
def _library() -> Any:
    """The package, with the ledger's answers in place of its own."""
    import uplc.ast  # noqa: PLC0415  # three seconds, and only where scripts run
    import uplc.cost_model  # noqa: PLC0415
    import uplc.machine  # noqa: PLC0415
    import uplc.tools  # noqa: PLC0415

    answers = uplc.ast.BuiltInFunEvalMap
    answers[uplc.ast.BuiltInFun.SerialiseData] = _serialiser(uplc.ast)
    answers[uplc.ast.BuiltInFun.VerifyEcdsaSecp256k1Signature] = _ecdsa(uplc.ast)
    return uplc


def _serialiser(ast: Any) -> Callable[[Any], Any]:
    """`serialiseData`: the library writes lists of definite length and cuts strings of exactly 64 bytes in pieces."""

    def written(data: Any) -> bytes:
        if isinstance(data, ast.PlutusInteger):
            return _integer(data.value)
        if isinstance(data, ast.PlutusByteString):
            return octets(data.value)
        if isinstance(data, ast.PlutusList):
            return _list(data.value)
        if isinstance(data, ast.PlutusMap):
            pairs = b"".join(written(key) + written(value) for key, value in data.value.items())
            return write_head(MAP, len(data.value)) + pairs
        fields = _list(data.fields)
        number = data.constructor
        if number < 7:
            return write_head(TAG, 121 + number) + fields
        if number < 128:
            return write_head(TAG, 1280 + number - 7) + fields
        return write_head(TAG, 102) + write_head(ARRAY, 2) + _integer(number) + fields

    def _list(items: Any) -> bytes:
        return b"\x9f" + b"".join(map(written, items)) + b"\xff" if items else b"\x80"

    def serialise(data: Any) -> Any:
        return ast.BuiltinByteString(written(data))

    return serialise


def _integer(value: int) -> bytes:
    if -(1 << 64) <= value < 1 << 64:
        return cbor2.dumps(value)
    magnitude = value if value >= 0 else -1 - value
    tag = b"\xc2" if value >= 0 else b"\xc3"
    return tag + octets(magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big"))


def _ecdsa(ast: Any) -> Callable[[Any, Any, Any], Any]:
    """`verifyEcdsaSecp256k1Signature`: the library takes keys of 65 bytes too, and needs libsecp256k1 installed."""
    import coincurve  # noqa: PLC0415
    from coincurve.ecdsa import cdata_to_der, deserialize_compact  # noqa: PLC0415

    def verify(key: Any, digest: Any, signature: Any) -> Any:
        given = {"key": key.value, "digest": digest.value, "signature": signature.value}
        for name, expected in _ARGUMENT_BYTES.items():
            if len(given[name]) != expected:
                raise ValueError(f"ECDSA {name} of {len(given[name])} bytes, not {expected}")
        parsed = deserialize_compact(signature.value)  # raises where r or s is not below the group's order
        valid = coincurve.PublicKey(key.value).verify(cdata_to_der(parsed), digest.value, hasher=None)
        return ast.BuiltinBool(valid)

    return verify
