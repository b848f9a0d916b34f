"""Which check or rule is meant for which fraud, and why. A yardstick: the product knows nothing of it.

A fraud is caught where one of its checks fails, or one of its rules finds something at the severity given or above.
Checks and severities are those of the protocol's and of domain.md's tables, written down before anything was measured.
"""

from typing import Final

from msgspec import Struct

from projections.rules.model import Severity


class Meant(Struct, frozen=True):
    """What has to catch a kind of fraud."""

    why: str
    checks: tuple[int, ...] = ()
    rules: dict[str, Severity] = {}


MEANT: Final[dict[str, Meant]] = {
    "replayed": Meant("an old answer to a new challenge", (5,), {"R48": "critical"}),
    "counter_regress": Meant("a counter only goes up", (7,), {"R08": "high"}),
    "duplicate": Meant("one counter under two payloads: the challenge differs", (7,), {"R09": "critical"}),
    "equivocation": Meant("one counter under two payloads", (7,), {"R09": "critical"}),
    "gap": Meant("the contract allows gaps; many readings were kept back", (), {"R07": "warning"}),
    "leapfrog": Meant("each reading alone is sound; the course goes back and forth", (), {"R13": "critical"}),
    "tampered_payload": Meant("the key did not sign these bytes", (6,), {"R04": "critical"}),
    "wrong_signer": Meant("another key signed", (6,), {"R04": "critical"}),
    "high_s": Meant("as valid in mathematics: the ledger refuses it, the rule informs", (6,), {"R05": "info"}),
    "other_battery": Meant("the signed name is another battery's", (2,), {"R06": "critical"}),
    "forged_account": Meant("judged by the passport's key, as the account proves none", (), {"R04": "critical"}),
    "non_deterministic": Meant("signed and true, in a spelling that only informs", (), {"R02": "info"}),
    "trailing_bytes": Meant("no sound message", (6,), {"R01": "high"}),
    "legacy_form": Meant("its challenge is a time or nothing, so it proves no freshness", (5,), {"R48": "critical"}),
    "not_the_committer": Meant("whoever asked for the challenge had to sign", (3,)),
    "no_ownership_token": Meant("the token shows who holds the battery", (10,)),
    "missing_burn": Meant("a challenge that is not burned can be used again", (1,)),
    "unpaid_reward": Meant("the reward is the committer's", (12,)),
    "changed_account": Meant("the account pays the reward and no more", (11,)),
    "soh_over_range": Meant("no battery has it", (), {"R15": "high"}),
    "soh_jump": Meant("above the tolerance; of a young battery the rule only informs", (8,), {"R24": "warning"}),
    "decreasing_cycles": Meant("cycles only grow", (9,), {"R27": "high"}),
    "odometer_reset": Meant("cycles and throughput only grow", (9,), {"R27": "high", "R29": "high"}),
    "frozen_values": Meant("no gauge repeats all its values while its counter runs", (), {"R34": "warning"}),
    "crossed_temperatures": Meant("the least is above the greatest", (), {"R16": "high"}),
    "farming": Meant("nothing on chain limits the rate", (), {"R42": "warning"}),
    "cherry_picking": Meant("readings between those submitted are missing", (), {"R07": "warning", "R40": "warning"}),
    "stale": Meant("the age by the blocks' slots", (4,), {"R45": "critical"}),
    "discarding": Meant("challenges are asked for in stock and expire", (), {"R43": "warning"}),
    "ring": Meant("few people, many batteries, within days", (), {"R38": "warning", "R39": "warning"}),
    "cloned_key": Meant("one key in two passports", (), {"R11": "critical"}),
}

HONEST: Final[dict[str, str]] = {
    "untagged": "legal COSE; the contract asks for the tag",
    "null_frame": "the sensors gave nothing for once",
    "sensor_noise": "an estimate that is off by a point",
    "rounding": "whole percents",
    "recalibration": "a full charge takes the gauge's drift back",
    "quick_charge": "a reading just after it shows too much",
    "winter_dip": "cold takes capacity, and spring gives it back",
    "pack_replacement": "another pack under the same passport; counted are the three readings after",
    "software_reset": "the odometer begins anew; counted are the three readings after",
}
