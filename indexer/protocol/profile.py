"""Deployment profiles: which script hashes make up a deployment, and how its bytes are to be read."""

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct

from indexer.errors import ConfigurationError
from indexer.protocol.address import payment_fragment
from indexer.protocol.cose import ALGORITHMS
from indexer.protocol.keys import BatteryKeyRule

PROTOCOL: Final = "commitment-v2"

KNOWN_MAGICS: Final = {"mainnet": 764_824_073, "preprod": 1, "preview": 2}


class Profile(Struct, frozen=True, kw_only=True):
    """One deployment on one network. Hashes are 28 bytes, lowercase hex."""

    name: str  # in every event of the deployment
    network: str  # such as "mainnet", "preprod", "preview" or a devnet's own name
    network_magic: int
    commitment_policy: str  # mints the challenge tokens
    commitment_script: str  # holds them; may be the same script
    reporting_script: str  # holds the reporting accounts
    passport_policy: str  # mints CIP-68 pairs and thread tokens
    battery_key: BatteryKeyRule = "blake2b_224"
    algorithms: tuple[int, ...] = (-47, -8, -19)  # COSE numbers that a reading may be signed with
    max_age_slots: int = 3_600  # of a commitment, where an account says nothing
    window_slots: int = 600  # longest validity interval of a commitment
    reclaim_after_slots: int = 3_600
    soh_tolerance_bp: int = 200  # how far SoH may rise between readings, 1/100 percent; the level of a warning


_HASHES: Final = ("commitment_policy", "commitment_script", "reporting_script", "passport_policy")
_COUNTS: Final = ("network_magic", "max_age_slots", "window_slots", "reclaim_after_slots", "soh_tolerance_bp")
_REQUIRED: Final = ("name", "network", "network_magic", *_HASHES)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_COUNT: Final = (1 << 32) - 1  # a network magic's size


