"""What a fraud is, and an honest oddity that naive rules take for one."""

import random
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from deploy.devnet.actors import Actor
from deploy.devnet.attempt import Attempt
from deploy.devnet.site import Site


class Means(Struct, frozen=True, kw_only=True):
    """What whoever changes an attempt has to work with."""

    site: Site
    actor: Actor
    slot: int
    chance: random.Random
    fraud: "Fraud"
    round: int = 0  # of a fraud that takes several readings, from 0
    neighbour: Actor | None = None  # another battery, registered and open


class Fraud(Struct, frozen=True, kw_only=True):
    """One kind of fraud or of honest oddity: what it does, and what should come of it."""

    name: str
    change: Callable[[Attempt, Means], None] | None = None  # None: it is not the submission that is wrong
    fits: Callable[[Means], bool] = lambda _: True  # whether this battery can be used for it now
    checks: tuple[int, ...] = ()  # of the protocol's twelve that it fails
    rules: tuple[str, ...] = ()  # that may see it, R01 to R55
    refused: bool = False  # a contract that checks all refuses it, whatever else is right
    honest: bool = False
    readings: int = 1  # that it takes
    quick: bool = False  # they follow each other within minutes

    def label(self) -> dict[str, Any]:
        """For the labels file."""
        return {
            "fraud": self.name,
            "honest": self.honest,
            "fails_checks": list(self.checks),
            "rules": list(self.rules),
        }
