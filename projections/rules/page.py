"""The page on rules, from the catalogue: ``python -m projections.rules.page > docs/rules.md``."""

import sys
from collections.abc import Iterator
from typing import Final

from msgspec.structs import fields

from projections.rules.catalogue import GROUPS, RULES
from projections.rules.chemistry import CHEMISTRIES
from projections.rules.model import Rule, Scope
from projections.rules.thresholds import DEFAULT, Thresholds

_SCOPES: Final[dict[Scope, str]] = {
    "reading": "each reading",
    "verdict": "the checks of each reading",
    "commitment": "each commitment",
    "fleet": "the fleet",
}

_HEAD: Final = """# Rules

<!-- Written from projections/rules by `uv run python -m projections.rules.page > docs/rules.md`: change it there. -->

What real batteries, people and contracts do, as data: {count} rules. A finding is no verdict of guilt. It says what was
seen, how far from what is usual, and with which numbers; a person decides.

| severity | what it asks for |
|---|---|
| info | nothing: it explains, and it is there when somebody looks |
| warning | a look, in its turn: honest batteries raise it in about 1 % (laboratory) to 9 % (field) of readings |
| high | a look soon: hardly any honest battery raises it |
| critical | somebody cheats, a device was cloned, or a contract is at fault |
| quarantine | the reading is put aside: it moves no reference, and nobody is called |

**The reference.** A reading is compared with the median of the last five that were accepted under the battery's key:
signed, bound, in effect, and not put aside. A null frame never moves it. A state of health more than {outlier_bp} bp
away from it is put aside until a second reading agrees to {outlier_agrees_bp} bp, {outlier_readings} in a row at most.
A new key, or a better battery whose cycles begin anew (R53), opens an epoch with a reference of its own.

**Not assessable.** A rule that lacks an input says so. That is never "passed". Inputs are the reading's values, the
passport's, and what the battery said before. Of a null frame (R22), in which nothing was measured, no rule about
measured values can be assessed.

**Trying it.** `cellwitness judge FILE.csv` runs the rules over any archive of readings, offline.

**Thresholds** are defaults for field packs, and configuration. bp is 1/100 percent. A file for
`cellwitness judge --thresholds FILE`; what is said of a model wins over what is said of its deployment:

```toml
[thresholds]                # everywhere
soh_increase_warning_bp = 250
[deployment.example]        # the profile's name
silent_days = 365           # an unknown name is refused, and the nearest one proposed
[model."LFP-96S280"]        # as the passport names it
cycles_per_day = 4
```
"""


def rules_page() -> str:
    """The whole page, Markdown."""
    parts = [_HEAD.format(count=len(RULES), **_values())]
    for title, rules in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += ("\n".join(_rule(rule)) + "\n" for rule in rules)
    parts.append("\n".join(_chemistries()) + "\n")
    parts.append("\n".join(_thresholds()))
    return "\n".join(parts) + "\n"


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id} {rule.name}"
    yield ""
    yield rule.meaning
    yield ""
    yield f"- **when**: {rule.formula.format(**_values())}"
    yield f"- **severity**: {', '.join(rule.severities)} · **asked of**: {_SCOPES[rule.scope]} · version {rule.version}"
    yield f"- **inputs**: {'; '.join(rule.inputs)}"
    if rule.thresholds:
        yield f"- **thresholds**: {', '.join(f'`{name}`' for name in rule.thresholds)}"
    yield f"- **source**: {rule.source}"


def _chemistries() -> Iterator[str]:
    yield "## Chemistries"
    yield ""
    yield "Limits of a cell's voltage at rest and in operation, and what is expected of its life: 20 points of state of"
    yield "health at the median fade of published laboratory series. A model's own numbers win (thresholds below)."
    yield ""
    yield "| chemistry | nominal mV | least mV | greatest mV | expected cycles | median fade, bp per 100 cycles |"
    yield "|---|---|---|---|---|---|"
    for each in CHEMISTRIES.values():
        yield (
            f"| {each.name} | {each.nominal_mv} | {each.least_mv} | {each.greatest_mv} | {each.life_cycles} "
            f"| {each.fade_bp_per_100_cycles} |"
        )


def _thresholds() -> Iterator[str]:
    yield "## All thresholds"
    yield ""
    yield "| name | default | rules |"
    yield "|---|---|---|"
    for field in fields(Thresholds):
        users = [rule.id for rule in RULES.values() if field.name in rule.thresholds] or ["the reference"]
        yield f"| `{field.name}` | {getattr(DEFAULT, field.name)} | {', '.join(users)} |"


def _values() -> dict[str, int]:
    return {field.name: getattr(DEFAULT, field.name) for field in fields(Thresholds)}


if __name__ == "__main__":
    sys.stdout.write(rules_page())
