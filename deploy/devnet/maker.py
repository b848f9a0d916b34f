"""The maker of a chain's transactions: a fleet that reads its batteries, and everybody else. Deterministic by seed."""

import heapq
import random
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from deploy.devnet import operator_steps, preview, user_steps
from deploy.devnet.actors import Actor, Made, State
from deploy.devnet.battery import DAY_SLOTS
from deploy.devnet.blocks import BlockTransaction
from deploy.devnet.deployment import Scripts, Terms
from deploy.devnet.network import OgmiosVersion
from deploy.devnet.schemes import DISCARDING, STALE, Schemes
from deploy.devnet.site import deploy
from deploy.devnet.traffic import Crowd, Other

_BLOCK_TRANSACTIONS: Final = 40
"""What fits in a block of 90 kB."""

_REMEMBERED: Final = 20_000
"""Transactions that a fork can put back: more than k blocks of a busy devnet hold."""

_REGISTER_EVERY_SLOTS: Final = 40
_ACCOUNT_FLOOR_LOVELACE: Final = 2_000_000
_NEW_KEY_SHARE: Final = 0.004  # of the times that a battery is due, each
_SALE_SHARE: Final = 0.006
_ABANDON_SHARE: Final = 0.03
_LATE_SHARE: Final = 0.15  # of the abandoned commitments are submitted all the same, and refused
_REFUSALS_BORNE: Final = 3
_BESIDE_THE_FLEET_SHARE: Final = 0.12
_NEVER_SO_FAR_BP: Final = 500
"""No gauge here falls so far below the truth that the next honest reading is refused by more than that."""


class Plan(Struct, frozen=True, kw_only=True):
    """What kind of chain to make."""

    seed: int = 1
    batteries: int = 10
    reading_interval_slots: int = 7 * DAY_SLOTS  # mean, of each battery
    unrelated_share: float | None = None  # of the blocks have transactions of others; None: as on preview
    terms: Terms = Terms()
    ogmios_version: OgmiosVersion = "6.14"
    every_block: bool = False  # quiet hours too; see make.slots
    include_cbor: bool = False  # as Ogmios' --include-transaction-cbor
    fraud_share: float = 0.0  # of the times that a battery is read, something begins that is a fraud or looks like one
    weak_contract: bool = False  # its scripts check nothing, so frauds take effect


