"""The deployment on a devnet: its scripts, its terms, and the profile that a follower needs to read it.

The scripts are the contracts of ``deploy/contracts``; a weak deployment's accept whatever they are told.
"""

from typing import Final

from msgspec import Struct

from deploy.contracts.blueprint import load_contracts
from deploy.devnet.keys import Place, script_place
from deploy.devnet.network import Network
from deploy.devnet.plutus_writer import UNIT, UNIT_1
from deploy.devnet.transactions import Script, Use

NAME: Final = "demo"
WEAK_NAME: Final = "demo-weak"
ALGORITHMS: Final = (-47, -8, -19)


def placeholder(name: str) -> Script:
    """A script that says what it stands for."""
    return Script(f"cellwitness devnet placeholder: {name}, commitment-v2".encode())


class Terms(Struct, frozen=True, kw_only=True):
    """What the deployment grants and demands."""

    reward_lovelace: int = 500_000  # a reading
    account_lovelace: int = 20_000_000  # at each opening
    max_age_slots: int = 3_600
    window_slots: int = 600
    reclaim_after_slots: int = 3_600
    soh_tolerance_bp: int = 200
    opening_soh_bp: int = 12_000  # nothing is higher, so the first reading always passes


# (program 1.1.0 (lam x [(lam y (con unit ())) (con integer N)])) for N = 1, 2, 3: each accepts whatever it is told.
_WEAK: Final = tuple(Script(bytes.fromhex(f"49010100232499200{number}01")) for number in (2, 4, 6))


class Scripts:
    """The deployment's scripts: commitment, reporting, passport. A weak deployment's are others: they check nothing."""

    def __init__(self, *, weak: bool = False) -> None:
        contracts = load_contracts()
        built = (contracts.commitment, contracts.reporting, contracts.passport)
        self.contents = _WEAK if weak else tuple(Script(contract.content) for contract in built)
        self.commitment, self.reporting, self.passport = (script.hash for script in self.contents)
        self.commitment_place: Place = script_place(self.commitment)
        self.reporting_place: Place = script_place(self.reporting)
        self.passport_place: Place = script_place(self.passport)


# What a run may use: what the contracts were seen to use at most, and about a fifth more.
MINT_CHALLENGE: Final = Use(UNIT, 150_000, 59_000_000)
BURN_CHALLENGE: Final = Use(UNIT_1, 67_000, 21_000_000)
CONSUME: Final = Use(UNIT, 190_000, 74_000_000)
CLOSE: Final = Use(UNIT_1, 50_000, 16_000_000)
MINT_PASSPORT: Final = Use(UNIT, 20_000, 6_000_000)
BURN_THREAD: Final = Use(UNIT_1, 20_000, 6_000_000)
UPDATE_PASSPORT: Final = Use(UNIT, 20_000, 6_000_000)


def reclaim(redeemer: bytes) -> Use:
    return Use(redeemer, 165_000, 62_000_000)


def submit(redeemer: bytes) -> Use:
    return Use(redeemer, 5_200_000, 1_200_000_000)


def profile_toml(network: Network, terms: Terms, *, weak: bool = False) -> str:
    """The deployment as a profile file (protocol.md section 2)."""
    scripts = Scripts(weak=weak)
    return f"""# The deployment of a devnet: written by `cellwitness devnet`.
name = "{WEAK_NAME if weak else NAME}"
network = "{network.name}"
network_magic = {network.magic}

commitment_policy = "{scripts.commitment.hex()}"
commitment_script = "{scripts.commitment.hex()}"
reporting_script = "{scripts.reporting.hex()}"
passport_policy = "{scripts.passport.hex()}"

battery_key = "blake2b_224"
algorithms = {list(ALGORITHMS)}  # COSE: ES256K, EdDSA, Ed25519
max_age_slots = {terms.max_age_slots}
window_slots = {terms.window_slots}
reclaim_after_slots = {terms.reclaim_after_slots}
soh_tolerance_bp = {terms.soh_tolerance_bp}
"""
