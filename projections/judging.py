"""What verdicts are made by, and their rows. Pure."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct
from msgspec.json import encode

from indexer.errors import ConfigurationError
from indexer.protocol.profile import Profile, profile_digest
from projections.errors import SchemaMismatch
from projections.facts import Fact
from projections.rules.engine import Said
from projections.rules.thresholds import ThresholdBook
from projections.verdict_rows import FindingRow, VerdictRow
from projections.verdicts.model import RULE_SET, Check, Verdicts

_DIGEST_BYTES: Final = 16


class Judging(Struct, frozen=True):
    """The profiles by deployment, and the thresholds. The log carries neither: they judge facts, and make none."""

    profiles: dict[str, Profile]
    book: ThresholdBook = ThresholdBook()

    def check(self, deployments: Mapping[str, str]) -> None:
        """Raises ConfigurationError unless these are the profiles of a log: ``deployments`` are those of its step 0,
        name -> digest.
        """
        for name, digest in sorted(deployments.items()):
            profile = self.profiles.get(name)
            if profile is None:
                raise ConfigurationError(
                    f"the log holds the deployment {name!r}, and no profile given is of that name: give the file that"
                    " `cellwitness follow` was given, with --profile FILE, or none at all to project without verdicts"
                )
            if profile_digest(profile) != digest:
                raise ConfigurationError(
                    f"the profile of {name!r} is not the one that the log was written with (digest"
                    f" {profile_digest(profile)[:16]}, the log's is {digest[:16]}): its network, battery_key or script"
                    " hashes differ; give the file that `cellwitness follow` was given"
                )
        if unknown := sorted(self.profiles.keys() - deployments.keys()):
            raise ConfigurationError(
                f"the log holds no deployment {unknown[0]!r} (it holds: {', '.join(sorted(deployments)) or 'none'}):"
                " leave that profile out"
            )

    def identity(self) -> dict[str, Any]:
        """All that verdicts depend on beside the log: equal ones give equal verdicts."""
        return {
            "rule_set": RULE_SET,
            "profiles": {name: _digest(profile) for name, profile in sorted(self.profiles.items())},
            "thresholds": _digest(self.book),
        }


def require_same_judging(bound: dict[str, Any] | None, ours: dict[str, Any] | None) -> None:
    """Refuses tables whose verdicts were made by something else. Half a history would be judged by each.

    Raises SchemaMismatch that says what to do.
    """
    if bound == ours:
        return
    rebuild = "`cellwitness rebuild` with them; what people did about alerts is kept"
    if ours is None:
        raise SchemaMismatch("these tables hold verdicts: give the profiles that judge, with --profile FILE")
    if bound is None:
        raise SchemaMismatch(f"these tables were built without verdicts: project without --profile, or {rebuild}")
    differing = ", ".join(name.replace("rule_set", "rules") for name in ours if bound.get(name) != ours[name])
    raise SchemaMismatch(f"the verdicts in these tables were made by other {differing}: {rebuild}")


def _digest(value: Struct) -> str:
    return blake2b(encode(value, order="sorted"), digest_size=_DIGEST_BYTES).hexdigest()


def verdict_row(fact: Fact, verdicts: Verdicts, said: Said) -> VerdictRow:
    return VerdictRow(
        deployment=fact.event.deployment,
        battery_key=fact.event.battery_key,
        fact=fact.fact,
        event_id=fact.event_id,
        slot=fact.slot,
        height=fact.height,
        block=fact.block,
        time=fact.time,
        rule_set=verdicts.rule_set,
        ledger=verdicts.ledger.result,
        crypto=verdicts.crypto.result,
        binding=verdicts.binding.result,
        plausibility=verdicts.plausibility.result,
        ledger_reasons=verdicts.ledger.reasons,
        crypto_reasons=verdicts.crypto.reasons,
        binding_reasons=verdicts.binding.reasons,
        plausibility_reasons=verdicts.plausibility.reasons,
        public_key=verdicts.key,
        signed=verdicts.signed,
        quarantined=said.quarantined,
        rules_not_assessable=said.not_assessable,
        checks={check.name: _check(check) for check in verdicts.checks},
    )


def _check(check: Check) -> dict[str, Any]:
    """Without name and verdict, which follow from each other, and without what is empty."""
    told: dict[str, Any] = {"result": check.result}
    if check.reasons:
        told["reasons"] = list(check.reasons)
    if check.inputs:
        told["inputs"] = check.inputs
    return told


def finding_rows(fact: Fact, said: Said) -> list[FindingRow]:
    """A row for each finding; of one rule numbered from 0."""
    if not said.findings:  # of most events
        return []
    counts: dict[str, int] = {}
    rows = []
    for finding in said.findings:
        number = counts[finding.rule] = counts.get(finding.rule, -1) + 1
        rows.append(
            FindingRow(
                deployment=fact.event.deployment,
                battery_key=fact.event.battery_key,
                fact=fact.fact,
                rule=finding.rule,
                number=number,
                rule_version=finding.version,
                rule_set=RULE_SET,
                severity=finding.severity,
                event_id=fact.event_id,
                transaction=fact.event.transaction,
                slot=fact.slot,
                height=fact.height,
                block=fact.block,
                time=fact.time,
                values=finding.values,
                thresholds=finding.thresholds,
            )
        )
    return rows
