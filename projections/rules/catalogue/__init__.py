"""The catalogue: every rule as data, R01 to R55. ``docs/rules.md`` is written from it."""

from typing import Final

from projections.rules.catalogue.behaviour import BEHAVIOUR, COMMITMENTS, LIFE
from projections.rules.catalogue.course import TRAJECTORY
from projections.rules.catalogue.physical import PHYSICAL
from projections.rules.catalogue.signed import COUNTERS, STRUCTURE
from projections.rules.model import Rule

GROUPS: Final[dict[str, tuple[Rule, ...]]] = {
    "Structure and crypto": STRUCTURE,
    "Counter and identity": COUNTERS,
    "One reading": PHYSICAL,
    "Course of one battery": TRAJECTORY,
    "Fleet and behaviour": BEHAVIOUR,
    "Life of a commitment": COMMITMENTS,
    "Life of a battery": LIFE,
}

CATALOGUE: Final[tuple[Rule, ...]] = tuple(rule for rules in GROUPS.values() for rule in rules)

RULES: Final[dict[str, Rule]] = {rule.id: rule for rule in CATALOGUE}
