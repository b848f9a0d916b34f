"""What people do, as transactions: register a battery, replace its key, commit, submit a reading, reclaim.

The same bytes as the devnet's own people write (``devnet/operator_steps.py``, ``user_steps.py``), from what a node's
queries tell: no state is kept here.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from deploy.devnet import datums
from deploy.devnet.actors import Last
from deploy.devnet.element import SecureElement
from deploy.devnet.keys import Place, script_place
from deploy.devnet.plutus_writer import UNIT, UNIT_1
from deploy.devnet.transactions import Draft, Out, Use
from deploy.user.compose import Composed, Person, compose
from deploy.user.node import Deployment, Money, Refused, UserNode
from indexer.protocol.cose import read_cose
from indexer.protocol.datums import read_commitment_datum, read_reporting_datum
from indexer.protocol.keys import REFERENCE_LABEL, USER_LABEL, battery_key, label_prefix

_TOKEN_LOVELACE: Final = 2_000_000
_PASSPORT_LOVELACE: Final = 4_000_000
_COMMITMENT_LOVELACE: Final = 1_900_000
_SUBMIT_SLOTS: Final = 600  # of a submission's validity


class Names(Struct, frozen=True):
    """What a battery's tokens are called."""

    key: bytes  # the thread token
    reference: bytes
    user: bytes

    @classmethod
    def of(cls, battery_id: bytes) -> "Names":
        key = bytes.fromhex(battery_key(battery_id, "blake2b_224") or "")
        return cls(key, label_prefix(REFERENCE_LABEL) + key, label_prefix(USER_LABEL) + key)


