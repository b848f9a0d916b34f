"""The whole fold of a battery: its timeline and, where profiles are given, verdicts, findings and alerts. Pure."""

from typing import Final

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from projections.alerts import Alerts, with_findings
from projections.facts import Fact
from projections.judging import Judging, finding_rows, verdict_row
from projections.rows import ALERTS, FINDINGS, VERDICTS, Put
from projections.timeline import EMPTY as NO_TIMELINE
from projections.timeline import State as TimelineState
from projections.timeline import fold as fold_timeline
from projections.verdicts.fold import EMPTY as NO_VERDICTS
from projections.verdicts.fold import State as VerdictState
from projections.verdicts.fold import fold as fold_verdicts

FOLD_VERSION: Final = 3
"""Goes up when the fold says anything else of the same events. The tables are then rebuilt."""


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the next event of a battery is judged by."""

    timeline: TimelineState = NO_TIMELINE
    verdicts: VerdictState = NO_VERDICTS
    alerts: Alerts = {}

    @property
    def place(self) -> tuple[int, int, int]:
        """Of the last event."""
        return self.timeline.place


EMPTY: Final = State()
encode_state = Encoder().encode
decode_state = Decoder(State).decode


def fold(state: State, fact: Fact, judging: Judging | None = None) -> tuple[State, list[Put]]:
    """What one event changes. Facts of one battery come in the chain's order. Without ``judging`` nothing is judged."""
    after, puts = fold_timeline(state.timeline, fact)
    profile = judging.profiles.get(fact.event.deployment) if judging is not None else None
    if judging is None or profile is None:  # an event of no deployment is a quarantined transaction: nothing to judge
        return State(timeline=after), puts
    standing, judged = fold_verdicts(state.verdicts, fact, profile, judging.book)
    event = fact.event
    battery = (event.battery_key, event.deployment)
    if judged.verdicts is not None:
        row = verdict_row(fact, judged.verdicts, judged.said)
        puts.append(Put(VERDICTS, (*battery, fact.fact), row, fresh=True))
    findings = finding_rows(fact, judged.said)
    puts += (Put(FINDINGS, (*battery, each.fact, each.rule, each.number), each, fresh=True) for each in findings)
    alerts = with_findings(state.alerts, findings)
    if alerts is not state.alerts:
        puts += (
            Put(ALERTS, (*battery, rule), alert, fresh=rule not in state.alerts)
            for rule, alert in alerts.items()
            if state.alerts.get(rule) is not alert
        )
    return State(timeline=after, verdicts=standing, alerts=alerts), puts