class Maker:
    """The ledger of a growing chain (see ``chain.Ledger``). ``last`` is what the last block got."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.last: list[Made] = []
        self.interval_slots = plan.reading_interval_slots
        self._chance = random.Random(f"maker/{plan.seed}")  # noqa: S311 reproducible, not secret
        scripts = Scripts(weak=plan.weak_contract)
        self.site, self._deployed = deploy(plan.seed, scripts, plan.terms, weak=plan.weak_contract)
        self._started = False
        # Where quiet hours are left out, the fleet's own blocks make up the rest of preview's share.
        whole = preview.FULL_SHARE if plan.every_block else _BESIDE_THE_FLEET_SHARE
        self._unrelated_share = whole if plan.unrelated_share is None else plan.unrelated_share
        self._crowd = Crowd(plan.seed, self._chance)
        self.fleet = [Actor(number, plan.seed) for number in range(1, plan.batteries + 1)]
        self._schemes = Schemes(self.site, self.fleet, plan.fraud_share, plan.seed)
        self._actors: dict[str, Actor | Other] = {actor.name: actor for actor in self.fleet}
        self._actors |= {other.name: other for other in self._crowd.others}
        self._made: OrderedDict[str, Made] = OrderedDict()
        self._agenda: list[tuple[int, int]] = []
        self._refusals: dict[int, int] = {}
        self._moved: set[Actor] = set()  # by a fork: to be planned anew
        for actor in self.fleet:
            self._at(actor, _REGISTER_EVERY_SLOTS * actor.number + self._chance.randrange(_REGISTER_EVERY_SLOTS))

    @property
    def next_due(self) -> int:
        """The slot at which a battery is next due, or what a fork left behind."""
        return self._agenda[0][0] if self._agenda else 0

    def transactions(self, slot: int) -> list[BlockTransaction]:
        self._plan_anew(slot)
        made: list[Made] = []
        if not self._started:
            self._started = True
            made.append(self._deployed)
        while self._agenda and self._agenda[0][0] <= slot and len(made) < _BLOCK_TRANSACTIONS:
            due, number = heapq.heappop(self._agenda)
            actor = self.fleet[number - 1]
            if actor.due == due:
                step = self._step(actor, slot)
                actor.state = step.after  # type: ignore[assignment]
                made.append(step)
                self._schemes.done(actor, step)
                self._at(actor, slot + self._wait(actor, step))
                while self._schemes.joined:
                    self._at(self._schemes.joined.pop(), slot + self._chance.randrange(20, 900))
        if self._chance.random() < self._unrelated_share:
            for _ in range(preview.transactions(self._chance)):
                other = self._crowd.make(slot)
                self._apply(other, other.after)
                made.append(other)
        for one in made:
            self._remember(one)
        self.last = made
        version, cbor = self.plan.ogmios_version, self.plan.include_cbor
        return [one.transaction.in_block(version, include_cbor=cbor) for one in made]

    # what comes next

    def _at(self, actor: Actor, slot: int) -> None:
        actor.due = slot
        heapq.heappush(self._agenda, (slot, actor.number))

    def _step(self, actor: Actor, slot: int) -> Made:
        site, state, chance = self.site, actor.state, self._chance
        match state.phase:
            case "new":
                return operator_steps.register(site, actor, slot)
            case "closed":
                return self._schemes.reopen(actor, slot)
            case "committed":
                return self._finish(actor, slot)
            case "idle":
                assert state.account is not None
                if state.account.utxo.lovelace - site.terms.reward_lovelace < _ACCOUNT_FLOOR_LOVELACE:
                    return operator_steps.close(site, actor, slot, new_key=False)
                if _stuck(actor, slot, self.plan.terms):
                    return operator_steps.close(site, actor, slot, new_key=True)
                scheming = self._schemes.idle(actor, slot)
                if scheming is not None:
                    return scheming
                draw = chance.random()
                if draw < _NEW_KEY_SHARE:
                    return operator_steps.close(site, actor, slot, new_key=True)
                if draw < _NEW_KEY_SHARE + _SALE_SHARE:
                    return operator_steps.sell(site, actor, slot)
                return user_steps.commit(site, actor, slot, chance)

    def _finish(self, actor: Actor, slot: int) -> Made:
        commitment = actor.state.commitment
        assert commitment is not None
        expired = slot - commitment.claimed_slot > self.plan.terms.reclaim_after_slots
        if expired and self._schemes.of(actor) is DISCARDING:
            return user_steps.reclaim(self.site, actor, slot)
        if expired and self._schemes.of(actor) is STALE:
            expired = False
        tried = self._refusals.get(actor.number, 0)
        if expired and (tried or self._chance.random() >= _LATE_SHARE):
            return user_steps.reclaim(self.site, actor, slot)
        scheming = self._schemes.submit(actor, slot)
        return scheming or user_steps.submit(self.site, actor, slot, self._chance)

    def _wait(self, actor: Actor, step: Made) -> int:
        """Slots until the actor is due again."""
        chance, expiry = self._chance, self.plan.terms.reclaim_after_slots
        wished = self._schemes.wait_slots(actor, step)
        if wished is not None:
            return wished
        match step.kind:
            case "commit":
                self._refusals.pop(actor.number, None)
                if chance.random() < _ABANDON_SHARE:
                    return expiry + chance.randrange(100, 20_000)
                return 20 + int(chance.expovariate(1 / 180))
            case "rejected":
                tried = self._refusals.get(actor.number, 0) + 1
                self._refusals[actor.number] = tried
                return chance.randrange(40, 400) if tried < _REFUSALS_BORNE else expiry + chance.randrange(100, 9_000)
            case "close":
                return chance.randrange(20, 600)
            case _:
                return 60 + int(chance.expovariate(1 / self.interval_slots))

    # forks

    def _remember(self, made: Made) -> None:
        self._made[made.transaction.id] = made
        if len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)

    def _apply(self, made: Made, state: object) -> None:
        actor = self._actors.get(made.actor)
        if isinstance(actor, Actor) and isinstance(state, State):
            actor.state = state
            self._moved.add(actor)
        elif actor is not None:
            actor.state = state  # type: ignore[assignment]

    def undo(self, transactions: Sequence[str]) -> None:
        for identity in transactions:
            made = self._made.get(identity)
            if made is not None:
                self._apply(made, made.before)

    def redo(self, transaction: str, slot: int) -> bool:
        del slot  # the intervals were checked by the chain
        made = self._made.get(transaction)
        if made is None or made.actor not in self._actors:
            return True  # nobody here depends on it
        if self._actors[made.actor].state != made.before:
            return False
        self._apply(made, made.after)
        return True

    def _plan_anew(self, slot: int) -> None:
        """After a fork: whoever was touched goes on from the state in which the new branch left him."""
        for actor in sorted(self._moved, key=lambda one: one.number):
            phase = actor.state.phase
            soon = phase != "idle" or self._chance.random() < 0.5
            self._at(actor, slot + (self._chance.randrange(20, 200) if soon else self._wait_idle()))
        self._moved.clear()

    def _wait_idle(self) -> int:
        return 60 + int(self._chance.expovariate(1 / self.interval_slots))

    def hurry(self, interval_slots: int, slot: int) -> None:
        """From now on batteries are read at another mean interval; those that wait for longer are planned anew."""
        self.interval_slots = interval_slots
        for actor in self.fleet:
            if actor.state.phase == "idle" and actor.due > slot + interval_slots:
                self._at(actor, slot + self._wait_idle())


def _stuck(actor: Actor, slot: int, terms: Terms) -> bool:
    """The account remembers what no honest reading can follow: the operator has to begin anew, with a new element."""
    account = actor.state.account
    assert account is not None
    last, battery = account.last, actor.battery(actor.state.pack)
    return (
        last.counter >= actor.element(actor.state.epoch).counter
        or 100 * battery.true_soh(slot) > last.soh_bp + terms.soh_tolerance_bp + _NEVER_SO_FAR_BP
        or last.cycle_count > battery.cycles(slot)
    )
