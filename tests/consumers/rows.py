"""Rows written by hand, for what the devnet has not: old cars, fleets of one model, waste, and names that attack."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from indexer.events import OutputView, PassportRegistered, PassportUpdated, encode_event
from projections.database import Connection, load_queries
from projections.migrate import migrate
from projections.packing import storable_json, storable_text
from projections.roles import make_roles
from tests.projections.chain import hash32, key_of

DEPLOYMENT = "test"
START = datetime(2024, 1, 1, tzinfo=UTC)


class Tables:
    """Tables at step 1, whose rows a test writes itself. One slot is one block."""

    def __init__(self, connection: Connection, *, end_slot: int = 400_000_000) -> None:
        self.connection = connection
        self._count = 0
        migrate(connection)
        make_roles(connection)
        judged_by = {"rule_set": 1, "profiles": {}, "thresholds": "00"}
        self._insert(
            "log_identity",
            digest="d",
            network="testnet",
            network_magic=42,
            deployments=Jsonb({DEPLOYMENT: "p"}),
            partitions=1,
            fold_version=1,
            judged_by=Jsonb(judged_by),
        )
        place = {"slot": end_slot, "height": end_slot, "block": b"b" * 32, "final_height": 0, "tip_height": end_slot}
        self._insert("steps", step=1, kind="forward", **place)
        self._insert("checkpoints", projection="timeline", partition=0, last_step=1, last_seq=1, **place)

    def _insert(self, table: str, **values: Any) -> None:
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(f"%({name})s" for name in values)
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})".encode(), values)

    def battery(self, name: str, slot: int = 0, **metadata: Any) -> bytes:
        """A battery with a passport. Returns its key."""
        raw = name.encode(errors="surrogateescape")
        key = bytes.fromhex(key_of(raw))
        said = storable_json(metadata)
        text = storable_text(name)
        self._insert(
            "batteries",
            deployment=DEPLOYMENT,
            battery_key=key,
            battery_id=raw,
            battery_id_text=text,
            bms_public_key=b"\x02" * 33,
            metadata=Jsonb(said),
            registered_slot=slot,
            readings_submitted=0,
            readings_rejected=0,
            readings_unproven=0,
            commitments_minted=0,
            commitments_open=0,
            quarantined=0,
            slot=slot,
            height=slot,
            block=b"b" * 32,
            known_from_step=1,
        )
        self.passport(name, slot, **metadata)
        return key

    def passport(self, name: str, slot: int, *, updated: bool = False, **metadata: Any) -> None:
        """The event of a passport alone."""
        raw = name.encode(errors="surrogateescape")
        self._count += 1
        transaction = hash32("passport", self._count)
        kind = PassportUpdated if updated else PassportRegistered
        event = kind(
            deployment=DEPLOYMENT,
            battery_key=key_of(raw),
            transaction=transaction,
            transaction_index=0,
            index=0,
            output=OutputView(index=0, address="a", lovelace=1),
            battery_id=raw.hex(),
            bms_public_key="02" * 33,
            metadata=metadata,
        )
        self._insert(
            "events",
            **self._place(raw, slot, transaction),
            incarnation=1,
            type="passport_updated" if updated else "passport_registered",
            body=encode_event(event),
        )

    def reading(self, name: str, slot: int, soh_bp: int, cycles: int, *, accepted: bool = True, **more: Any) -> bytes:
        """A reading with its verdicts. Returns its fact."""
        raw = name.encode(errors="surrogateescape")
        self._count += 1
        place = self._place(raw, slot, hash32("reading", self._count))
        values = {"soh_bp": soh_bp, "cycle_count": cycles, "public_key": b"\x02" * 33} | more
        self._insert(
            "readings",
            **place,
            rejected=False,
            account_unproven=False,
            form="commitment-v2",
            departures=[],
            **values,
        )
        verdict = "passed" if accepted else "failed"
        names = ("ledger", "crypto", "binding", "plausibility")
        del place["transaction"], place["transaction_index"], place["event_index"]
        self._insert(
            "verdicts",
            **place,
            rule_set=1,
            **dict.fromkeys(names, verdict),
            **{f"{each}_reasons": [] for each in names},
            signed=accepted,
            quarantined=False,
            rules_not_assessable=[],
            checks=Jsonb({}),
        )
        fact: bytes = place["fact"]
        return fact

    def finding(self, name: str, fact: bytes, slot: int, rule: str, **values: Any) -> None:
        raw = name.encode(errors="surrogateescape")
        place = self._place(raw, slot, hash32("finding"))
        del place["transaction_index"], place["event_index"]
        self._insert(
            "findings",
            **place | {"fact": fact},
            rule=rule,
            number=0,
            rule_version=1,
            rule_set=1,
            severity="warning",
            values=Jsonb(storable_json(values)),
            thresholds=Jsonb({}),
        )

    def commitment(self, raw: bytes, slot: int) -> None:
        """For a battery that may have no passport."""
        self._count += 1
        key = bytes.fromhex(key_of(raw))
        place = self._place(raw, slot, hash32("commitment", self._count))
        del place["transaction_index"], place["event_index"], place["event_id"]
        self._insert(
            "batteries",
            deployment=DEPLOYMENT,
            battery_key=key,
            battery_id=raw,
            readings_submitted=0,
            readings_rejected=0,
            readings_unproven=0,
            commitments_minted=1,
            commitments_open=1,
            quarantined=0,
            slot=slot,
            height=slot,
            block=b"b" * 32,
            known_from_step=1,
        )
        self._insert(
            "commitments",
            **place,
            output_index=0,
            token_name=b"t",
            user_pkh=b"u" * 28,
            status="open",
            max_age_slots=3_600,
        )

    def _place(self, raw: bytes, slot: int, transaction: str) -> dict[str, Any]:
        self._count += 1
        return {
            "deployment": DEPLOYMENT,
            "battery_key": bytes.fromhex(key_of(raw)),
            "fact": bytes.fromhex(hash32("fact", self._count)),
            "event_id": bytes.fromhex(hash32("event", self._count)),
            "transaction": bytes.fromhex(transaction),
            "transaction_index": 0,
            "event_index": self._count,
            "slot": slot,
            "height": slot,
            "block": b"b" * 32,
            "time": START + timedelta(seconds=slot),
            "known_from_step": 1,
        }


def many(connection: Connection, batteries: int, readings: int) -> None:
    """A fleet of so many batteries and readings of each, as a server would hold it, beside what the tables hold."""
    view = (
        "CREATE TEMP VIEW many AS SELECT b, r, b + r * 86400 AS slot,"
        " timestamptz '2024-01-01Z' + (b + r * 86400) * interval '1 second' AS time,"
        " substring(sha256(('battery ' || b)::bytea) FOR 28) AS key, sha256(('reading ' || b || ' ' || r)::bytea)"
        f" AS fact FROM generate_series(1, {batteries:d}) AS b, generate_series(1, {readings:d}) AS r"
    )
    connection.execute(view.encode())
    for statement in _MANY.values():
        connection.execute(statement, {"batteries": batteries, "readings": readings})
    connection.execute("ANALYZE")


_MANY = load_queries("tests.consumers", "many.sql")
