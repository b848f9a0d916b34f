"""What the fleet's rules say of a whole chain, by the functions that a scheduled query feeds."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from indexer.events import CommitmentClosed, CommitmentMinted, PassportEvent, ReadingSubmitted
from projections.rules import fleet
from projections.rules.fleet import Committed, Hits, Trajectory
from projections.rules.thresholds import DEFAULT
from projections.verdicts.fold import State
from tests.judge.made import Chain

TUPLES: Final = 64


def fleet_hits(chain: Chain) -> dict[str, Hits]:
    """Rule -> subject (key, submitter or battery key) -> what was found."""
    commitments, trajectories = list(_commitments(chain)), list(_trajectories(chain))
    keys = {
        (fact.event.bms_public_key, fact.event.battery_key)
        for fact, _ in chain.facts
        if isinstance(fact.event, PassportEvent) and fact.event.bms_public_key
    }
    return {
        "R11": fleet.shared_keys(keys),
        "R31": fleet.below_model_floor(trajectories, DEFAULT),
        "R36": fleet.unlike_the_others(trajectories, DEFAULT),
        "R37": fleet.near_duplicates(trajectories, DEFAULT),
        "R38": fleet.shared_submitters(commitments, DEFAULT),
        "R39": _rings_by_member(commitments),
        "R40": fleet.cherry_pickers(_gaps(chain), DEFAULT),
        "R43": fleet.expired_share(commitments, DEFAULT),
    }


def _rings_by_member(commitments: list[Committed]) -> Hits:
    found = fleet.rings(commitments, DEFAULT).values()
    return {member: hits for hits in found for hit in hits for member in hit.values["submitters"]}


def _commitments(chain: Chain) -> Iterator[Committed]:
    """Each with whether it ended by expiring: without a reading, after its time or not yet at the chain's end."""
    last = chain.facts[-1][0].slot
    ended: dict[tuple[str, str], int] = {}
    answered: set[str] = set()
    for fact, judged in chain.facts:
        event = fact.event
        if isinstance(event, CommitmentClosed):
            ended[event.battery_key, event.token_name] = fact.slot
        elif isinstance(event, ReadingSubmitted) and judged.verdicts is not None:
            answered.add(str(judged.verdicts.check(1).inputs.get("commitment")))
    for fact, _ in chain.facts:
        event = fact.event
        if isinstance(event, CommitmentMinted):
            accounts = chain.states[event.battery_key].chain.now.accounts
            age = accounts[-1].datum.max_age_slots if accounts else 3_600
            until = ended.get((event.battery_key, event.token_name), last)
            open_at_end = f"{event.transaction}#{event.output.index}" not in answered
            expired = open_at_end and until > fact.slot + age
            yield Committed(submitter=event.user_pkh, battery=event.battery_key, slot=fact.slot, expired=expired)


def _trajectories(chain: Chain) -> Iterator[Trajectory]:
    last = chain.facts[-1][0].slot
    tuples: dict[str, set[tuple[int, int, int]]] = defaultdict(set)
    for fact, _ in chain.facts:
        if isinstance(fact.event, ReadingSubmitted) and (reading := fact.event.decoded.reading) is not None:
            values = (reading.soh_bp, reading.cycle_count, reading.energy_throughput_wh)
            if None not in values and len(tuples[fact.event.battery_key]) < TUPLES:
                tuples[fact.event.battery_key].add((values[0] or 0, values[1] or 0, values[2] or 0))
    for battery, state in chain.states.items():
        passport = state.chain.now.passport
        if passport is not None:
            yield Trajectory(
                battery=battery,
                model=passport.model or "",
                age_seconds=last - (passport.registered_slot or 0),
                points=state.history.trail,
                tuples=frozenset(tuples[battery]),
            )


def _gaps(chain: Chain) -> Iterator[tuple[str, str, int]]:
    """Submitter, model and the counter's step, of each reading that took effect under its key."""
    before: dict[str, tuple[str | None, int]] = {}
    for fact, judged in chain.facts:
        event, verdicts = fact.event, judged.verdicts
        if not isinstance(event, ReadingSubmitted) or verdicts is None or event.decoded.reading is None:
            continue
        counter, user = event.decoded.reading.counter, verdicts.check(3).inputs.get("user")
        if counter is None or not verdicts.signed:
            continue
        key, last = before.get(event.battery_key, (None, 0))
        before[event.battery_key] = (verdicts.key, counter)
        model = _model(chain.states[event.battery_key])
        if key == verdicts.key and counter > last and isinstance(user, str):
            yield user, model, counter - last


def _model(state: State) -> str:
    passport = state.chain.now.passport
    return "" if passport is None else passport.model or ""
