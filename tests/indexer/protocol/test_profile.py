from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from indexer.errors import ConfigurationError
from indexer.protocol.address import payment_fragment
from indexer.protocol.profile import Profile, check_profiles, load_profile, needles, profile_digest
from tests.indexer.build import PROFILE, profile

EXAMPLE = Path(__file__).parents[3] / "docs/profiles/example.toml"


def toml(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "name": '"x"',
        "network": '"preview"',
        "network_magic": "2",
        "commitment_policy": f'"{"1" * 56}"',
        "commitment_script": f'"{"1" * 56}"',
        "reporting_script": f'"{"2" * 56}"',
        "passport_policy": f'"{"3" * 56}"',
    }
    return "\n".join(f"{key} = {value}" for key, value in (fields | changes).items() if value is not None)


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_profile(text, "d.toml")
    message = str(caught.value)
    assert message.startswith("d.toml: ")
    return message


def test_the_example_loads_and_shows_the_defaults() -> None:
    found = load_profile(EXAMPLE.read_text(), "example.toml")
    bare = load_profile(toml(), "d.toml")
    for field in (
        "battery_key",
        "algorithms",
        "max_age_slots",
        "window_slots",
        "reclaim_after_slots",
        "soh_tolerance_bp",
    ):
        assert getattr(found, field) == getattr(bare, field)
        assert field in EXAMPLE.read_text()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name = ", ["not valid TOML", "line 1"]),
        (toml() + '\nname = "y"', ["not valid TOML"]),
        (toml(reporting_scrip='"x"'), ["reporting_scrip", "did you mean 'reporting_script'"]),
        (toml(zzz="1"), ["zzz", "known keys are name"]),
        (toml(passport_policy=None), ["passport_policy", "missing"]),
        (toml(name='"Bad Name"'), ["name", "'Bad Name'"]),
        (toml(name="3"), ["name"]),
        (toml(network='""'), ["network"]),
        (toml(commitment_policy="12"), ["commitment_policy", "hex in quotes"]),
        (toml(commitment_policy='"abc"'), ["commitment_policy", "3 hex digits", "56"]),
        (toml(commitment_policy=f'"{"A" * 56}"'), ["upper case", "a" * 56]),
        (toml(reporting_script='"addr_test1xyz"'), ["reporting_script", "payment credential"]),
        (toml(reporting_script=f'"{"1" * 56}"'), ["reporting_script", "commitment_policy"]),
        (toml(passport_policy=f'"{"2" * 56}"'), ["passport_policy", "reporting_script"]),
        (toml(network_magic="1"), ["network_magic", "preview's is 2"]),
        (toml(network_magic="true"), ["network_magic", "whole number"]),
        (toml(network_magic='"2"'), ["network_magic"]),
        (toml(max_age_slots="-1"), ["max_age_slots"]),
        (toml(max_age_slots="1.5"), ["max_age_slots"]),
        (toml(battery_key='"sha256"'), ["battery_key", "'blake2b_224', 'raw'"]),
        (toml(battery_key="[1]"), ["battery_key"]),
        (toml(algorithms="[-48]"), ["algorithms", "-48", "-47 (ES256K)"]),
        (toml(algorithms="[]"), ["algorithms"]),
        (toml(algorithms='"ES256K"'), ["algorithms"]),
        (toml(algorithms="[-47, -47]"), ["algorithms", "twice"]),
        (toml(algorithms="[true]"), ["algorithms"]),
        ("a = " + "[" * 5_000, []),
    ],
)
def test_each_mistake_is_named_with_its_key_and_the_fix(text: str, parts: list[str]) -> None:
    message = refused(text)
    for part in parts:
        assert part in message


def test_any_network_s_name_is_accepted_with_any_magic() -> None:
    assert load_profile(toml(network='"devnet"', network_magic="42"), "d.toml").network_magic == 42


def test_profiles_that_cannot_be_told_apart_or_followed_together_are_refused_by_name() -> None:
    other = profile("other")
    check_profiles([PROFILE, other])
    for second in (
        replace(other, name="example"),
        replace(other, reporting_script=PROFILE.reporting_script),
        replace(other, passport_policy=PROFILE.reporting_script),
        replace(other, network="preprod", network_magic=1),
        replace(other, network_magic=3),
    ):
        with pytest.raises(ConfigurationError, match="example"):
            check_profiles([PROFILE, second])


def test_the_digest_changes_with_what_is_decoded_and_with_nothing_else() -> None:
    base = profile_digest(PROFILE)
    assert base == profile_digest(profile())
    judging = {
        "max_age_slots": 1,
        "window_slots": 1,
        "reclaim_after_slots": 1,
        "soh_tolerance_bp": 1,
        "algorithms": (-7,),
    }
    deciding: dict[str, Any] = {
        "name": "n",
        "network": "n",
        "network_magic": 9,
        "commitment_policy": "a" * 56,
        "commitment_script": "a" * 56,
        "reporting_script": "a" * 56,
        "passport_policy": "a" * 56,
        "battery_key": "raw",
    }
    assert set(judging) | set(deciding) == set(Profile.__struct_fields__)
    for key, value in judging.items():
        assert profile_digest(replace(PROFILE, **{key: value})) == base
    assert len({profile_digest(replace(PROFILE, **{key: value})) for key, value in deciding.items()} | {base}) == 9


def test_needles_are_both_policies_and_the_reporting_script_s_fragment() -> None:
    assert needles(PROFILE) == (
        PROFILE.commitment_policy.encode(),
        PROFILE.passport_policy.encode(),
        payment_fragment(PROFILE.reporting_script).encode(),
    )
