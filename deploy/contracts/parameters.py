"""Protocol parameters that decide what a script may use and what a transaction pays. Mainnet's are a file beside."""

from fractions import Fraction
from importlib import resources
from math import ceil
from typing import Final

import msgspec
from msgspec import Struct

from deploy.contracts.machine import Units

_REFERENCE_TIER_BYTES: Final = 25_600
_REFERENCE_TIER_FACTOR: Final = Fraction(12, 10)
"""Each further 25,600 bytes of reference scripts cost a fifth more. Source: cardano-ledger, ``tierRefScriptFee``."""


class ProtocolParameters(Struct, frozen=True, kw_only=True):
    """One epoch's parameters, as far as scripts and fees need them. Fees in lovelace, sizes in bytes."""

    source: str
    fee_per_byte: int
    fee_constant: int
    memory_price: str  # lovelace for a unit, a decimal
    cpu_price: str
    reference_script_fee_per_byte: int
    max_transaction_bytes: int
    max_transaction_memory: int
    max_transaction_cpu: int
    plutus_v3_cost_model: tuple[int, ...]  # in the ledger's order

    @property
    def max_units(self) -> Units:
        return Units(self.max_transaction_memory, self.max_transaction_cpu)

    def fee(self, transaction_bytes: int, units: Units, reference_script_bytes: int) -> int:
        """The least fee of a transaction, in lovelace (cardano-ledger, ``getMinFeeTx`` of Conway)."""
        execution = Fraction(self.memory_price) * units.memory + Fraction(self.cpu_price) * units.cpu
        size = self.fee_constant + self.fee_per_byte * transaction_bytes
        return size + ceil(execution) + self._reference_scripts(reference_script_bytes)

    def _reference_scripts(self, size: int) -> int:
        price, total = Fraction(self.reference_script_fee_per_byte), Fraction(0)
        while size > 0:
            total += price * min(size, _REFERENCE_TIER_BYTES)
            size, price = size - _REFERENCE_TIER_BYTES, price * _REFERENCE_TIER_FACTOR
        return int(total)


def load_mainnet_parameters() -> ProtocolParameters:
    """The parameters of mainnet in the epoch that the file names."""
    text = resources.files("deploy.contracts").joinpath("mainnet.json").read_bytes()
    return msgspec.json.decode(text, type=ProtocolParameters)
