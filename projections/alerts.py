"""Alerts: what a rule found in a battery, gathered under one name until people have dealt with it. Pure.

An alert is one for each rule and battery, however often the rule finds something. It is there as long as one of its
findings is: when the last one is retracted it is withdrawn, which the spans of knowledge say. Provisional, confirmed
and final are derived from where its first finding stands, and what people did is kept elsewhere, by its name.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from projections.rules.model import ALERTING, SEVERITIES
from projections.verdict_rows import AlertRow, FindingRow

NAME_BYTES: Final = 10

Alerts = dict[str, AlertRow]
"""A battery's, by rule."""


def alert_name(deployment: str, subject: str, rule: str) -> str:
    """The name of the alert of a rule about a battery key, or another subject: 10 bytes, hex. Depends on no step."""
    return blake2b(f"{deployment}\0{subject}\0{rule}".encode(), digest_size=NAME_BYTES).hexdigest()


def with_findings(alerts: Alerts, findings: Iterable[FindingRow]) -> Alerts:
    """The alerts of a battery after findings, which come in the chain's order. Those that alarm nobody raise none."""
    raised = {each.rule for each in findings if each.severity in ALERTING}
    if not raised:
        return alerts
    after = dict(alerts)
    for finding in findings:
        if finding.severity in ALERTING:
            known = after.get(finding.rule)
            after[finding.rule] = _raised(finding) if known is None else _again(known, finding)
    return after


def _raised(finding: FindingRow) -> AlertRow:
    return AlertRow(
        alert=alert_name(finding.deployment, finding.battery_key, finding.rule),
        deployment=finding.deployment,
        battery_key=finding.battery_key,
        rule=finding.rule,
        severity=finding.severity,
        findings=1,
        first_fact=finding.fact,
        first_slot=finding.slot,
        first_height=finding.height,
        first_block=finding.block,
        first_time=finding.time,
        last_fact=finding.fact,
        last_slot=finding.slot,
        last_height=finding.height,
        last_block=finding.block,
        last_time=finding.time,
    )


def _again(alert: AlertRow, finding: FindingRow) -> AlertRow:
    return replace(
        alert,
        severity=max(alert.severity, finding.severity, key=_GRAVITY.__getitem__),
        findings=alert.findings + 1,
        last_fact=finding.fact,
        last_slot=finding.slot,
        last_height=finding.height,
        last_block=finding.block,
        last_time=finding.time,
    )


_GRAVITY: Final[dict[str, int]] = {severity: gravity for gravity, severity in enumerate(SEVERITIES)}
