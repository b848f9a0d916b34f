"""What a devnet's node answers about its ledger and takes into it: Ogmios' methods, and two of our own."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from deploy.contracts.context import SlotConfig
from deploy.contracts.ledger import OutputReference
from deploy.contracts.parameters import ProtocolParameters, load_mainnet_parameters
from deploy.devnet.actors import genesis_utxo
from deploy.devnet.admission import (
    COLLATERAL_PERCENT,
    MAX_COLLATERAL_INPUTS,
    MIN_UTXO_PER_BYTE,
    Admission,
)
from deploy.devnet.keys import Key, Place, address_bytes
from deploy.devnet.network import Network
from deploy.devnet.open_ledger import OpenLedger
from deploy.devnet.rpc import Refusal
from deploy.devnet.shown import Received, ada, output_json
from deploy.devnet.transactions import Draft, Out, build

Json = dict[str, Any]

_FAUCET_FEE: Final = 200_000
_FAUCET_MOST_LOVELACE: Final = 100_000_000_000


class _Cbor(Struct, frozen=True):
    cbor: str


class _Transaction(Struct, frozen=True):
    transaction: _Cbor


class _Id(Struct, frozen=True):
    id: str


class _Reference(Struct, frozen=True):
    transaction: _Id
    index: int


class _Utxo(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    output_references: tuple[_Reference, ...] | None = None
    addresses: tuple[str, ...] | None = None


class _Faucet(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    lovelace: int


class Desk:
    """Methods by name: parameters as JSON text in, a result out. They raise Refusal, and msgspec's errors for
    parameters of another shape.
    """

    def __init__(self, ledger: OpenLedger, network: Network) -> None:
        self._ledger, self._network = ledger, network
        self._parameters = load_mainnet_parameters()
        slots = SlotConfig(zero_time_ms=round(network.start_time.timestamp() * 1_000))
        self.admission = Admission(ledger, self._parameters, slots)
        self._granted = 0
        self.methods: dict[str, Callable[[bytes], Any]] = {
            "submitTransaction": self._submit,
            "evaluateTransaction": self._evaluate,
            "queryLedgerState/utxo": self._utxo,
            "queryLedgerState/protocolParameters": lambda _: protocol_parameters(self._parameters),
            "devnet/deployment": lambda _: self._deployment(),
            "devnet/faucet": self._faucet,
        }

    def _submit(self, params: bytes) -> Json:
        received = self.admission.admit(_cbor(params))
        self._ledger.submit(received)
        return {"transaction": {"id": received.id}}

    def _evaluate(self, params: bytes) -> list[Json]:
        return self.admission.evaluate(_cbor(params))

    def _utxo(self, params: bytes) -> list[Json]:
        """By output references or by addresses; the whole set is nobody's business here."""
        wanted = msgspec.json.decode(params, type=_Utxo)
        if wanted.output_references is not None:
            references: list[OutputReference] = [(each.transaction.id, each.index) for each in wanted.output_references]
            outputs = {key: self._ledger.outputs[key] for key in references if key in self._ledger.outputs}
        elif wanted.addresses is not None:
            outputs = self._ledger.at({_address(text) for text in wanted.addresses})
        else:
            raise Refusal(-32602, "Name output references or addresses: the whole UTxO set is not answered here.")
        return [
            {"transaction": {"id": key[0]}, "index": key[1]} | output_json(output)
            for key, output in sorted(outputs.items())
        ]

    def _deployment(self) -> Json:
        """What a user's commands need to know: scripts, where to refer to them, terms, and the devnet's operator."""
        site, scripts = self._ledger.maker.site, self._ledger.scripts
        places = {
            "commitment": (scripts.commitment, site.commitment_script),
            "reporting": (scripts.reporting, site.reporting_script),
            "passport": (scripts.passport, site.passport_script),
        }
        return {
            "network": self._network.name,
            "network_magic": self._network.magic,
            "start_time": self._network.start_text,
            "scripts": {
                name: {"hash": script.hex(), "transaction": utxo.transaction, "index": utxo.index}
                for name, (script, utxo) in places.items()
            },
            "terms": msgspec.to_builtins(site.terms),
        }

    def _faucet(self, params: bytes) -> Json:
        """Money from before the first block. Each grant has an output of its own, so that no fork entangles them."""
        wanted = msgspec.json.decode(params, type=_Faucet)
        if not 1_000_000 <= wanted.lovelace <= _FAUCET_MOST_LOVELACE:
            raise Refusal(-32602, f"The faucet gives 1 to {_FAUCET_MOST_LOVELACE // 1_000_000:,} ADA at a time.")
        self._granted += 1
        name = f"{self._ledger.maker.plan.seed}/faucet/{self._granted}"
        draft = Draft(
            inputs=[genesis_utxo(name, wanted.lovelace + _FAUCET_FEE)],
            outputs=[Out(place=Place(_address(wanted.address)), lovelace=wanted.lovelace)],
            fee=_FAUCET_FEE,
            signers=[Key(name)],
        )
        received = Received(build(draft).cbor)
        self._ledger.grant(received)
        return {"transaction": {"id": received.id}}


def _cbor(params: bytes) -> bytes:
    text = msgspec.json.decode(params, type=_Transaction).transaction.cbor
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refusal(-32602, f"transaction.cbor is no base16: {error}") from error


def _address(text: str) -> bytes:
    try:
        return address_bytes(text)
    except ValueError as error:
        raise Refusal(-32602, f"{text[:120]!r} is no address in bech32: {error}") from error


def protocol_parameters(parameters: ProtocolParameters) -> Json:
    """As ``queryLedgerState/protocolParameters`` shows them: mainnet's, whose scripts' costs are the file's."""
    units = parameters.max_units
    return {
        "minFeeCoefficient": parameters.fee_per_byte,
        "minFeeConstant": ada(parameters.fee_constant),
        "minFeeReferenceScripts": {
            "range": 25_600,
            "base": parameters.reference_script_fee_per_byte,
            "multiplier": 1.2,
        },
        "minUtxoDepositCoefficient": MIN_UTXO_PER_BYTE,
        "minUtxoDepositConstant": ada(0),
        "maxBlockBodySize": {"bytes": 90_112},
        "maxBlockHeaderSize": {"bytes": 1_100},
        "maxTransactionSize": {"bytes": parameters.max_transaction_bytes},
        "maxValueSize": {"bytes": 5_000},
        "stakeCredentialDeposit": ada(2_000_000),
        "stakePoolDeposit": ada(500_000_000),
        "stakePoolRetirementEpochBound": 18,
        "stakePoolPledgeInfluence": "3/10",
        "minStakePoolCost": ada(170_000_000),
        "desiredNumberOfStakePools": 500,
        "monetaryExpansion": "3/1000",
        "treasuryExpansion": "1/5",
        "collateralPercentage": COLLATERAL_PERCENT,
        "maxCollateralInputs": MAX_COLLATERAL_INPUTS,
        "plutusCostModels": {"plutus:v3": list(parameters.plutus_v3_cost_model)},
        "scriptExecutionPrices": {"memory": "577/10000", "cpu": "721/10000000"},
        "maxExecutionUnitsPerTransaction": {"memory": units.memory, "cpu": units.cpu},
        "maxExecutionUnitsPerBlock": {"memory": 72_000_000, "cpu": 20_000_000_000},
        "version": {"major": 10, "minor": 0},
    }
