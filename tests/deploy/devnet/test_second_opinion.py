import warnings

import pytest
from msgspec.structs import replace

from deploy.devnet.second_opinion import FIRST_OF_EACH_KIND, MadeWrongly, SecondOpinion
from tests.deploy.devnet.test_transactions import KINDS, examples

warnings.filterwarnings("ignore")


@pytest.fixture(scope="module")
def opinion() -> SecondOpinion:
    return SecondOpinion()


def test_the_first_of_each_kind_are_read_back() -> None:
    opinion = SecondOpinion()
    for kind in KINDS:
        for made in examples()[kind]:
            opinion.consider(made)
    assert opinion.checked == sum(min(FIRST_OF_EACH_KIND, len(examples()[kind])) for kind in KINDS)


def test_another_id_is_found(opinion: SecondOpinion) -> None:
    made = examples()["submit"][0]
    with pytest.raises(MadeWrongly, match="reads the submit transaction"):
        opinion.consider(replace(made, transaction=replace(made.transaction, id="00" * 32)))


def test_a_signature_that_does_not_hold_is_found(opinion: SecondOpinion) -> None:
    made = examples()["commit"][0]
    signature = bytes.fromhex(made.transaction.fields["signatories"][0]["signature"])
    forged = made.transaction.cbor.replace(signature, signature[:-1] + bytes([signature[-1] ^ 1]))
    with pytest.raises(MadeWrongly, match="signed: False"):
        opinion.consider(replace(made, transaction=replace(made.transaction, cbor=forged)))


def test_bytes_that_are_no_transaction_are_found(opinion: SecondOpinion) -> None:
    made = examples()["pay"][0]
    with pytest.raises(MadeWrongly):
        opinion.consider(replace(made, transaction=replace(made.transaction, cbor=made.transaction.cbor[:-3])))
