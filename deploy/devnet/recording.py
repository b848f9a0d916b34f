"""Chains as files: one ``nextBlock`` answer a line, plain or zstd, as the recorded preview run is."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import msgspec
import zstandard
from msgspec import Struct

from deploy.devnet.blocks import Header
from deploy.devnet.branch import transactions_of
from deploy.devnet.chain import Chain
from deploy.devnet.shapes import reshape
from indexer.chain import Point, Tip
from indexer.errors import ConfigurationError, InvalidChainData


class _Forward(Struct, frozen=True, tag_field="direction", tag="forward"):
    block: msgspec.Raw


class _Backward(Struct, frozen=True, tag_field="direction", tag="backward"):
    point: Point | Literal["origin"]


class _Line(Struct, frozen=True):
    result: _Forward | _Backward


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_header = msgspec.json.Decoder(Header).decode


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a recording with their numbers, from 1. Raises ConfigurationError where it can't be read."""
    try:
        with path.open("rb") as file:
            lines: Iterable[bytes] = file
            if path.suffix in {".zst", ".zstd"}:
                reader = zstandard.ZstdDecompressor().stream_reader(file)
                lines = io.BufferedReader(reader, 1 << 20)
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, zstandard.ZstdError) as error:
        raise ConfigurationError(f"can't read the recording {path}: {error}") from error


def steps(path: Path) -> Iterator[tuple[Header, bytes] | Point | Literal["origin"]]:
    """What a recording did, in order: blocks with their JSON, and points to which it rolled backward.

    Raises InvalidChainData, naming the line, for one that isn't an answer to ``nextBlock``.
    """
    for number, line in read_lines(path):
        try:
            result = _decode_line(line).result
            match result:
                case _Forward(block=block):
                    yield _decode_header(block), bytes(block)
                case _Backward(point=point):
                    yield point
        except msgspec.DecodeError as error:
            raise InvalidChainData(f"line {number} of {path} is no answer to nextBlock: {error}") from error


def load(path: Path, chain: Chain) -> Chain:
    """Adds a whole recording to a chain, in the shape of the chain's Ogmios version."""
    for step in steps(path):
        play_step(chain, step)
    return chain


def play_step(chain: Chain, step: tuple[Header, bytes] | Point | Literal["origin"]) -> None:
    """One move of a recording. A roll backward to where the chain stands, as after an intersection, is none."""
    if not isinstance(step, tuple):
        if chain.find(step) is not None:
            chain.rollback(step)
        elif len(chain):
            raise InvalidChainData(f"the recording rolls backward to {step}, which it never held")
        return
    header, block = step
    block = reshape(block, chain.ogmios_version)
    tip = chain.tip
    if chain.forks and isinstance(tip, Tip) and header.ancestor != tip.id:
        # A fork on command led away from what was recorded: the block's transactions go on top of the new branch.
        chain.add(max(header.slot, tip.slot + 1), [carried.made for carried in transactions_of(block)])
    else:
        chain.append(header, block)


class Writer:
    """Writes a chain as it is made. The tip of each line is that line's own block."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._out: IO[bytes] = self._file
        if path.suffix in {".zst", ".zstd"}:
            self._out = zstandard.ZstdCompressor(level=3, threads=1).stream_writer(self._file)

    def __enter__(self) -> Self:
        return self

    def write(self, header: Header, block: bytes) -> None:
        tip = f'{{"slot":{header.slot},"id":"{header.id}","height":{header.height}}}'.encode()
        self._out.write(
            b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":'
            + block
            + b',"tip":'
            + tip
            + b'},"id":null}\n'
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()
        self._file.close()
