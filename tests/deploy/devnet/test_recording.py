import json
from pathlib import Path

import pytest

from deploy.devnet.chain import Chain, Cursor
from deploy.devnet.network import NETWORKS
from deploy.devnet.recording import Writer, _decode_header, load, play_step, steps
from deploy.devnet.shapes import reshape
from indexer.errors import ConfigurationError, InvalidChainData
from tests.deploy.devnet.client import empty_chain, ids, lively_chain, served
from tests.deploy.devnet.schemas import problems
from tests.shared import shared


def preview() -> Path:
    return shared("chain/preview-01285.ndjson.zst")


def test_the_preview_run_is_played_block_for_block_with_its_parent_links() -> None:
    chain = load(preview(), Chain(NETWORKS["preview"]))
    with served(chain) as (_, one):
        for _ in range(100):
            one.send("nextBlock")
        results = []
        for number in range(864):
            results.append(one.receive()["result"])
            if number < 764:
                one.send("nextBlock")
    blocks = [result["block"] for result in results]
    assert [block["height"] for block in blocks] == list(range(910_412, 911_276))
    assert [block["ancestor"] for block in blocks[1:]] == [block["id"] for block in blocks[:-1]]
    assert sum(len(block.get("transactions", [])) for block in blocks) == 233
    assert all(result["tip"]["height"] == 911_275 for result in results)


def test_a_recording_is_served_byte_for_byte() -> None:
    recorded = [move for move in steps(preview()) if isinstance(move, tuple)]
    chain = load(preview(), Chain(NETWORKS["preview"]))
    with served(chain) as (_, one):
        for header, block in recorded[:50]:
            served_block = one.next()["block"]
            assert served_block["id"] == header.id
            assert served_block == json.loads(block)


def test_a_v6_recording_is_played_in_the_shape_of_v7() -> None:
    chain = load(preview(), Chain(NETWORKS["preview"], ogmios_version="7"))
    with served(chain) as (_, one):
        for _ in range(30):
            assert problems("v7.0", "NextBlockResponse", one.call("nextBlock")) == []


def test_reshaping_there_and_back_changes_nothing() -> None:
    for move in steps(preview()):
        assert isinstance(move, tuple)
        block = move[1]
        assert json.loads(reshape(reshape(block, "7"), "6.14")) == json.loads(block)


def test_a_recording_can_be_forked_and_the_rest_goes_on_the_new_branch() -> None:
    moves = list(steps(preview()))
    chain = Chain(NETWORKS["preview"])
    for move in moves[:700]:
        play_step(chain, move)
    chain.fork(30)
    for move in moves[700:]:
        play_step(chain, move)
    assert len(chain) == 865
    original = load(preview(), Chain(NETWORKS["preview"]))
    assert ids(chain)[:670] == ids(original)[:670]
    assert set(ids(chain)[670:]).isdisjoint(ids(original))


@pytest.mark.parametrize("suffix", [".ndjson", ".ndjson.zst"])
def test_what_is_written_is_read_back(suffix: str, tmp_path: Path) -> None:
    chain, _ = lively_chain(200)
    path = tmp_path / f"chain{suffix}"
    with Writer(path) as writer:
        for block in chain.read(Cursor(), 1_000, 1 << 30)[1]:
            writer.write(_decode_header(block), block)
    again = load(path, Chain())
    assert ids(again) == ids(chain)
    assert again.tip == chain.tip


def test_a_recorded_roll_backward_is_a_fork(tmp_path: Path) -> None:
    chain = empty_chain(10)
    with served(chain) as (_, one):
        one.find("origin")
        lines = [one.call("nextBlock") for _ in range(11)]
        chain.fork(3)
        lines += [one.call("nextBlock") for _ in range(5)]
    path = tmp_path / "forked.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = load(path, Chain())
    assert ids(again) == ids(chain)
    assert again.forks == 1


def test_a_line_that_is_no_answer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_text('{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"sideways"},"id":null}\n')
    with pytest.raises(InvalidChainData, match=r"line 1 of .*bad\.ndjson"):
        load(path, Chain())
    path = tmp_path / "bad.ndjson.zst"
    path.write_bytes(b"not zstd")
    with pytest.raises(ConfigurationError, match="can't read"):
        load(path, Chain())
