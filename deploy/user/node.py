"""What a user's commands ask a node: Ogmios' own methods, and on a devnet its deployment and its faucet."""

import time
from typing import Any, Final

import msgspec
from msgspec import Struct

from deploy.devnet.control import Answered, call
from deploy.devnet.deployment import Terms
from deploy.devnet.keys import Place, address_bytes
from deploy.devnet.transactions import Assets, Utxo
from indexer.errors import ConfigurationError, OperatorMustAct, Retryable

PATIENCE_SECONDS: Final = 60.0
_MAINNET_MAGIC: Final = 764_824_073
_NO_METHOD: Final = -32601


class Refused(OperatorMustAct):
    """The chain doesn't take the transaction: the answer is no."""

    exit_code = 1


class Money(Struct, frozen=True, kw_only=True):
    """An unspent output, as far as building a transaction needs it."""

    utxo: Utxo
    place: Place
    assets: Assets
    datum: bytes | None
    script_bytes: int = 0  # of a script that it carries


class ScriptAt(Struct, frozen=True):
    """One of the deployment's scripts, and the output that carries it."""

    hash: str
    transaction: str
    index: int


class Scripts(Struct, frozen=True):
    """The deployment's scripts."""

    commitment: ScriptAt
    reporting: ScriptAt
    passport: ScriptAt


class Deployment(Struct, frozen=True, kw_only=True):
    """Where a deployment is on its network: what a devnet tells by itself, and a file tells of another network."""

    network: str
    network_magic: int
    start_time: str
    scripts: Scripts
    terms: Terms

    @property
    def address_network(self) -> int:
        """The network number in addresses (CIP-19)."""
        return int(self.network_magic == _MAINNET_MAGIC)


class UserNode:
    """One node, asked with a connection for each question."""

    def __init__(self, url: str) -> None:
        self.url = url

    def deployment(self) -> Deployment:
        """Of a devnet. Raises ConfigurationError where the node is none."""
        answer = call(self.url, "devnet/deployment")
        if answer.code == _NO_METHOD:
            raise ConfigurationError(
                f"{self.url} is no devnet: name the deployment with --deployment FILE, and what to sign with --unsigned"
            )
        return msgspec.convert(self._result(answer, "devnet/deployment"), Deployment)

    def give(self, address: str, lovelace: int) -> None:
        """Money from the devnet's faucet, when this returns."""
        answer = call(self.url, "devnet/faucet", {"address": address, "lovelace": lovelace})
        self.wait_for(self._result(answer, "devnet/faucet")["transaction"]["id"])

    def tip_slot(self) -> int:
        tip = self._ask("queryNetwork/tip")
        return int(tip["slot"]) if isinstance(tip, dict) else 0

    def at(self, address: str) -> list[Money]:
        """The unspent outputs of an address."""
        return [_money(each) for each in self._ask("queryLedgerState/utxo", {"addresses": [address]})]

    def output(self, transaction: str, index: int) -> Money | None:
        """One output; None where it is spent or was never made."""
        reference = {"transaction": {"id": transaction}, "index": index}
        found = self._ask("queryLedgerState/utxo", {"outputReferences": [reference]})
        return _money(found[0]) if found else None

    def parameters(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("queryLedgerState/protocolParameters")
        return found

    def evaluate(self, cbor: bytes) -> dict[tuple[str, int], tuple[int, int]]:
        """Memory and CPU of each script run, by purpose and index. Raises Refused where one fails."""
        answer = call(self.url, "evaluateTransaction", {"transaction": {"cbor": cbor.hex()}})
        return {
            (each["validator"]["purpose"], each["validator"]["index"]): (
                each["budget"]["memory"],
                each["budget"]["cpu"],
            )
            for each in self._result(answer, "evaluateTransaction")
        }

    def submit(self, cbor: bytes) -> str:
        """The transaction's id. Raises Refused."""
        answer = call(self.url, "submitTransaction", {"transaction": {"cbor": cbor.hex()}})
        return str(self._result(answer, "submitTransaction")["transaction"]["id"])

    def wait_for(self, transaction: str, index: int = 0) -> None:
        """Until the transaction's output is on the chain. Raises Retryable after a minute."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.output(transaction, index) is None:
            if time.monotonic() > deadline:
                raise Retryable(
                    f"transaction {transaction} is not on the chain after {PATIENCE_SECONDS:.0f} s: look again"
                )
            time.sleep(0.1)

    def _ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        return self._result(call(self.url, method, params), method)

    def _result(self, answer: Answered, method: str) -> Any:
        if answer.code is None:
            return answer.result
        raise Refused(f"the node refused {method} (code {answer.code}): {answer.message}{_details(answer.data)}")


def _details(data: Any) -> str:
    """What the answer adds, in one line."""
    match data:
        case None:
            return ""
        case {"mismatchReason": str(reason)}:
            return f" {reason}"
        case [{"error": {"data": {"validationError": str(reason)}}}, *_]:
            return f" {reason}"
        case _:
            return f" {msgspec.json.encode(data).decode()[:600]}"


def _money(shown: dict[str, Any]) -> Money:
    value = dict(shown["value"])
    lovelace = value.pop("ada")["lovelace"]
    script = shown.get("script", {})
    return Money(
        utxo=Utxo(shown["transaction"]["id"], shown["index"], lovelace),
        place=Place(address_bytes(shown["address"])),
        assets={
            bytes.fromhex(policy): {bytes.fromhex(name): quantity for name, quantity in names.items()}
            for policy, names in value.items()
        },
        datum=bytes.fromhex(shown["datum"]) if "datum" in shown else None,
        script_bytes=len(script.get("cbor", "")) // 2,
    )