def load_profile(text: str, source: str) -> Profile:
    """The profile that a TOML text holds. ``source`` names the file in messages.

    Raises ConfigurationError that names the file, the key and what to do.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # tomllib gives no line where the text ends too early.
        found = str(error).replace("at end of document", f"at its end, line {text.count(chr(10)) + 1}")
        raise ConfigurationError(f"{source}: not valid TOML: {found}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{source}: not a profile: its values are nested too deep") from error
    _check_keys(table, source)
    for key in ("name", "network"):
        _check_name(table[key], f"{source}: {key}")
    for key in _HASHES:
        _check_hash(table[key], f"{source}: {key}")
    for key in _COUNTS:
        if key in table:
            _check_count(table[key], f"{source}: {key}")
    rules = get_args(BatteryKeyRule)
    if "battery_key" in table and table["battery_key"] not in rules:
        raise ConfigurationError(
            f"{source}: battery_key: {_shown(table['battery_key'])} is not a rule; {_one_of(rules)}"
        )
    if "algorithms" in table:
        table["algorithms"] = _algorithms(table["algorithms"], f"{source}: algorithms")
    profile = Profile(**table)
    _check_network(profile, source)
    _check_roles(profile, source)
    return profile


def check_profiles(profiles: Iterable[Profile]) -> None:
    """Refuses profiles that can't be followed together: equal names, shared script hashes, different networks.

    Raises ConfigurationError that names both.
    """
    names: dict[str, Profile] = {}
    owners: dict[str, Profile] = {}
    first: Profile | None = None
    for profile in profiles:
        first = first or profile
        if profile.name in names:
            raise ConfigurationError(f"two profiles are named {profile.name!r}: rename one")
        if (profile.network, profile.network_magic) != (first.network, first.network_magic):
            raise ConfigurationError(
                f"profiles {first.name!r} ({first.network}, magic {first.network_magic}) and {profile.name!r} "
                f"({profile.network}, magic {profile.network_magic}) are of different networks: follow each with "
                "a process of its own"
            )
        for role in _HASHES:
            owner = owners.setdefault(getattr(profile, role), profile)
            if owner is not profile:
                raise ConfigurationError(
                    f"profiles {owner.name!r} and {profile.name!r} share the script hash {getattr(profile, role)} "
                    f"({role} of {profile.name!r}): no event could tell them apart, remove or correct one"
                )
        names[profile.name] = profile


def profile_digest(profile: Profile) -> str:
    """blake2b-256 (hex) of all in a profile that changes what is decoded.

    Two logs made under equal digests hold equal events. Ages, windows and tolerances are left out: they judge facts,
    they don't make them.
    """
    deciding = {
        "protocol": PROTOCOL,
        "name": profile.name,
        "network": profile.network,
        "network_magic": profile.network_magic,
        "battery_key": profile.battery_key,
        **{role: getattr(profile, role) for role in _HASHES},
    }
    return blake2b(msgspec.json.encode(deciding, order="sorted"), digest_size=32).hexdigest()


def needles(profile: Profile) -> tuple[bytes, ...]:
    r"""Byte strings one of which occurs in the JSON text of every transaction that can concern the deployment.

    Complete, because decoding begins in no other way than these, each of which the text spells out in full:

    - a token of the commitment or the passport policy is minted, burned, or stands in an output: the policy's hex is
      a key of ``mint`` or of a ``value``;
    - an output pays the reporting script: its address is bech32 in lower case and holds the script's fragment,
      whatever its header, stake part and prefix.

    Readings, reclaims and witness datums count only in a transaction that has one of these. The node's encoder writes
    ASCII letters and digits as they are, never as ``\u`` escapes. The commitment script is no needle: an output
    there counts only for a token of the policy.
    """
    texts = (profile.commitment_policy, profile.passport_policy, payment_fragment(profile.reporting_script))
    return tuple(text.encode() for text in texts)


def _check_keys(table: dict[str, Any], source: str) -> None:
    known = Profile.__struct_fields__
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(known)}"
            raise ConfigurationError(f"{source}: {key}: no such key; {hint}")
    missing = [key for key in _REQUIRED if key not in table]
    if missing:
        raise ConfigurationError(f"{source}: {', '.join(missing)}: missing; every profile must say it")


def _check_name(value: object, where: str) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigurationError(
            f"{where}: {_shown(value)} is not a name; write 1 to 64 of a-z, 0-9, '.', '_', '-' in quotes, "
            "beginning with a letter or digit"
        )


def _check_hash(value: object, where: str) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: {_shown(value)} is not text; write the script hash as hex in quotes")
    if re.fullmatch("[0-9a-f]{56}", value):
        return
    if re.fullmatch("[0-9a-fA-F]{56}", value):
        raise ConfigurationError(f"{where}: {value} is in upper case; write it as {value.lower()}")
    if re.fullmatch("[0-9a-fA-F]*", value):
        raise ConfigurationError(
            f"{where}: {len(value)} hex digits; a script hash or policy id has 28 bytes, which is 56 digits"
        )
    hint = "; this is an address, write its payment credential" if value.startswith("addr") else ""
    raise ConfigurationError(f"{where}: {_shown(value)} is not hex; write 56 of 0-9 and a-f{hint}")


def _check_count(value: object, where: str) -> None:
    if type(value) is not int or not 0 <= value <= _MAX_COUNT:
        raise ConfigurationError(f"{where}: {_shown(value)} is not a whole number from 0 to {_MAX_COUNT}")


def _algorithms(value: object, where: str) -> tuple[int, ...]:
    known = ", ".join(f"{number} ({name})" for number, name in ALGORITHMS.items())
    if not isinstance(value, list) or not value:
        raise ConfigurationError(f"{where}: {_shown(value)} is not a list of COSE numbers; known are {known}")
    for number in value:
        if type(number) is not int or number not in ALGORITHMS:
            raise ConfigurationError(f"{where}: {_shown(number)} is not an algorithm's COSE number; known are {known}")
    if len(set(value)) < len(value):
        raise ConfigurationError(f"{where}: a number stands there twice; write each once")
    return tuple(value)


def _check_network(profile: Profile, source: str) -> None:
    expected = KNOWN_MAGICS.get(profile.network)
    if expected is not None and expected != profile.network_magic:
        raise ConfigurationError(
            f"{source}: network_magic: {profile.network}'s is {expected}, not {profile.network_magic}; correct one"
        )


def _check_roles(profile: Profile, source: str) -> None:
    """One script may be commitment policy and commitment script; any other sharing makes roles indistinct."""
    seen: dict[str, str] = {}
    for role in _HASHES:
        other = seen.setdefault(getattr(profile, role), role)
        if other != role and (other, role) != ("commitment_policy", "commitment_script"):
            raise ConfigurationError(
                f"{source}: {role}: the same hash as {other}; only commitment_policy and commitment_script may be one"
            )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _one_of(choices: tuple[str, ...]) -> str:
    return f"write one of {', '.join(repr(choice) for choice in choices)}"
