"""Two machines that judge each case, and must agree."""

from collections.abc import Callable, Iterator

import pytest

from deploy.contracts.judge import SCRIPT_FAILED, Accepted, Pointer, Refused, Verdict, judge
from deploy.contracts.machine import Units
from deploy.contracts.parameters import ProtocolParameters, load_mainnet_parameters
from tests.deploy.contracts.scene import Case
from tests.deploy.contracts.second_evaluator import SecondEvaluator, require

Judge = Callable[[Case], Verdict]


@pytest.fixture(scope="session")
def parameters() -> ProtocolParameters:
    return load_mainnet_parameters()


@pytest.fixture(scope="session")
def second_evaluator() -> Iterator[SecondEvaluator]:
    require()
    evaluator = SecondEvaluator()
    yield evaluator
    evaluator.close()


@pytest.fixture
def judged(second_evaluator: SecondEvaluator, parameters: ProtocolParameters) -> Judge:
    """What both machines say of a case. They agree on acceptance, and on the units of each script."""

    def both(case: Case) -> Verdict:
        transaction, outputs = case.transaction().cbor, case.resolved()
        first = judge(transaction, outputs, case.slots, parameters)
        second = second_evaluator.judge(transaction, outputs, case.slots, parameters.plutus_v3_cost_model)
        if isinstance(first, Accepted):
            assert "refused" not in second, f"only the second evaluator refuses: {second}"
            assert {
                Pointer(purpose.lower(), index): Units(int(memory), int(cpu))
                for purpose, index, memory, cpu in second["units"]
            } == first.units
        else:
            assert "refused" in second, f"only the Python machine refuses: {first}"
        return first

    return both


@pytest.fixture
def accepted(judged: Judge) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        verdict = judged(case)
        assert isinstance(verdict, Accepted), verdict

    return check


@pytest.fixture
def refused(judged: Judge) -> Callable[[Case, str], Refused]:
    """Refused by both machines, and by the check whose name begins so."""

    def check(case: Case, trace: str) -> Refused:
        verdict = judged(case)
        assert isinstance(verdict, Refused), "accepted"
        assert verdict.reason == SCRIPT_FAILED
        assert verdict.trace.startswith(trace), f"refused by {verdict.trace!r}: {verdict.detail}"
        return verdict

    return check
