"""A real Apache Kafka of one node for one machine: no container, no account, its data kept between runs."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.errors import BrokerError
from infra.jars import kafka_jars
from infra.java import find_java
from infra.ports import HOST, answers, remembered_ports
from infra.server import LocalServer

MINIMUM_SPACE = 500_000_000  # bytes; a broker whose disk fills up stops and may lose its last records

_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.file.ref = FILE
appender.file.type = RollingFile
appender.file.name = FILE
appender.file.fileName = server.log
appender.file.filePattern = server.log.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c{1})%n%throwable{full}
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
"""

_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": "logs",
    # One node: every internal topic has one replica.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # With the default of 9 s a killed broker waits 14 s to come back, until its former self has expired.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    # A crashed worker's partitions move within 6 s, not 45 s (KIP-848); tests may ask for less in classic groups.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    # Topics are a contract; each says itself how long it is kept. A machine may rest for a year and find its offsets.
    "auto.create.topics.enable": "false",
    "log.retention.ms": "-1",
    "offsets.retention.minutes": str(365 * 24 * 60),
    # Small: the defaults are for a machine with nothing else on it.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
}


class LocalKafka(LocalServer):
    """An Apache Kafka broker that runs as a child of this process.

    Parameters
    ----------
    directory : str or Path
        Holds the records, the configuration and the ports, which a later start finds again.
    heap : str
        Java's largest heap.
    properties : mapping of str to str, optional
        Broker properties that take precedence over ours.
    client : mapping of str to str, optional
        Properties of a client that the broker answers, where it asks for more than its address.
    """

    NAME = "Kafka"
    ERROR = BrokerError
    LOGS = ("server.log", "output.log")

    def __init__(
        self,
        directory: str | Path,
        *,
        heap: str = "512m",
        properties: Mapping[str, str] | None = None,
        client: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory)
        self._client = dict(client or {})
        self._heap = heap
        self._properties = dict(properties or {})

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients, once started."""
        return self._address

    def _launch(self) -> str:
        _require_space(self.directory)
        java, jars = find_java(), kafka_jars()
        port, controller_port = remembered_ports(self.directory, 2)
        self._configure(port, controller_port)
        command = [str(java), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # quick to start, small
        command += ["-Dlog4j2.configurationFile=log4j2.properties", "-cp", os.pathsep.join(map(str, jars))]
        if not (self.directory / "logs" / "meta.properties").exists():
            self._format([*command, "-Xmx256m"])
        self._process.spawn([*command, f"-Xmx{self._heap}", "-Xms128m", "kafka.Kafka", "server.properties"])
        return f"{HOST}:{port}"

    def _answers(self) -> bool:
        # The port first, so that the client does not wait for its next attempt.
        if not answers(int(self._address.rpartition(":")[2])):
            return False
        try:
            client = AdminClient({**self._client, "bootstrap.servers": self._address, "log_level": 0})
            return bool(client.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def _configure(self, port: int, controller_port: int) -> None:
        clients, controller = f"PLAINTEXT://{HOST}:{port}", f"CONTROLLER://{HOST}:{controller_port}"
        properties = {
            **_PROPERTIES,
            "listeners": f"{clients},{controller}",
            "advertised.listeners": clients,
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            **self._properties,
        }
        lines = "".join(f"{key}={value}\n" for key, value in properties.items())
        (self.directory / "server.properties").write_text(lines, "utf-8")
        (self.directory / "log4j2.properties").write_text(_LOGGING, "utf-8")

    def _format(self, java: list[str]) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        arguments = ["format", "--ignore-formatted", f"--cluster-id={cluster}", "--config=server.properties"]
        with (self.directory / "output.log").open("wb") as output:
            outcome = subprocess.run(
                [*java, "kafka.tools.StorageTool", *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        if outcome.returncode:
            raise self._failure("could not format its directory")


def _require_space(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < MINIMUM_SPACE:
        raise BrokerError(
            f"{free / 1e6:.0f} MB are free on the disk of {directory}, and the embedded Kafka needs "
            f"{MINIMUM_SPACE / 1e6:.0f} MB: make room, or name a data directory on another disk"
        )
