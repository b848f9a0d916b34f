"""What the contracts cost: `make contracts`. Sizes, units and fees of honest transactions, at mainnet's parameters."""

from typing import Final

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from deploy.contracts.judge import Accepted, judge
from deploy.contracts.machine import Units
from deploy.contracts.parameters import ProtocolParameters, load_mainnet_parameters
from deploy.devnet.transactions import Use
from tests.deploy.contracts import scene
from tests.deploy.contracts.scene import CONTRACTS, Case

PUBLISHED_LOVELACE: Final = {"commit": 200_000, "submit, ES256K": 300_000}
"""The protocol's published estimate."""

_WIDTH: Final = 112  # columns: a cut hash is of no use

CASES: Final = {
    "register": scene.register,
    "commit": scene.commit,
    "submit, ES256K": scene.submit,
    "submit, Ed25519": lambda: scene.submit(algorithm=-19),
    "reclaim": scene.reclaim,
    "close": scene.close,
}


class Cost:
    """One honest transaction, its redeemers declaring what they use and its fee being the least."""

    def __init__(self, case: Case, parameters: ProtocolParameters) -> None:
        verdict = judge(case.transaction().cbor, case.resolved(), case.slots, parameters, declared_units=False)
        assert isinstance(verdict, Accepted), verdict
        draft = case.draft
        inputs = sorted(utxo.key for utxo in draft.inputs)
        for pointer, units in verdict.units.items():
            if pointer.purpose == "spend":
                draft.spends[inputs[pointer.index]] = _declared(draft.spends[inputs[pointer.index]], units)
            else:
                policy = sorted(draft.mint)[pointer.index]
                draft.mints[policy] = _declared(draft.mints[policy], units)
        self.units = Units(
            sum(each.memory for each in verdict.units.values()), sum(each.cpu for each in verdict.units.values())
        )
        scripts = [case.outputs[utxo.key].script for utxo in draft.references]
        self.reference_bytes = sum(len(script.content) for script in scripts if script is not None)
        self.transaction_bytes = len(case.transaction().cbor)
        self.fee = parameters.fee(self.transaction_bytes, self.units, self.reference_bytes)


def _declared(use: Use, units: Units) -> Use:
    return replace(use, memory=units.memory, cpu=units.cpu)


def costs(parameters: ProtocolParameters) -> dict[str, Cost]:
    return {name: Cost(make(), parameters) for name, make in CASES.items()}


def main() -> None:
    parameters = load_mainnet_parameters()
    console = Console(width=max(Console().width, _WIDTH))
    console.print(f"Parameters: {parameters.source}")
    scripts = Table("script", "bytes", "hash", title="Scripts")
    for contract in CONTRACTS.all:
        scripts.add_row(contract.title, f"{len(contract.content):,}", contract.hash.hex())
    console.print(scripts)
    table = Table("transaction", "bytes", "of limit", "memory", "of limit", "CPU", "of limit", "fee, ADA", "published")
    found = costs(parameters)
    for name, cost in found.items():
        table.add_row(
            name,
            f"{cost.transaction_bytes:,}",
            f"{cost.transaction_bytes / parameters.max_transaction_bytes:.1%}",
            f"{cost.units.memory:,}",
            f"{cost.units.memory / parameters.max_transaction_memory:.1%}",
            f"{cost.units.cpu:,}",
            f"{cost.units.cpu / parameters.max_transaction_cpu:.1%}",
            f"{cost.fee / 1e6:.3f}",
            f"{PUBLISHED_LOVELACE[name] / 1e6:.1f}" if name in PUBLISHED_LOVELACE else "",
        )
    console.print(table)
    both = found["commit"].fee + found["submit, ES256K"].fee
    console.print(f"commit and submit together: {both / 1e6:.3f} ADA (published estimate 0.5)")


if __name__ == "__main__":
    main()
