"""The compiled contracts, from the committed CIP-57 blueprint. Neither compiler nor evaluator is needed to read it."""

from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from indexer.errors import ConfigurationError

BLUEPRINT: Final = "plutus.json"
TRACED_BLUEPRINT: Final = "plutus-traced.json"
"""The same sources compiled with a trace for each check: says why a script refuses, and is never deployed."""

Hex = Annotated[str, Meta(pattern="^([0-9a-f]{2})*$")]


class Deployment(Struct, frozen=True, kw_only=True):
    """What is baked into the scripts. Another value makes another script with another hash."""

    operator: Hex  # 28 bytes: the key hash that registers, closes and updates
    slot_zero_ms: int  # POSIX time that slot 0 would have, were all slots one second long
    window_slots: int = 600  # longest validity interval of a commitment
    reclaim_after_slots: int = 3_600
    soh_tolerance_bp: int = 200


class Contract(Struct, frozen=True):
    """One script. ``content`` is what a witness set or a reference script holds, and what the hash covers."""

    title: str
    content: bytes

    @property
    def hash(self) -> bytes:
        """28 bytes: blake2b-224 over Plutus V3's number and the script."""
        return blake2b(b"\x03" + self.content, digest_size=28).digest()


class Contracts(Struct, frozen=True, kw_only=True):
    """The three scripts of a deployment."""

    deployment: Deployment
    commitment: Contract  # policy and validator
    reporting: Contract
    passport: Contract  # policy of pairs and thread tokens, and validator of passports

    @property
    def all(self) -> tuple[Contract, Contract, Contract]:
        return self.commitment, self.reporting, self.passport


class _Preamble(Struct, kw_only=True):
    title: str
    plutus_version: str = msgspec.field(name="plutusVersion")
    deployment: Deployment


class _Validator(Struct, kw_only=True):
    title: str
    compiled_code: Hex = msgspec.field(name="compiledCode")
    hash: Hex


class _Blueprint(Struct):
    preamble: _Preamble
    validators: list[_Validator]


def load_contracts(path: Path | None = None) -> Contracts:
    """The contracts of a blueprint; without ``path`` of the one committed here, whose operator is the devnet's.

    Raises ConfigurationError for a file that is no blueprint of these contracts, or whose hashes aren't its scripts'.
    """
    return _load(path, BLUEPRINT)


def load_traced_contracts() -> Contracts:
    """The twins of the committed contracts that name the check that refuses. Their hashes are of no use on a chain."""
    return _load(None, TRACED_BLUEPRINT)


def _load(path: Path | None, name: str) -> Contracts:
    content = path.read_bytes() if path else resources.files("deploy.contracts").joinpath(name).read_bytes()
    source = str(path or name)
    try:
        blueprint = msgspec.json.decode(content, type=_Blueprint)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{source}: not a blueprint of these contracts: {error}") from error
    found: dict[str, Contract] = {}
    for validator in blueprint.validators:
        contract = Contract(validator.title, bytes.fromhex(validator.compiled_code))
        if contract.hash.hex() != validator.hash:
            raise ConfigurationError(
                f"{source}: {validator.title}: the hash {validator.hash} is not its script's, {contract.hash.hex()}; "
                "build the blueprint again"
            )
        found[validator.title] = contract
    try:
        return Contracts(
            deployment=blueprint.preamble.deployment,
            commitment=found["commitment"],
            reporting=found["reporting"],
            passport=found["passport"],
        )
    except KeyError as error:
        raise ConfigurationError(f"{source}: holds no script named {error}; build the blueprint again") from error
