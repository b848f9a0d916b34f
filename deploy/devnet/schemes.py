"""Who is up to what: frauds and honest oddities over several transactions, drawn one after the other from a deck."""

import random
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from deploy.devnet import operator_steps, user_steps
from deploy.devnet.actors import Actor, Made
from deploy.devnet.fraud import Fraud, Means
from deploy.devnet.frauds_signed import SIGNED
from deploy.devnet.frauds_values import VALUES
from deploy.devnet.keys import Key
from deploy.devnet.site import Site

STALE: Final = Fraud(name="stale", checks=(4,), rules=("R45",), refused=True)
DISCARDING: Final = Fraud(name="discarding", rules=("R43",), readings=3, quick=True)
RING: Final = Fraud(name="ring", rules=("R38", "R39"), readings=3, quick=True)
CLONED_KEY: Final = Fraud(name="cloned_key", rules=("R11",), fits=lambda means: means.neighbour is not None)
PACK_REPLACEMENT: Final = Fraud(name="pack_replacement", rules=("R53",), honest=True)
SOFTWARE_RESET: Final = Fraud(name="software_reset", rules=("R53",), honest=True)

CATALOGUE: Final[tuple[Fraud, ...]] = (
    *SIGNED,
    *VALUES,
    STALE,
    DISCARDING,
    RING,
    CLONED_KEY,
    PACK_REPLACEMENT,
    SOFTWARE_RESET,
)
"""Every kind. The order is the deck's before it is shuffled, so new ones go to the end."""

_NEW_ELEMENT: Final = frozenset((CLONED_KEY, PACK_REPLACEMENT, SOFTWARE_RESET))
_RING_MEMBERS: Final = 3
_RING_BATTERIES: Final = 10


class Scheme(Struct):
    """What is going on with one battery."""

    fraud: Fraud
    left: int  # readings still to come
    round: int = 0
    sold: bool = False  # to the ring's next member


class Schemes:
    """All that is going on. Beside the chain: a fork does not undo intentions."""

    def __init__(self, site: Site, fleet: Sequence[Actor], share: float, seed: int) -> None:
        self._site, self._fleet, self._share = site, fleet, share
        self._chance = random.Random(f"schemes/{seed}")  # noqa: S311 reproducible, not secret
        self._deck: list[Fraud] = []
        self._now: dict[int, Scheme] = {}
        self._ring = [Key(f"{seed}/ring/{number}") for number in range(_RING_MEMBERS)]
        self.joined: list[Actor] = []  # whom the newest ring drew in: to be planned anew

    def of(self, actor: Actor) -> Fraud | None:
        scheme = self._now.get(actor.number)
        return scheme.fraud if scheme else None

    def idle(self, actor: Actor, slot: int) -> Made | None:
        """What a scheme, going on or drawn now, does with a battery of which nothing is under way."""
        scheme = self._now.get(actor.number) or self._draw(actor, slot)
        if scheme is None:
            return None
        fraud, state = scheme.fraud, actor.state
        if fraud in _NEW_ELEMENT:
            return operator_steps.close(self._site, actor, slot, new_key=True)
        if fraud.name == "forged_account" and state.forged is None:
            return _labelled(user_steps.plant_account(self._site, actor, slot), fraud)
        if fraud is RING and not scheme.sold:
            scheme.sold = True
            actor.put_owner(state.owner + 1, self._ring[(actor.number + scheme.round) % _RING_MEMBERS])
            return _labelled(operator_steps.sell(self._site, actor, slot), fraud)
        return _labelled(user_steps.commit(self._site, actor, slot, self._chance), fraud)

    def reopen(self, actor: Actor, slot: int) -> Made:
        """The operator opens a closed account; with a new element where there is cause."""
        fraud = self.of(actor)
        if fraud not in _NEW_ELEMENT or actor.state.carried is not None:
            return operator_steps.reopen(self._site, actor, slot)
        pack = actor.state.pack
        if fraud is CLONED_KEY:
            other = self._neighbour(actor)
            if other is not None:
                actor.put_element(actor.state.epoch + 1, other.element(other.state.epoch).clone())
        elif fraud is PACK_REPLACEMENT:
            pack += 1
        else:
            actor.battery(pack).forget_cycles()
        self._now.pop(actor.number)
        assert fraud is not None
        return _labelled(operator_steps.reopen(self._site, actor, slot, pack=pack), fraud)

    def submit(self, actor: Actor, slot: int) -> Made | None:
        """The submission that a scheme wants; None where there is no scheme."""
        scheme = self._now.get(actor.number)
        if scheme is None:
            return None
        fraud = scheme.fraud
        if fraud.name == "forged_account" and actor.state.forged is None:  # a fork took it
            self._now.pop(actor.number)
            return None
        means = self._means(actor, slot, fraud, scheme.round)
        if not fraud.fits(means):
            return None
        return user_steps.submit(self._site, actor, slot, self._chance, means)

    def done(self, actor: Actor, step: Made) -> None:
        """A transaction was made. A scheme that came to its end, accepted or refused, is forgotten."""
        scheme = self._now.get(actor.number)
        if scheme is None or step.kind not in ("submit", "rejected", "reclaim"):
            return
        scheme.left, scheme.round, scheme.sold = scheme.left - 1, scheme.round + 1, False
        if scheme.left <= 0:
            self._now.pop(actor.number)

    def wait_slots(self, actor: Actor, step: Made) -> int | None:
        """Until the battery is due again; None where a scheme has no wish of its own."""
        scheme, terms, chance = self._now.get(actor.number), self._site.terms, self._chance
        if scheme is None:
            return None
        if step.kind == "commit":
            if scheme.fraud is STALE:
                return terms.max_age_slots + chance.randrange(120, 2_000)
            if scheme.fraud is DISCARDING:
                return terms.reclaim_after_slots + chance.randrange(100, 600)
            return 20 + int(chance.expovariate(1 / 180))
        if scheme.fraud.quick or step.kind == "plant":
            return chance.randrange(30, 120)
        return None

    def _draw(self, actor: Actor, slot: int) -> Scheme | None:
        if self._chance.random() >= self._share:
            return None
        if not self._deck:
            self._deck = list(CATALOGUE)
            self._chance.shuffle(self._deck)
        for place, fraud in enumerate(self._deck):
            if fraud.fits(self._means(actor, slot, fraud)):
                del self._deck[place]
                scheme = Scheme(fraud, fraud.readings)
                self._now[actor.number] = scheme
                if fraud is RING:
                    self._gather(actor)
                return scheme
        return None

    def _gather(self, actor: Actor) -> None:
        others = [
            other
            for other in self._fleet
            if other is not actor and other.state.phase == "idle" and other.number not in self._now
        ]
        self.joined = others[: _RING_BATTERIES - 1]
        for other in self.joined:
            self._now[other.number] = Scheme(RING, RING.readings)

    def _means(self, actor: Actor, slot: int, fraud: Fraud, round_number: int = 0) -> Means:
        return Means(
            site=self._site,
            actor=actor,
            slot=slot,
            chance=self._chance,
            fraud=fraud,
            round=round_number,
            neighbour=self._neighbour(actor),
        )

    def _neighbour(self, actor: Actor) -> Actor | None:
        """The next battery in the fleet, if it has an open account."""
        other = self._fleet[actor.number % len(self._fleet)]
        return other if other is not actor and other.state.account is not None else None


def _labelled(made: Made, fraud: Fraud) -> Made:
    return replace(made, label=(made.label or {}) | fraud.label())
