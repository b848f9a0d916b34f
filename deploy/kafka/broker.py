"""Apache Kafka on this machine for development and tests: one broker or three, in KRaft mode, on the loopback only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.kafka.jars import HERE, classpath, java
from indexer.errors import ConfigurationError, Retryable

START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 30.0
CLUSTER_ID: Final = "Y2VsbHdpdG5lc3MtZGV2MA"  # 16 bytes, base64: any will do, and one cluster keeps its own
STARTED: Final = b"Kafka Server started"


class BrokerFailed(Retryable):
    """A broker ended, or did not get ready. Its log says why."""


class Cluster:
    """Brokers that are controllers too, each with a folder: ``data``, ``server.properties``, ``broker.log``.

    ``properties`` are added to each broker's; in them ``{port}`` stands for its client port. ``advertised_ports`` are
    what clients and the other brokers are told to use, where something stands between. ``format_arguments`` go to the
    formatting of a new folder. What is in the folder is kept from one start to the next.
    """

    def __init__(  # noqa: PLR0913  (keywords: what may differ between clusters)
        self,
        folder: Path,
        ports: Sequence[int],
        controller_ports: Sequence[int],
        *,
        advertised_ports: Sequence[int] | None = None,
        properties: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = (),
        heap: str = "512m",
    ) -> None:
        self._folder = folder.absolute()
        self._ports, self._controller_ports = ports, controller_ports
        self._advertised_ports = advertised_ports or ports
        self._properties = dict(properties or {})
        self._format_arguments = format_arguments
        self._heap = heap
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._advertised_ports)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Starts all brokers and waits until they serve. Raises BrokerFailed and ConfigurationError."""
        try:
            before = {node: self.launch(node) for node in range(len(self._ports))}
            for node, length in before.items():
                self.await_ready(node, length)
        except BaseException:
            self.stop()
            raise

    def launch(self, node: int) -> int:
        """Starts one broker; the length of its log before, for ``await_ready``."""
        place = self._folder / f"broker-{node}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "server.properties").write_text(self._server_properties(node, place))
        java_path, jars = java(), classpath()
        log = place / "broker.log"
        arguments = [java_path, f"-Xmx{self._heap}", "-Xms64m", "-XX:+UseSerialGC", f"-Dcellwitness.log={log}"]
        arguments += [f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", jars]
        if not (place / "data" / "meta.properties").exists():
            self._format(place, arguments)
        length = log.stat().st_size if log.exists() else 0
        # In a session of its own: Ctrl-C on the terminal is for us, who stop the brokers in order.
        with (place / "broker.err").open("wb") as errors:
            self._processes[node] = subprocess.Popen(  # noqa: S603  # all of it is ours
                [*arguments, "kafka.Kafka", str(place / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        return length

    def await_ready(self, node: int, log_length: int = 0) -> None:
        """Waits until a broker serves. Raises BrokerFailed."""
        place = self._folder / f"broker-{node}"
        log, deadline = place / "broker.log", time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.require_running()
            if log.exists():
                with log.open("rb") as file:
                    file.seek(log_length if log.stat().st_size >= log_length else 0)  # shorter: it was rolled over
                    if STARTED in file.read():
                        return
            time.sleep(0.1)
        raise BrokerFailed(f"broker {node} was not ready within {START_SECONDS:.0f} s: see {log}")

    def require_running(self) -> None:
        """Raises BrokerFailed where a broker ended by itself."""
        for node, process in self._processes.items():
            if process.poll() is not None:
                place = self._folder / f"broker-{node}"
                said = (place / "broker.err").read_text(errors="replace").strip()[-500:]
                where = place / "broker.log"
                raise BrokerFailed(f"broker {node} ended with {process.returncode}: see {where}\n{said}".rstrip())

    def process(self, node: int) -> int:
        """The process id of a running broker."""
        return self._processes[node].pid

    def stop(self) -> None:
        """Stops all brokers in order, so that the next start recovers nothing."""
        for node in list(self._processes):
            self._processes[node].send_signal(signal.SIGTERM)
        for node in list(self._processes):
            self.stop_one(node)

    def stop_one(self, node: int, how: signal.Signals = signal.SIGTERM) -> None:
        """Stops one broker: SIGKILL is a power cut of the process, not of the machine."""
        process = self._processes.pop(node)
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self, place: Path, arguments: Sequence[str]) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID]
        file = ["--config", str(place / "server.properties"), "--ignore-formatted"]
        done = subprocess.run(  # noqa: S603  # as above
            [*arguments, *tool, *file, *self._format_arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BrokerFailed(f"the folder {place} can't be formatted: {(done.stderr or done.stdout).strip()[-1000:]}")

    def _server_properties(self, node: int, place: Path) -> str:
        count = len(self._ports)
        copies = min(3, count)
        voters = ",".join(f"{each}@127.0.0.1:{port}" for each, port in enumerate(self._controller_ports))
        address = f"127.0.0.1:{self._ports[node]}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{address},CONTROLLER://127.0.0.1:{self._controller_ports[node]}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._advertised_ports[node]}",
            "log.dirs": str(place / "data"),
            # A mistyped name must not become a topic.
            "auto.create.topics.enable": "false",
            "default.replication.factor": str(copies),
            "min.insync.replicas": str(max(1, copies - 1)),
            "offsets.topic.replication.factor": str(copies),
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str(max(1, copies - 1)),
            "share.coordinator.state.topic.replication.factor": str(copies),
            "share.coordinator.state.topic.min.isr": "1",
            # 50 partitions each are for many clients; a start has to create and load them all.
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.num.partitions": "3",
            "group.initial.rebalance.delay.ms": "0",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }
        properties |= {key: value.replace("{port}", str(self._ports[node])) for key, value in self._properties.items()}
        return "".join(f"{key}={value}\n" for key, value in properties.items())


def main(environment: Mapping[str, str] = os.environ) -> int:
    """`make kafka`: runs until Ctrl-C. BROKERS=3 for three; KAFKA_PORT and KAFKA_DATA for another place."""
    count, port = environment.get("BROKERS") or "1", environment.get("KAFKA_PORT") or "9092"
    if count not in ("1", "3"):
        raise ConfigurationError(f"BROKERS={count}: one broker or three")
    if not port.isdigit():
        raise ConfigurationError(f"KAFKA_PORT={port} is no port")
    folder = Path(environment.get("KAFKA_DATA") or ".cellwitness/kafka") / f"of-{count}"
    ports = [int(port) + node for node in range(int(count))]
    cluster = Cluster(folder, ports, [each + 100 for each in ports])
    stopping = False

    def stop(_: int, __: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    sys.stdout.write(f"Starting {count} broker(s); data and logs in {folder} …\n")
    with cluster:
        sys.stdout.write(f"Kafka serves kafka://{cluster.bootstrap}/NETWORK - Ctrl-C stops it, and keeps the data.\n")
        sys.stdout.flush()
        while not stopping:
            cluster.require_running()
            time.sleep(0.2)
        sys.stdout.write("Stopping …\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ConfigurationError, Retryable) as error:
        sys.stderr.write(f"kafka: {error}\n")
        sys.exit(error.exit_code)
