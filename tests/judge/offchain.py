"""A case of the contracts' own tests as the off-chain checks see it: decoded from a block, judged by what it spends."""

from collections.abc import Iterator

from deploy.devnet.deployment import Terms
from deploy.devnet.shown import address_text
from deploy.devnet.transactions import Out, Utxo
from indexer.events import ChainEvent, ReadingEvent
from indexer.protocol.datums import read_commitment_datum, read_reporting_datum
from projections.facts import Fact
from projections.rules.thresholds import ThresholdBook
from projections.verdicts import state as chain_state
from projections.verdicts.fold import Judged, State, fold
from projections.verdicts.standing import Account, KeyEpoch, Standing
from projections.verdicts.state import OpenCommitment
from tests.deploy.contracts.scene import ACCOUNT, CLAIMED_SLOT, PASSPORT, POLICY, Case, key_of
from tests.judge.made import decoded
from tests.projections.verdicts.devnet import profile


def judged_off_chain(case: Case) -> tuple[ReadingEvent, Judged] | None:
    """What is said of the reading in a transaction, wherever it stands in the block; None where it has none."""
    for fact in _facts(case):
        if isinstance(fact.event, ReadingEvent):
            return fact.event, fold(_state(case), fact, profile(), ThresholdBook())[1]
    return None


def events_of(case: Case) -> list[ChainEvent]:
    """Everything that its transaction becomes."""
    return [fact.event for fact in _facts(case)]


def _facts(case: Case) -> Iterator[Fact]:
    """In the last block that may hold it."""
    slot = case.draft.invalid_after - 1 if case.draft.invalid_after else CLAIMED_SLOT + 300
    return decoded(case.transaction().in_block("6.14"), slot, profile())


def _state(case: Case) -> State:
    """What the log knows of the outputs that the case spends. An account without its thread token proves nothing."""
    account = case.outputs[ACCOUNT.key]
    assert account.datum is not None
    datum, _ = read_reporting_datum(account.datum)
    proven = key_of(bytes.fromhex(datum.battery_id)) in account.assets.get(PASSPORT, {})
    standing = Standing(
        keys=(KeyEpoch(datum.bms_public_key, None, 0, 0),),
        accounts=(
            Account(
                transaction=ACCOUNT.transaction,
                index=ACCOUNT.index,
                address=address_text(account.place.raw),
                lovelace=account.lovelace,
                assets={
                    policy.hex(): {n.hex(): q for n, q in names.items()} for policy, names in account.assets.items()
                },
                datum=datum,
            ),
        )
        if proven
        else (),
    )
    commitments = tuple(
        found for utxo in case.draft.inputs if (found := _commitment(utxo, case.outputs[utxo.key])) is not None
    )
    return State(chain=chain_state.State(now=standing, commitments=commitments))


def _commitment(utxo: Utxo, out: Out) -> OpenCommitment | None:
    """One that was minted, with its token: others never were events."""
    names = out.assets.get(POLICY)
    if not names or out.datum is None:
        return None
    datum = read_commitment_datum(out.datum)
    return OpenCommitment(
        transaction=utxo.transaction,
        index=utxo.index,
        token_name=next(iter(names)).hex(),
        battery_id=datum.battery_id.hex(),
        user_pkh=datum.user_pkh.hex(),
        slot=CLAIMED_SLOT,
        max_age_slots=Terms().max_age_slots,
    )