class Desk:
    """One deployment behind one node."""

    def __init__(self, node: UserNode, deployment: Deployment) -> None:
        self.node, self.deployment = node, deployment
        scripts = deployment.scripts
        self.commitment = bytes.fromhex(scripts.commitment.hash)
        self.reporting = bytes.fromhex(scripts.reporting.hash)
        self.passport = bytes.fromhex(scripts.passport.hash)

    def register(
        self, operator: Person, owner: Place, battery_id: bytes, chip: SecureElement, details: dict[str, bytes | int]
    ) -> Composed:
        """The operator mints the battery's tokens, writes its passport and opens its account."""
        names, terms = Names.of(battery_id), self.deployment.terms
        opening = Last(-1, terms.opening_soh_bp, 0)
        tokens = {names.reference: 1, names.user: 1, names.key: 1}
        draft = Draft(
            inputs=[],
            outputs=[
                self._passport(battery_id, chip, details, _PASSPORT_LOVELACE),
                Out(place=owner, lovelace=_TOKEN_LOVELACE, assets={self.passport: {names.user: 1}}),
                self._account(battery_id, chip.public_key, opening, terms.account_lovelace),
            ],
            fee=0,
            signers=[],
            mint={self.passport: tokens},
            mints={self.passport: Use(UNIT, 0, 0)},
            required=[operator.hash],
            invalid_after=self.node.tip_slot() + 7_200,
        )
        return compose(self.node, draft, [], operator, references=self._scripts("passport"))

    def close(self, operator: Person, battery_id: bytes) -> Composed:
        """The operator burns the thread token and takes what the account holds."""
        names = Names.of(battery_id)
        account = self.account(battery_id)
        draft = Draft(
            inputs=[],
            outputs=[],
            fee=0,
            signers=[],
            mint={self.passport: {names.key: -1}},
            mints={self.passport: Use(UNIT_1, 0, 0)},
            spends={account.utxo.key: Use(UNIT_1, 0, 0)},
            required=[operator.hash],
            invalid_after=self.node.tip_slot() + 7_200,
        )
        return compose(self.node, draft, [account], operator, references=self._scripts("reporting", "passport"))

    def reopen(
        self, operator: Person, battery_id: bytes, chip: SecureElement, details: dict[str, bytes | int]
    ) -> Composed:
        """The operator writes the passport anew, with another key, and opens an account that begins at -1."""
        names, terms = Names.of(battery_id), self.deployment.terms
        passport = self._holder(self.passport, names.reference, f"passport of {battery_id.decode()}")
        draft = Draft(
            inputs=[],
            outputs=[
                self._account(battery_id, chip.public_key, Last(-1, terms.opening_soh_bp, 0), terms.account_lovelace),
                self._passport(battery_id, chip, details, passport.utxo.lovelace),
            ],
            fee=0,
            signers=[],
            mint={self.passport: {names.key: 1}},
            mints={self.passport: Use(UNIT, 0, 0)},
            spends={passport.utxo.key: Use(UNIT, 0, 0)},
            required=[operator.hash],
            invalid_after=self.node.tip_slot() + 7_200,
        )
        return compose(self.node, draft, [passport], operator, references=self._scripts("passport"))

    def commit(self, user: Person, battery_id: bytes) -> Composed:
        """The user asks for a challenge: the id of this transaction."""
        slot = self.node.tip_slot()
        token = datums.commitment_token(battery_id, user.hash, slot)
        draft = Draft(
            inputs=[],
            outputs=[
                Out(
                    place=self._place(self.commitment),
                    lovelace=_COMMITMENT_LOVELACE,
                    assets={self.commitment: {token: 1}},
                    datum=datums.commitment_datum(battery_id, user.hash, slot),
                )
            ],
            fee=0,
            signers=[],
            mint={self.commitment: {token: 1}},
            mints={self.commitment: Use(UNIT, 0, 0)},
            required=[user.hash],
            invalid_before=slot,
            invalid_after=slot + self.deployment.terms.window_slots,
        )
        return compose(self.node, draft, [], user, references=self._scripts("commitment"))

    def submit(self, user: Person, battery_id: bytes, cose: bytes) -> Composed:
        """The user submits a signed reading for the commitment that it answers. Raises Refused where none is open."""
        reading = read_cose(cose).reading
        if reading is None or None in (reading.challenge, reading.counter, reading.soh_bp, reading.cycle_count):
            raise Refused("the file holds no signed reading of the profile commitment-v2")
        assert reading.challenge is not None
        commitment = self.open_commitment(reading.challenge)
        account, token = self.account(battery_id), self._token_of(user, battery_id)
        assert account.datum is not None
        before, _ = read_reporting_datum(account.datum)
        assert reading.counter is not None
        assert reading.soh_bp is not None
        assert reading.cycle_count is not None
        after = Last(reading.counter, reading.soh_bp, reading.cycle_count)
        reward = before.reward_per_read
        terms = replace(self.deployment.terms, reward_lovelace=reward, max_age_slots=before.max_age_slots)
        names = Names.of(battery_id)
        slot = self.node.tip_slot()
        expiry = self._claimed_slot(commitment) + before.max_age_slots
        # A script sees the interval alone: one that ends before the commitment's age does proves its age.
        end = min(slot + _SUBMIT_SLOTS, expiry) if slot < expiry else slot + _SUBMIT_SLOTS
        draft = Draft(
            inputs=[],
            outputs=[
                Out(
                    place=account.place,
                    lovelace=account.utxo.lovelace - reward,
                    assets=account.assets,
                    datum=datums.reporting_datum(battery_id, bytes.fromhex(before.bms_public_key), after, terms),
                ),
                Out(
                    place=user.place,
                    lovelace=token.utxo.lovelace + reward,
                    assets={self.passport: {names.user: 1}},
                ),
            ],
            fee=0,
            signers=[],
            mint={self.commitment: dict.fromkeys(commitment.assets[self.commitment], -1)},
            mints={self.commitment: Use(UNIT_1, 0, 0)},
            spends={
                account.utxo.key: Use(datums.submit_redeemer(cose), 0, 0),
                commitment.utxo.key: Use(UNIT, 0, 0),
            },
            required=[user.hash],
            invalid_before=slot,
            invalid_after=end,
        )
        spent = [account, commitment, token]
        return compose(self.node, draft, spent, user, references=self._scripts("commitment", "reporting"))

    def reclaim(self, user: Person, challenge: str) -> Composed:
        """The user takes back an expired commitment."""
        commitment = self.open_commitment(challenge)
        assert commitment.datum is not None
        datum = read_commitment_datum(commitment.datum)
        free = self._claimed_slot(commitment) + self.deployment.terms.reclaim_after_slots
        slot = self.node.tip_slot()
        if slot <= free:
            raise Refused(f"the commitment can be reclaimed after slot {free}; the chain is at slot {slot}")
        draft = Draft(
            inputs=[],
            outputs=[],
            fee=0,
            signers=[],
            mint={self.commitment: dict.fromkeys(commitment.assets[self.commitment], -1)},
            mints={self.commitment: Use(UNIT_1, 0, 0)},
            spends={commitment.utxo.key: Use(datums.reclaim_redeemer(datum.battery_id), 0, 0)},
            required=[user.hash],
            invalid_before=slot,
            invalid_after=slot + _SUBMIT_SLOTS,
        )
        return compose(self.node, draft, [commitment], user, references=self._scripts("commitment"))

    # what the chain holds

    def account(self, battery_id: bytes) -> Money:
        """The battery's reporting account. Raises Refused where it has none."""
        key = Names.of(battery_id).key
        return self._holder(self.reporting, key, f"open account of {battery_id.decode(errors='replace')}")

    def has_account(self, battery_id: bytes) -> bool:
        """Whether the battery has an open reporting account."""
        return bool(self._holders(self.reporting, Names.of(battery_id).key))

    def open_commitment(self, challenge: str) -> Money:
        """The commitment that a transaction made. Raises Refused where it is spent or was never made."""
        found = self.node.output(challenge, 0)
        if found is None or self.commitment not in found.assets:
            raise Refused(f"transaction {challenge} made no commitment that is still open: commit again")
        return found

    def _claimed_slot(self, commitment: Money) -> int:
        assert commitment.datum is not None
        return read_commitment_datum(commitment.datum).slot or 0

    def _holder(self, script: bytes, name: bytes, what: str) -> Money:
        found = self._holders(script, name)
        if not found:
            raise Refused(f"there is no {what} on this chain: was the battery registered?")
        return found[0]

    def _holders(self, script: bytes, name: bytes) -> list[Money]:
        """The outputs at a script that hold a token of the passport policy."""
        at = self.node.at(self._place(script).text)
        return [each for each in at if name in each.assets.get(self.passport, {})]

    def _token_of(self, user: Person, battery_id: bytes) -> Money:
        name = Names.of(battery_id).user
        for each in self.node.at(user.place.text):
            if name in each.assets.get(self.passport, {}):
                return each
        raise Refused(f"{user.place.text} does not hold the ownership token of {battery_id.decode(errors='replace')}")

    def _scripts(self, *names: str) -> list[Money]:
        """The outputs that carry these scripts. Raises Refused where one is gone."""
        found = []
        for name in names:
            at = getattr(self.deployment.scripts, name)
            output = self.node.output(at.transaction, at.index)
            if output is None:
                raise Refused(f"output {at.transaction}#{at.index}, which carried the {name} script, is spent")
            found.append(output)
        return found

    def _place(self, script: bytes) -> Place:
        return script_place(script, self.deployment.address_network)

    def _account(self, battery_id: bytes, public_key: bytes, last: Last, lovelace: int) -> Out:
        return Out(
            place=self._place(self.reporting),
            lovelace=lovelace,
            assets={self.passport: {Names.of(battery_id).key: 1}},
            datum=datums.reporting_datum(battery_id, public_key, last, self.deployment.terms),
        )

    def _passport(self, battery_id: bytes, chip: SecureElement, details: dict[str, bytes | int], lovelace: int) -> Out:
        metadata: dict[str, bytes | int] = {
            "battery_id": battery_id,
            "bms_public_key": chip.public_key,
            "bms_key_alg": chip.algorithm,
        }
        return Out(
            place=self._place(self.passport),
            lovelace=lovelace,
            assets={self.passport: {Names.of(battery_id).reference: 1}},
            datum=datums.passport(metadata | details),
        )
