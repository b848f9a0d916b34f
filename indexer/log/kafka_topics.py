"""The log's topics: their names, how they are made, and what is checked of them before anything is written."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from indexer.errors import ConfigurationError
from indexer.log.kafka_client import client
from indexer.log.kafka_errors import connecting
from indexer.log.kafka_settings import KafkaPlace, KafkaSettings
from indexer.log.port import LogMismatch, LogUnavailable

FOR_EVER: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
SAFE: Final = {"unclean.leader.election.enable": "false"}
LEASE: Final = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"}
MAX_MESSAGE_BYTES: Final = 8 << 20
READY_MS: Final = 30_000


class Topics:
    """The topics of one log. ``name`` is what stands before ``.chain.v1``."""

    def __init__(self, place: KafkaPlace, name: str, settings: KafkaSettings) -> None:
        self._place, self._settings = place, settings
        self.name = name
        self.chain = f"{name}.chain.v1"
        self.events = f"{name}.events.v1"
        self.lease = f"{name}.lease.v1"

    def create(self, partitions: int) -> None:
        """Makes the spine's and the events' topic where they are missing, and checks them. Raises LogMismatch."""
        with self.admin() as admin:
            self._make(admin, self.chain, 1, FOR_EVER | SAFE)
            self._make(admin, self.events, partitions, FOR_EVER | SAFE)
        self.check(partitions)

    def create_lease(self) -> None:
        """The lease's topic: an hour of heartbeats, each with the time at which the broker took it."""
        with self.admin() as admin:
            self._make(admin, self.lease, 1, LEASE)

    def check(self, partitions: int | None) -> None:
        """Refuses topics that could lose something: raises LogMismatch that names topic and setting.

        ``partitions`` is what the log was opened with, None where it has no step yet. Topics that are not there pass.
        """
        with self.admin() as admin:
            for topic, count in ((self.chain, 1), (self.events, partitions)):
                try:
                    (described,) = admin.describe_topics([topic])
                except UnknownTopicOrPartitionError:
                    continue
                if described["error_code"]:
                    continue
                resource = ConfigResource(ConfigResourceType.TOPIC, topic)
                configs = admin.describe_configs([resource], config_filter="all")["topic"][topic]
                values = {key: str(config["value"]) for key, config in configs.items()}
                self._judge(topic, described["partitions"], count, values)

    def hanging(self, ends: Mapping[TopicPartition, int]) -> list[TopicPartition]:
        """The partitions in which something lies beyond what readers may see (``ends``).

        Asked by a writer that has just fenced all others, so no transaction may be open: one that is hangs, and would
        hide every later step.
        """
        with self.admin() as admin:
            true_ends = admin.list_partition_offsets(dict.fromkeys(ends, OffsetSpec.LATEST))
        if unknown := ends.keys() - true_ends.keys():
            raise LogUnavailable(f"{self._place.url}: {min(unknown)} has no leader just now")
        return sorted(place for place, end in ends.items() if true_ends[place].offset > end)

    def admin(self) -> "closing[Any]":
        """An administrator's connection, to be used in a ``with`` inside of ``translated``."""
        with connecting(self._place.url):
            options = self._settings.options()
            return closing(client(KafkaAdminClient, bootstrap_servers=list(self._place.servers), **options))

    def _make(self, admin: Any, topic: str, partitions: int, configs: Mapping[str, str]) -> None:
        wanted = dict(configs) | {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        if self._settings.min_insync_replicas:
            wanted["min.insync.replicas"] = str(self._settings.min_insync_replicas)
        new = {
            topic: {
                "num_partitions": partitions,
                "replication_factor": self._settings.replication_factor or -1,
                "configs": wanted,
            }
        }
        try:
            admin.create_topics(new)
        except TopicAlreadyExistsError:
            return
        admin.wait_for_topics([topic], timeout_ms=READY_MS)

    def _judge(
        self, topic: str, partitions: list[dict[str, Any]], count: int | None, values: Mapping[str, str]
    ) -> None:
        def refuse(setting: str, found: object, wanted: object) -> LogMismatch:
            return LogMismatch(
                f"{self._place.url}: topic {topic} has {setting}={found}, and a log needs {wanted}. Nothing was written"
            )

        for setting, wanted in (FOR_EVER | SAFE).items():
            if values.get(setting) != wanted:
                raise refuse(setting, values.get(setting), wanted)
        if count is not None and len(partitions) != count:
            raise refuse("partitions", len(partitions), f"{count}, for its life")
        copies = min(len(each["replica_nodes"]) for each in partitions)
        in_sync = int(values["min.insync.replicas"])
        if self._settings.replication_factor and copies != self._settings.replication_factor:
            raise refuse("replication.factor", copies, f"{self._settings.replication_factor}, as configured")
        if self._settings.min_insync_replicas and in_sync != self._settings.min_insync_replicas:
            raise refuse("min.insync.replicas", in_sync, f"{self._settings.min_insync_replicas}, as configured")
        if copies > 1 and in_sync < 2:
            # One copy would acknowledge alone, and a step that was acknowledged could die with its disk.
            raise refuse("min.insync.replicas", in_sync, "2 or more where there are copies")
        if in_sync > copies:
            raise refuse("min.insync.replicas", in_sync, f"at most {copies}, the copies that there are")


def find_name(place: KafkaPlace, topics: set[str]) -> str:
    """The only log among the brokers' topics, or "" for none. Raises ConfigurationError where there are several."""
    names = sorted(topic.removesuffix(".chain.v1") for topic in topics if topic.endswith(".chain.v1"))
    if len(names) > 1:
        raise ConfigurationError(
            f"{place.url} has {len(names)} logs: say which, as in "
            + " or ".join(KafkaPlace(place.servers, name).url for name in names[:3])
        )
    return names[0] if names else ""
