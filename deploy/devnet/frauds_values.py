"""Frauds with the values, and honest oddities that look like them (domain.md section 5.4): the element signs them all.

Where a contract checks the value (state of health, cycles), whether it refuses one depends on the account, so that is
left to ``attempt.refusal``.
"""

from collections.abc import Callable
from typing import Final

from deploy.devnet.attempt import Attempt
from deploy.devnet.fraud import Fraud, Means


def _set_soh(attempt: Attempt, soh_bp: int) -> None:
    """The capacity follows."""
    nominal = attempt.state[5]
    assert isinstance(nominal, int)
    attempt.state[1] = max(0, soh_bp)
    attempt.state[4] = round(nominal * max(0, soh_bp) / 10_000)


def _soh(attempt: Attempt) -> int:
    value = attempt.state[1]
    assert isinstance(value, int)
    return value


def _shift(low_bp: int, high_bp: int) -> Callable[[Attempt, Means], None]:
    """Moves the state of health by so many basis points, within what the wire format allows."""

    def change(attempt: Attempt, means: Means) -> None:
        _set_soh(attempt, min(12_000, _soh(attempt) + means.chance.randint(low_bp, high_bp)))

    return change


def _over_range(attempt: Attempt, means: Means) -> None:
    _set_soh(attempt, means.chance.randint(12_300, 13_500))


def _jump(attempt: Attempt, means: Means) -> None:
    _set_soh(attempt, attempt.account.last.soh_bp + means.chance.randint(600, 1_200))


def _known_and_below(ceiling_bp: int) -> Callable[[Means], bool]:
    def fits(means: Means) -> bool:
        account = means.actor.state.account
        return account is not None and account.last.counter >= 0 and account.last.soh_bp < ceiling_bp

    return fits


def _fewer_cycles(attempt: Attempt, means: Means) -> None:
    attempt.state[3] = round(attempt.account.last.cycle_count * means.chance.uniform(0.3, 0.8))


def _has_cycled(means: Means) -> bool:
    account = means.actor.state.account
    return account is not None and account.last.cycle_count >= 10


def _freeze(attempt: Attempt, means: Means) -> None:
    """All as in the reading before, but for cycles and throughput."""
    old = means.actor.submitted
    assert old is not None
    attempt.state = dict(old.state) | {key: attempt.state[key] for key in (3, 10)}


def _has_read(means: Means) -> bool:
    return means.actor.submitted is not None


def _cross(attempt: Attempt, means: Means) -> None:
    del means
    attempt.state[8], attempt.state[9] = attempt.state[9], attempt.state[8]


def _null_frame(attempt: Attempt, means: Means) -> None:
    """The sensors gave nothing: zeros, but for what the system counts and knows by itself."""
    del means
    attempt.state |= dict.fromkeys((1, 2, 4, 6, 7, 8, 9), 0)
    attempt.state.pop(12, None)


def _noise(attempt: Attempt, means: Means) -> None:
    _set_soh(attempt, min(12_000, _soh(attempt) + round(means.chance.gauss(0, 100))))


def _round(attempt: Attempt, means: Means) -> None:
    """Whole percents, as many systems show them."""
    del means
    _set_soh(attempt, round(_soh(attempt) / 100) * 100)


def _winter(attempt: Attempt, means: Means) -> None:
    """Cold takes some capacity, and spring gives it back."""
    _set_soh(attempt, _soh(attempt) - means.chance.randint(150, 350))
    cold = means.chance.randint(-18, -8)
    attempt.state[8], attempt.state[9] = cold, cold + means.chance.randint(1, 5)


def _forget_cycles(attempt: Attempt, means: Means) -> None:
    """From now on the odometer counts from 0."""
    battery = means.actor.battery(means.actor.state.pack)
    battery.forget_cycles()
    attempt.state[3] = attempt.state[10] = 0


def _choose_best(attempt: Attempt, means: Means) -> None:
    """Tapped until a good value came, and only that is submitted: the counter tells."""
    battery = means.actor.battery(means.actor.state.pack)
    ceiling = min(12_000, attempt.account.last.soh_bp + means.site.terms.soh_tolerance_bp)
    for _ in range(means.chance.randint(6, 20)):
        state = battery.measure(means.slot).state
        attempt.counter, attempt.element.counter = attempt.element.counter, attempt.element.counter + 1
        soh = state[1]
        if isinstance(soh, int) and _soh(attempt) < soh <= ceiling:
            attempt.state = dict(state)


VALUES: Final = (
    Fraud(name="soh_over_range", change=_over_range, checks=(8,), rules=("R15", "R24"), refused=True),
    Fraud(name="soh_jump", change=_jump, fits=_known_and_below(10_800), checks=(8,), rules=("R24",), refused=True),
    Fraud(name="decreasing_cycles", change=_fewer_cycles, fits=_has_cycled, checks=(9,), rules=("R27",), refused=True),
    Fraud(
        name="odometer_reset", change=_forget_cycles, fits=_has_cycled, checks=(9,), rules=("R27", "R29"), refused=True
    ),
    Fraud(name="frozen_values", change=_freeze, fits=_has_read, rules=("R34",), readings=5),
    Fraud(name="crossed_temperatures", change=_cross, rules=("R16",)),
    Fraud(name="farming", rules=("R42",), readings=8, quick=True),
    Fraud(name="cherry_picking", change=_choose_best, rules=("R07", "R40"), readings=3),
    Fraud(name="null_frame", change=_null_frame, rules=("R22",), honest=True),
    Fraud(name="sensor_noise", change=_noise, rules=("R24",), honest=True, readings=4),
    Fraud(name="rounding", change=_round, honest=True, readings=4),
    Fraud(name="recalibration", change=_shift(100, 500), rules=("R24",), honest=True),
    Fraud(name="quick_charge", change=_shift(220, 450), rules=("R24",), honest=True),
    Fraud(name="winter_dip", change=_winter, rules=("R24", "R26"), honest=True, readings=3),
)
