"""A small chain of batteries, with forks, written to a real log: what the projections' tests read."""

import random
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from indexer.chain import ORIGIN, Point, Tip
from indexer.events import (
    ChainEvent,
    CommitmentClosed,
    CommitmentMinted,
    CoseView,
    OutputRef,
    OutputView,
    OwnershipTokenMoved,
    PassportRegistered,
    PassportUpdated,
    Reading,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    ReportingDatum,
    TransactionQuarantined,
)
from indexer.log.port import Log, StoredSpine
from indexer.log.records import BlockEntry, Record
from indexer.log.sqlite import SqliteLog
from indexer.log.steps import PlacedEvent, forward_step, opened_step, place, rollback_step
from indexer.protocol.profile import Profile, profile_digest

MAGIC = 42
DEPLOYMENT = "test"
POLICY = "ab" * 28
PROFILE = Profile(
    name=DEPLOYMENT,
    network="testnet",
    network_magic=MAGIC,
    commitment_policy="c0" * 28,
    commitment_script="c1" * 28,
    reporting_script="c2" * 28,
    passport_policy=POLICY,
)
HOSTILE_IDS = (b"nul\x00in\x1b[31m[bold]id", b"\xff\xfe\xed", "\u202eevil\u2066".encode(), b"\x00")


def battery_id(number: int) -> bytes:
    return f"urn:test:battery:{number:04}".encode()


def key_of(raw: bytes) -> str:
    return blake2b(raw, digest_size=28).hexdigest()


