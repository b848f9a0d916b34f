"""Statements of a log with a fork: what they count, and files that were made to hurt."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.audit.check_statement import against_log, check_statement
from consumers.audit.compare import compare, settled_blocks
from consumers.audit.manifest import seal_of
from consumers.audit.statement import NotFinal, make_statement, written
from consumers.audit.tree import Tree
from indexer.log.canonical import canonical_lines
from indexer.log.port import Log
from tests.consumers.audit.conftest import KEY, last_step
from tests.consumers.audit.poison import POISON, places, put

TIP = 10_000


@pytest.fixture(scope="module")
def statement(log: Log) -> bytes:
    end = log.end()
    assert end is not None
    return written(make_statement(log, (2, end.spine.height), provisional=True), KEY)


def test_it_counts_what_the_canonical_log_holds_and_names_where_the_log_stood(log: Log, statement: bytes) -> None:
    told = json.loads(statement.splitlines()[0])
    lines = [json.loads(line) for line in canonical_lines(log, TIP)]
    assert told["after"]["events"] == len(lines)
    assert told["facts"] == {
        kind: sum(line["type"] == kind and line["height"] >= 2 for line in lines) for kind in sorted(told["facts"])
    }
    assert sum(told["facts"].values()) == sum(line["height"] >= 2 for line in lines) > 10
    assert told["log"]["step"] == last_step(log)
    assert told["log"]["tree_root"] == Tree(stored.digest for stored in log.spine()).root


def test_it_holds_by_itself_and_against_its_log(log: Log, statement: bytes) -> None:
    answer = check_statement(statement, signer=bytes(KEY.verify_key).hex())
    assert answer.holds
    assert against_log(statement, answer, log, lambda _: None).holds
    assert not check_statement(statement, signer="00" * 32).holds


def test_only_final_blocks_are_stated_unless_asked_for(log: Log) -> None:
    with pytest.raises(NotFinal):
        make_statement(log, (1, 20))


def test_a_log_is_equal_to_itself(log: Log) -> None:
    assert compare(log, log).equal
    assert list(settled_blocks(log, TIP)) == []  # k is greater than this chain is long


@settings(max_examples=200, deadline=None)
@given(where=st.integers(0, 1 << 30), value=st.sampled_from(POISON))
def test_no_value_in_any_place_ends_the_verifier(statement: bytes, where: int, value: object) -> None:
    document = json.loads(statement.splitlines()[0])
    paths = places(document)
    line = msgspec.json.encode(put(document, paths[where % len(paths)], value)) + b"\n"
    assert check_statement(line + msgspec.json.encode(seal_of(line, None)) + b"\n").lines
    assert check_statement(line + statement.splitlines(keepends=True)[1]).lines


@given(st.binary(max_size=300))
def test_no_bytes_are_a_statement_by_accident(content: bytes) -> None:
    assert not check_statement(content).holds
    assert not check_statement(content, previous=content).holds
