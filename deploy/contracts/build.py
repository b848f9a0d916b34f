"""Compiles the contracts into CIP-57 blueprints: `python -m deploy.contracts.build --help`.

Needs the extra `contracts` (the compiler, OpShin). The same sources and constants give the same bytes, so a test builds
again what is committed and compares.
"""

import ast
import importlib
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from deploy.contracts.blueprint import BLUEPRINT, TRACED_BLUEPRINT, Contract, Deployment
from deploy.contracts.machine import deep_recursion
from deploy.contracts.optimise import optimised
from deploy.contracts.terms import Constant, Term
from indexer.errors import ConfigurationError

SOURCES: Final = Path(__file__).parent / "onchain"
TITLE: Final = "cellwitness, profile commitment-v2"

_SCHEMAS: Final[dict[str, tuple[str | None, tuple[str, ...]]]] = {
    "passport": (None, ()),
    "commitment": ("CommitmentDatum", ("Mint", "Burn", "Consume", "Reclaim")),
    "reporting": ("ReportingDatum", ("SubmitSignedReading", "Close")),
}
"""Each script's datum and redeemers, as its source names them."""


def build(deployment: Deployment, *, traced: bool = False) -> dict[str, Any]:
    """The blueprint of a deployment as JSON values. With ``traced``, of the twins that say which check refuses.

    The scripts know one another by hash: the passport policy knows nobody, the commitment script knows the passport
    policy, the reporting validator knows both.
    """
    with deep_recursion():
        return _blueprint(deployment, traced=traced)


def _blueprint(deployment: Deployment, *, traced: bool) -> dict[str, Any]:
    constants: dict[str, bytes | int] = {
        "OPERATOR": bytes.fromhex(deployment.operator),
        "SLOT_ZERO_MS": deployment.slot_zero_ms,
        "WINDOW_SLOTS": deployment.window_slots,
        "RECLAIM_AFTER_SLOTS": deployment.reclaim_after_slots,
        "SOH_TOLERANCE_BP": deployment.soh_tolerance_bp,
    }
    validators = []
    for title in _SCHEMAS:
        contract = Contract(title, compiled(title, constants))
        constants[title.upper()] = contract.hash
        twin = Contract(title, compiled(title, constants, traced=True)) if traced else contract
        validators.append(_validator(twin))
    return {
        "preamble": {
            "title": TITLE + (", twins with a trace for each check: never deploy them" if traced else ""),
            "plutusVersion": "v3",
            "license": "Apache-2.0",
            "deployment": msgspec.to_builtins(deployment),
        },
        "validators": validators,
    }


def compiled(title: str, constants: dict[str, bytes | int], *, traced: bool = False) -> bytes:
    """One source with its constants baked in, as the ledger hashes it: CBOR around the flat program."""
    import uplc  # noqa: PLC0415  # the extra `contracts`
    from opshin import builder, compiler, compiler_config  # noqa: PLC0415

    path = SOURCES / f"{title}.py"
    module = compiler.parse(_baked(path.read_text(), constants), filename=str(path))
    level = compiler_config.OPT_O1_CONFIG if traced else compiler_config.OPT_O3_CONFIG
    config = compiler_config.DEFAULT_CONFIG.update(level)
    program = builder.compile(module, contract_filename=str(path), config=config)
    content: bytes = uplc.flatten(program if traced else _optimised(program))
    return content


def _optimised(program: Any) -> Any:
    """The program after the rules of `optimise`, which know terms as tuples."""
    import uplc  # noqa: PLC0415
    from uplc.transformer.unique_variables import UniqueVariableTransformer  # noqa: PLC0415

    # Through the flat form, where a built-in and its forces are terms of their own.
    read = UniqueVariableTransformer().visit(uplc.unflatten(uplc.flatten(program)))
    return uplc.ast.Program(read.version, _written(optimised(_read(read.term))))


def _read(node: Any) -> Term:
    match type(node).__name__:
        case "Variable":
            return ("var", node.name)
        case "Lambda" | "BoundStateLambda":
            return ("lam", node.var_name, _read(node.term))
        case "Apply":
            return ("app", _read(node.f), _read(node.x))
        case "Delay" | "BoundStateDelay":
            return ("delay", _read(node.term))
        case "Force":
            return ("force", _read(node.term))
        case "BuiltIn" | "ForcedBuiltIn":
            return ("builtin", node.builtin)
        case "Error":
            return ("error",)
    return ("con", Constant(node.dumps()))


def _written(term: Term) -> Any:
    from uplc import ast, tools  # noqa: PLC0415

    match term[0]:
        case "var":
            return ast.Variable(term[1])
        case "lam":
            return ast.Lambda(term[1], _written(term[2]))
        case "app":
            return ast.Apply(_written(term[1]), _written(term[2]))
        case "delay":
            return ast.Delay(_written(term[1]))
        case "force":
            return ast.Force(_written(term[1]))
        case "builtin":
            return ast.BuiltIn(term[1])
        case "error":
            return ast.Error()
    return tools.parse(f"(program 1.0.0 {term[1].text})").term


def _baked(source: str, constants: dict[str, bytes | int]) -> str:
    """The source with the values of its annotated module constants replaced by the deployment's."""
    module = ast.parse(source)
    for node in module.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            node.value = ast.Constant(constants[node.target.id])
    return ast.unparse(module)


def _validator(contract: Contract) -> dict[str, Any]:
    from opshin import builder  # noqa: PLC0415  # the extra `contracts`

    source = importlib.import_module(f"deploy.contracts.onchain.{contract.title}")
    datum, redeemers = _SCHEMAS[contract.title]
    schemas = [builder.to_plutus_schema(getattr(source, name)) for name in redeemers]
    return {
        "title": contract.title,
        **({"datum": {"title": datum, "schema": builder.to_plutus_schema(getattr(source, datum))}} if datum else {}),
        "redeemer": {"schema": {"anyOf": schemas} if schemas else {}},
        "compiledCode": contract.content.hex(),
        "hash": contract.hash.hex(),
    }


def write(blueprint: dict[str, Any], path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(blueprint), indent=2) + b"\n")


@click.command()
@click.option("--operator", required=True, metavar="HEX", help="Key hash of the operator, 28 bytes: he registers.")
@click.option(
    "--slot-zero-ms",
    type=int,
    required=True,
    help="POSIX time of slot 0, were all slots one second long. Mainnet 1591566291000, preprod 1655683200000, "
    "preview 1666656000000.",
)
@click.option("--window-slots", type=int, default=600, show_default=True, help="Longest validity of a commitment.")
@click.option("--reclaim-after-slots", type=int, default=3_600, show_default=True, help="When a commitment expires.")
@click.option("--soh-tolerance-bp", type=int, default=200, show_default=True, help="How far SoH may rise, 1/100 %.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
def main(*, operator: str, out: Path, **numbers: int) -> None:
    """Compile the contracts of a deployment of your own.

    Writes plutus.json (what is deployed) and plutus-traced.json (twins that name the check that refuses).
    """
    try:
        key_hash = bytes.fromhex(operator)
    except ValueError:
        key_hash = b""
    if len(key_hash) != 28:
        raise click.UsageError(f"--operator: {operator!r} is no key hash; write 56 hex digits")
    try:
        deployment = Deployment(operator=key_hash.hex(), **numbers)
        out.mkdir(parents=True, exist_ok=True)
        for name, traced in ((BLUEPRINT, False), (TRACED_BLUEPRINT, True)):
            write(build(deployment, traced=traced), out / name)
            click.echo(f"wrote {out / name}")
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{error.name} is not installed: install the extra `contracts`") from error


if __name__ == "__main__":
    main()