def hash32(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


class Block(Struct, frozen=True):
    entry: BlockEntry
    parent: str
    events: tuple[PlacedEvent, ...]
    time: str = ""


class Life:
    """Makes events that follow from what is live on the chain so far."""

    profile = PROFILE

    def __init__(self, seed: int, batteries: int, *, hostile: bool = False) -> None:
        self.random = random.Random(seed)
        self.ids = [battery_id(number) for number in range(batteries)]
        if hostile:
            self.ids += HOSTILE_IDS

    def events(self, chain: list[Block], height: int, salt: int, transactions: int) -> list[ChainEvent]:
        made: list[ChainEvent] = []
        for number in range(transactions):
            raw = self.random.choice(self.ids)
            before = [each.event for block in chain for each in block.events] + made
            mine = [event for event in before if event.battery_key == key_of(raw)]
            common = {
                "deployment": DEPLOYMENT,
                "battery_key": key_of(raw),
                "transaction": hash32("tx", height, salt, number),
                "transaction_index": number,
                "index": 0,
            }
            made += self.transaction(raw, mine, common)
        return made

    def transaction(self, raw: bytes, mine: list[ChainEvent], common: dict[str, Any]) -> list[ChainEvent]:
        choose = self.random
        if not mine or choose.random() < 0.05:
            return self.registration(raw, common, update=bool(mine))
        kind = choose.choices(
            ("commit", "submit", "reject", "unproven", "close", "account", "quarantine", "owner"),
            (30, 40, 6, 4, 6, 4, 3, 4),
        )[0]
        commitments = [event for event in mine if isinstance(event, CommitmentMinted)]
        match kind:
            case "submit" | "reject" | "unproven":
                return [self.reading(raw, mine, commitments, common, kind)]
            case "close" if commitments:
                target = choose.choice(commitments)
                how: Literal["reclaimed", "burned", "moved"] = choose.choice(("reclaimed", "burned", "moved"))
                return [
                    CommitmentClosed(
                        **common,
                        token_name=target.token_name,
                        quantity=1,
                        how=how,
                        candidates=(OutputRef(target.transaction, 0),),
                    )
                ]
            case "account":
                closing = ReportingAccountClosed(**common, quantity=1)
                if choose.random() < 0.3:
                    return [closing]
                return [closing, account(raw, {**common, "index": 1}, last_counter=choose.randint(-1, 5))]
            case "quarantine":
                return [
                    TransactionQuarantined(
                        **common, reason="test", detail="a\x00b", raw_blake2b_256=hash32("raw"), raw_length_bytes=3
                    )
                ]
            case "owner":
                return [owner(common, choose.choice(("aa", "bb")) * 28)]
            case _:
                return [commitment(raw, common)]

    def registration(self, raw: bytes, common: dict[str, Any], *, update: bool) -> list[ChainEvent]:
        kind = PassportUpdated if update else PassportRegistered
        return [
            kind(
                **common,
                output=output(0),
                battery_id=raw.hex(),
                bms_public_key="02" + "11" * 32,
                bms_key_alg=-47,
                metadata_version=1,
                metadata={"model": "M\x00[bold]", "n": 2**70, "k\x00": "\x1b]0;x\x07"},
            ),
            owner({**common, "index": 1}, "aa" * 28),
            account(raw, {**common, "index": 2}, last_counter=-1),
        ]

    def reading(
        self,
        raw: bytes,
        mine: list[ChainEvent],
        commitments: list[CommitmentMinted],
        common: dict[str, Any],
        kind: str,
    ) -> ChainEvent:
        choose = self.random
        target = choose.choice(commitments[-3:]) if commitments else None
        last = sum(isinstance(event, ReadingSubmitted) for event in mine)
        counter = max(0, last + choose.choice((1, 1, 1, 1, 2, 5, 0, -1)))
        reading = Reading(
            battery_id=raw.hex(),
            challenge=target.transaction if target and choose.random() < 0.9 else hash32("other"),
            counter=2**70 if choose.random() < 0.02 else counter,
            schema_version=2,
            soh_bp=10_000 - counter,
            cycle_count=counter * 3,
            voltage_mv=400_000,
            temp_min_c=-5,
            temp_max_c=31,
        )
        made: type[ReadingRejected | ReadingSubmitted] = ReadingRejected if kind == "reject" else ReadingSubmitted
        spent = (OutputRef(target.transaction, 0),) if target else ()
        return made(
            **common,
            cose="d2",
            redeemer="d8",
            decoded=CoseView(reading=reading, algorithm=-47, departures=("untagged",) if counter % 7 == 0 else ()),
            account_input=OutputRef(hash32("account"), 0),
            account_output=output(0),
            account_datum=datum(raw, counter),
            account_unproven=kind == "unproven",
            inputs=spent,
            consumed=spent,
            burned_commitments={target.token_name: 1} if target else {},
        )


def output(index: int, payment: str = "cc" * 28) -> OutputView:
    return OutputView(index=index, address="addr_test1[x]", payment=payment, payment_kind="key", lovelace=5_000_000)


def datum(raw: bytes, counter: int) -> ReportingDatum:
    return ReportingDatum(
        battery_id=raw.hex(),
        bms_public_key="02" + "11" * 32,
        last_counter=counter,
        reward_per_read=1_000_000,
        max_age_slots=3600,
        last_soh_bp=12_000,
        last_cycle_count=0,
    )


def account(raw: bytes, common: dict[str, Any], last_counter: int) -> ReportingAccountUpdated:
    return ReportingAccountUpdated(**common, output=output(0), datum=datum(raw, last_counter))


def owner(common: dict[str, Any], payment: str) -> OwnershipTokenMoved:
    return OwnershipTokenMoved(**common, output=output(1, payment), quantity=1)


def commitment(raw: bytes, common: dict[str, Any]) -> CommitmentMinted:
    return CommitmentMinted(
        **common,
        output=output(0),
        token_name=hash32("token", common["transaction"]),
        quantity=1,
        battery_id=raw.hex(),
        user_pkh="dd" * 28,
        claimed_slot=2**64,
    )


class TestChain:
    """Writes steps to a log as a follower would: forward by blocks, back by blocks."""

    __test__ = False

    def __init__(self, path: Path, life: Life, *, partitions: int = 3, k: int = 50, magic: int = MAGIC) -> None:
        self.url = f"sqlite:{path}"
        self.log: Log = SqliteLog(path)
        self.life = life
        self.k = k
        self.magic = magic
        self.blocks: list[Block] = []
        self.live: list[tuple[int, Record]] = []
        self.retracted: dict[tuple[str, str], int] = {}
        self._salt = 0
        self._writer = self.log.writer()
        self.end: StoredSpine = self._writer.append(
            opened_step(
                network="testnet",
                network_magic=magic,
                security_parameter=k,
                deployments={life.profile.name: profile_digest(life.profile)},
                since=ORIGIN,
                partitions=partitions,
            )
        )

    def close(self) -> None:
        self._writer.close()
        self.log.close()

    def make(self, count: int = 1, transactions: int = 3) -> list[Block]:
        """Blocks that nobody has seen yet."""
        made: list[Block] = []
        for _ in range(count):
            chain = self.blocks + made
            height = chain[-1].entry.height + 1 if chain else 1
            self._salt += 1
            slot = height * 20 + self.life.random.randint(0, 5)
            entry = BlockEntry(height, slot, hash32("block", height, self._salt))
            time = datetime.fromtimestamp(1_600_000_000 + slot, UTC).isoformat().replace("+00:00", "Z")
            events = place(self.life.events(chain, height, self._salt, transactions), entry, time, self.magic)
            made.append(Block(entry, chain[-1].entry.id if chain else "genesis", tuple(events), time))
        return made

    def forward(self, blocks: list[Block]) -> None:
        """One step for all of these blocks."""
        last = blocks[-1].entry
        step = forward_step(
            self.end,
            blocks=[block.entry for block in blocks],
            parent=blocks[0].parent,
            boundaries={},
            tip=Tip(last.slot, last.id, last.height),
            security_parameter=self.k,
            events=[event for block in blocks for event in block.events],
            retracted=self.retracted,
        )
        self.end = self._writer.append(step)
        self.blocks += blocks
        self.live += [
            (partition, record)
            for partition, records in enumerate(step.records)
            for record in records
            if record.kind == "event"
        ]

    def back(self, depth: int) -> list[Block]:
        """Rolls back by so many blocks and returns them, oldest first."""
        gone = self.blocks[len(self.blocks) - depth :]
        left = self.blocks[-1].entry
        del self.blocks[len(self.blocks) - depth :]
        to = self.blocks[-1].entry if self.blocks else None
        height = to.height if to else -1
        undone = [(partition, record) for partition, record in self.live if record.height > height]
        self.live = [(partition, record) for partition, record in self.live if record.height <= height]
        for _, record in undone:
            place_ = (record.fact, record.block)
            self.retracted[place_] = self.retracted.get(place_, 0) + 1
        self.end = self._writer.append(
            rollback_step(
                self.end,
                to=Point(to.slot, to.id) if to else ORIGIN,
                to_height=height,
                left=left,
                depth_blocks=depth,
                tip=Tip(left.slot, left.id, left.height),
                live=undone,
            )
        )
        return gone

    def reinclude(self, gone: list[Block]) -> list[Block]:
        """The same transactions in another block, a slot later, on top of the chain as it is now."""
        height = self.blocks[-1].entry.height + 1 if self.blocks else 1
        self._salt += 1
        entry = BlockEntry(height, height * 20 + 7, hash32("again", height, self._salt))
        events = [replace(each, block=entry) for each in gone[0].events]
        return [Block(entry, self.blocks[-1].entry.id if self.blocks else "genesis", tuple(events))]


def walk(chain: TestChain, moves: int, *, transactions: int = 3) -> None:
    """A random walk over forks: on by some blocks, back by some, the same blocks or transactions again."""
    choose = chain.life.random
    for _ in range(moves):
        move = choose.random()
        if move < 0.65 or len(chain.blocks) < 3:
            chain.forward(chain.make(choose.choice((1, 1, 1, 4)), transactions))
            continue
        gone = chain.back(choose.randint(1, min(len(chain.blocks), 6)))
        again = choose.random()
        if again < 0.3:
            chain.forward(gone)  # A, B, A: the same blocks
        elif again < 0.6:
            chain.forward(chain.reinclude(gone))
