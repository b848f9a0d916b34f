"""The one who may append to a log on Kafka: a transactional producer with the log's fixed transactional id."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from indexer.errors import CellwitnessError
from indexer.log.kafka_client import client
from indexer.log.kafka_errors import FENCED, connecting, meaning, translated
from indexer.log.kafka_records import record_headers, spine_headers
from indexer.log.port import Fenced, LogMismatch, LogUnavailable, Step, StoredSpine, require_next
from indexer.log.records import Opened, Record, encode_spine, step_digest

if TYPE_CHECKING:
    from indexer.log.kafka import KafkaLog

COMMIT_SECONDS: Final = 30.0
DELIVERY_SECONDS: Final = 25.0  # of a record; the commit waits a little longer, to hear why it was not delivered
VISIBLE_SECONDS: Final = 10.0
HANGING_SECONDS: Final = 2.0
TRANSACTION_MS: Final = 60_000  # after which brokers abort what a dead follower left open, if no other did before
MAX_REQUEST_BYTES: Final = 8 << 20
BATCH_BYTES: Final = 256 << 10


class KafkaWriter:
    """The newest producer of the log's transactional id; the brokers refuse all before it."""

    def __init__(self, log: "KafkaLog") -> None:
        self._log, self._what = log, log.url
        self._dead: CellwitnessError | None = None
        topics = log.topics()
        with connecting(self._what):
            self._producer: Any = client(
                KafkaProducer,
                bootstrap_servers=list(log.place.servers),
                transactional_id=f"{topics.name}.follower",
                acks="all",
                enable_idempotence=True,
                # A commit is followed by the next begin within milliseconds, and the brokers are not yet done then:
                # with the default of 100 ms a step takes 121 ms, with 5 it takes 4.
                retry_backoff_ms=5,
                transaction_timeout_ms=TRANSACTION_MS,
                delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
                max_block_ms=int(COMMIT_SECONDS * 1000),
                max_request_size=MAX_REQUEST_BYTES,
                batch_size=BATCH_BYTES,
                # The commit sends what is left at once; without lingering each partition's first record would wake the
                # sender, and a step would go out in many small requests.
                linger_ms=100,
                allow_auto_create_topics=False,
                metrics_enabled=False,
                **log.settings.options(),
            )
        try:
            with translated(self._what):
                # The fence: from here on no other writer's transaction can commit, and the last one is decided.
                self._producer.init_transactions()
            # And only then the end. The other way round, a step could slip in between the two.
            self._end, self._opened = self._read_end()
        except BaseException:
            self.close()
            raise

    @property
    def end(self) -> StoredSpine | None:
        return self._end

    def append(self, step: Step) -> StoredSpine:
        require_next(self._end, step)
        if self._dead is not None:
            raise self._dead
        if self._opened is None:
            self._begin(step)
        assert self._opened is not None
        spine = encode_spine(step.spine)
        stored = StoredSpine(step.spine, step_digest(spine))
        self._dead = LogUnavailable(f"{self._what}: this writer failed before; make a new one and read its end")
        try:
            offset = self._commit(step, spine, stored.digest, self._opened.network_magic)
        except KafkaError as error:
            # Whatever it was: nobody but the log itself can say now whether the step is in it.
            found = meaning(self._cause(error), self._what)
            if isinstance(found, Fenced):
                self._dead = found
            raise found from error
        self._log.await_visible(offset, VISIBLE_SECONDS)
        self._dead = None
        self._end = stored
        return stored

    def mend(self, partition: int, records: Sequence[Record]) -> None:
        """Writes records of a torn step again at a partition's end: ``repair.mend_tail``."""
        if self._dead is not None:
            raise self._dead
        assert self._opened is not None
        self._dead = LogUnavailable(f"{self._what}: this writer failed before; make a new one and read its end")
        topic, magic = self._log.topics().events, self._opened.network_magic
        try:
            self._producer.begin_transaction()
            sent = [self._send(topic, partition, record, magic) for record in records]
            self._end_transaction(sent)
        except KafkaError as error:
            raise meaning(self._cause(error), self._what) from error
        self._log.await_visible(sent[-1].value.offset, VISIBLE_SECONDS, partition)
        self._dead = None

    def close(self) -> None:
        # A broken producer would wait for what it can't deliver. What it left open is aborted by the next one's fence.
        if self._dead is not None:
            self._producer._sender.force_close()  # noqa: SLF001  # or its flush would raise before the thread is told
            self._producer._sender.wakeup()  # noqa: SLF001
        with suppress(KafkaError):
            self._producer.close(timeout=2)

    def _read_end(self) -> tuple[StoredSpine | None, Opened | None]:
        end = self._log.end()
        opened = self._log.opened() if end is not None else None
        topics = self._log.topics()
        with translated(self._what):
            topics.check(len(opened.partitions) if opened else None)
            if opened is not None:
                self._require_nothing_hangs()
        return end, opened

    def _require_nothing_hangs(self) -> None:
        deadline = time.monotonic() + HANGING_SECONDS
        while hanging := self._log.topics().hanging(self._log.ends()):
            if time.monotonic() > deadline:
                names = ", ".join(f"{place.topic}-{place.partition}" for place in hanging)
                raise LogUnavailable(
                    f"{self._what}: a transaction hangs in {names}, and hides every later step from all readers. See "
                    "`kafka-transactions.sh find-hanging` and `abort`"
                )
            time.sleep(0.05)

    def _begin(self, step: Step) -> None:
        """Makes the topics that step 0 is the first to name the partitions of."""
        assert isinstance(step.spine, Opened)
        network, topics = step.spine.network, self._log.topics()
        if not topics.name.endswith(f".{network}"):
            raise LogMismatch(
                f"{self._what} is for another network than {network!r}, which the node follows: end the address with "
                f"/{network}, or /NAME.{network} for a second log of it"
            )
        with translated(self._what):
            topics.create(len(step.blobs))
        self._opened = step.spine

    def _commit(self, step: Step, spine: bytes, digest: str, magic: int) -> int:
        """Writes the step in one transaction; the offset of its spine record. Raises KafkaError."""
        producer, topics = self._producer, self._log.topics()
        producer.begin_transaction()
        sent = [
            self._send(topics.events, partition, record, magic)
            for partition, records in enumerate(step.records)
            for record in records
        ]
        last = producer.send(topics.chain, value=spine, headers=spine_headers(step.spine, digest, magic), partition=0)
        self._end_transaction([*sent, last])
        return int(last.value.offset)

    def _send(self, topic: str, partition: int, record: Record, magic: int) -> Any:
        headers = record_headers(record, magic)
        key = record.key.encode() or None
        return self._producer.send(topic, key=key, value=bytes(record.body), headers=headers, partition=partition)

    def _end_transaction(self, sent: Sequence[Any]) -> None:
        """Commits, and is sure of it: raises KafkaError otherwise."""
        producer = self._producer
        # As ``commit_transaction()``, which waits without end: brokers that are gone must not hold us for ever.
        result = producer._transaction_manager.begin_commit()  # noqa: SLF001  # kafka-python is pinned for this
        producer._sender.wakeup()  # noqa: SLF001
        if not result.wait(timeout_ms=COMMIT_SECONDS * 1000):
            raise KafkaError(f"no answer to the commit within {COMMIT_SECONDS:.0f} s")
        # A producer that got itself a new epoch under way (KIP-360) says that the commit went well, of nothing.
        for future in sent:
            if not future.succeeded():
                raise future.exception or KafkaError("a record of the step was not acknowledged")

    def _cause(self, error: KafkaError) -> BaseException:
        """What went wrong first: later calls on a broken producer only say that it is."""
        first: BaseException | None = self._producer._transaction_manager.last_error  # noqa: SLF001
        return error if first is None or not isinstance(first, FENCED) else first
