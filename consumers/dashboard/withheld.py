"""What an access profile keeps from whoever asks: such fields are absent from an answer, wherever they stand in it.

Each field that may tell of something is named here with the kind of data that it is, so that one rule holds for every
answer; a test holds the tables' columns to the list. Fields that are not named tell where on the chain something is.
"""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from consumers.access import Asked, Asking, Profile, asking_as, record
from consumers.dashboard.gate import Asker
from consumers.dashboard.problems import Refused
from consumers.queries.model import DATA, Data
from consumers.timeline import Holds
from projections.database import Connection

_NAMED: Final[dict[Data, str]] = {
    "model": "model manufacturer chemistry metadata",
    "statistic": "tenths days mix raised models period median_soh_bp silent",
    "identity": (
        "battery_key battery_id battery_id_text bms_public_key bms_key_alg passport_version registered_slot subject"
        " public_key account_public_key key_of_passport battery_ids"
    ),
    "status": (
        "status life account_open account_output account_max_age_slots max_age_slots ended ended_how ended_fact"
        " ended_transaction ended_slot ended_height commitments commitments_minted commitments_open commitment"
        " account_unproven rejected readings_rejected readings_unproven readings_submitted last_reading"
        " last_reading_slot"
    ),
    "condition": (
        "soh_bp soc_bp cycle_count full_charge_capacity_mah nominal_capacity_mah voltage_mv current_ma temp_min_c"
        " temp_max_c energy_throughput_wh cell_count counter counter_delta counter_kind previous_counter"
        " last_soh_bp last_cycle_count last_counter account_last_soh_bp account_last_cycle_count account_last_counter"
        " passport_soh_bp course series newest counters"
    ),
    "finding": (
        "findings verdict verdicts alerts accused severity critical high warning rules checks ledger crypto binding"
        " plausibility ledger_reasons crypto_reasons binding_reasons plausibility_reasons rules_not_assessable signed"
        " rule_set"
    ),
    "evidence": (
        "event body raw event_id fact incarnation form departures unreadable payload_sha256 challenge challenge_answers"
        " schema_version nonce token_name claimed_slot age age_slots commitment_age_slots transaction"
        " transaction_index event_index output_index taken_back"
    ),
    "person": "owner owner_kind owner_address owner_since_slot user_pkh",
    "operation": ("account_lovelace account_reward_per_read reward_lovelace rewards_lovelace quarantined acts who why"),
}

NOTED: Final = 2_000
"""Things of one session that are remembered to be in the record; what is beyond is recorded each time."""

FIELDS: Final[dict[str, Data]] = {name: kind for kind, names in _NAMED.items() for name in names.split()}


def asking_of(asker: Asker) -> Asking:
    """Whoever asks, as the record names him: his session's profile and basis, or his token's."""
    session, person = asker.session, asker.person
    basis = session.legal_basis if session else person.legal_basis
    return asking_as(person.name, person.profile, basis or None)


def note(connection: Connection, asker: Asker, asked: Asked, holds: Holds) -> None:
    """Records that something of single batteries, or of a fleet, was shown. A browser that is shown the same again and
    again, as each step of the chain makes it, is recorded once a session.
    """
    key = f"{asked.what} {sorted(asked.parameters.items())} {asked.moment}"
    if asker.session is not None:
        if key in asker.session.noted:
            return
        if len(asker.session.noted) < NOTED:
            asker.session.noted.add(key)
    record(connection, asking_of(asker), asked, "answered", holds=holds)


def seen_by(asker: Asker, profile: Profile) -> frozenset[Data]:
    """Kinds of data. Whoever may act on alerts sees what others did about them."""
    return profile.data | {"operation"} if asker.person.may("act") else profile.data


def require(seen: frozenset[Data], needs: frozenset[Data], profile: Profile, what: str) -> None:
    """Raises Refused where an answer would say nothing to this profile."""
    missing = needs - seen
    if missing:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "not-for-your-profile",
            f"{what} tells of {', '.join(sorted(missing))}, which is not for {profile.title.lower()}: /queries has the "
            "questions that are",
        )


def withhold(answer: Any, seen: frozenset[Data]) -> Any:
    """The answer without the fields that are of another kind. As it is, where nothing has to be kept back."""
    if seen >= frozenset(DATA):
        return answer
    # By way of JSON, which is what would be sent: it keeps integers of any size, and parts that are JSON already.
    return _cut(msgspec.json.decode(msgspec.json.encode(answer)), seen)


def _cut(value: Any, seen: frozenset[Data]) -> Any:
    match value:
        case dict():
            return {
                name: _cut(inner, seen) for name, inner in value.items() if name not in FIELDS or FIELDS[name] in seen
            }
        case list():
            return [_cut(each, seen) for each in value]
        case _:
            return value
