"""A broker and a store that ask for TLS and for a password, as an operator's own would."""

from __future__ import annotations

import asyncio
import queue
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from infra.kafka import LocalKafka
from infra.ports import HOST
from infra.redis import LocalRedis, connect, find_redis
from infra.settings import Kafka
from tests.cluster import clustered

USER = "headrace"
PASSWORD = "s3cret/with:all@of?it"
WORKER_RIGHTS = "~headrace:* ~test-* +@all -@dangerous +info"
READER_RIGHTS = "~headrace:* ~test-* +@read +@connection -@dangerous"


# What a client of a Cluster asks beside: who serves which slots.
IN_CLUSTER = " +cluster|slots"


class Certificates(NamedTuple):
    """PEM files of one server."""

    ca: Path
    cert: Path
    key: Path


def issued(directory: Path) -> Certificates:
    """Make a CA of our own and a certificate for this machine."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued_by = authority.issue_cert(HOST, "localhost")
    files = Certificates(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")
    authority.cert_pem.write_to_path(files.ca)
    files.cert.write_bytes(b"".join(blob.bytes() for blob in issued_by.cert_chain_pems))
    key = load_pem_private_key(issued_by.private_key_pem.bytes(), None)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # Kafka's only form
    return files


@contextmanager
def secure_broker(directory: Path) -> Iterator[Kafka]:
    """Run a broker whose only listener for clients is SASL_SSL; give what settings say of it."""
    certificates = issued(directory / "tls")
    keystore = directory / "tls" / "keystore.pem"
    keystore.write_bytes(certificates.key.read_bytes() + certificates.cert.read_bytes())
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    properties = {
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL",  # the name is the listener's only
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": (
            f'{login} username="{USER}" password="{PASSWORD}" user_{USER}="{PASSWORD}";'
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.ca),
    }
    client = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": PASSWORD,
        "ssl.ca.location": str(certificates.ca),
    }
    with LocalKafka(directory / "kafka", properties=properties, client=client) as broker:
        yield Kafka(bootstrap=broker.bootstrap, client=client)


@contextmanager
def secure_store(directory: Path, rights: str = WORKER_RIGHTS) -> Iterator[str]:
    """Run a store that answers nobody without TLS and a password; give its URL.

    Redis speaks TLS itself where it was built with it; else the connection is decrypted before it, as by a proxy.
    """
    certificates = issued(directory / "tls")
    native = _speaks_tls(find_redis())
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(certificates.cert),
        "tls-key-file": str(certificates.key),
        "tls-ca-cert-file": str(certificates.ca),
        "tls-auth-clients": "no",
    }
    with LocalRedis(directory / "redis", options=options if native else None) as server:
        admin: Any = connect(server.url)
        admin.execute_command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", *rights.split())
        admin.execute_command("ACL", "SETUSER", "default", "off")
        at = f"{quote(USER)}:{quote(PASSWORD, safe='')}@{HOST}"
        if native:
            yield f"rediss://{at}:{port}/0?ssl_ca_certs={certificates.ca}"
        else:
            with _decrypting(certificates, int(server.url.rpartition(":")[2].partition("/")[0])) as port:
                yield f"rediss://{at}:{port}/0?ssl_ca_certs={certificates.ca}"
        admin.close()


@contextmanager
def secure_cluster(directory: Path) -> Iterator[tuple[str, str]]:
    """Run a Cluster whose nodes answer clients by TLS and a password; give a worker's URL and a reader's."""
    certificates = issued(directory / "tls")
    with ExitStack() as stack:
        ports: dict[int, int] = {}

        def announced(port: int) -> int:
            return ports.setdefault(port, stack.enter_context(_decrypting(certificates, port)))

        cluster = stack.enter_context(clustered(directory / "nodes", announced=announced))
        for number in cluster.all:
            for user, rights in ((USER, WORKER_RIGHTS), ("pages", READER_RIGHTS)):
                cluster.ask(number, "ACL", "SETUSER", user, "on", f">{PASSWORD}", *(rights + IN_CLUSTER).split())
            cluster.ask(number, "ACL", "SETUSER", "default", "off")
        at = f"{quote(PASSWORD, safe='')}@{HOST}:{next(iter(ports.values()))}/0?ssl_ca_certs={certificates.ca}"
        yield f"rediss://{quote(USER)}:{at}", f"rediss://pages:{at}"


def _speaks_tls(executable: Path) -> bool:
    """Whether this Redis was built with TLS: else it does not know the directive, or says that it cannot."""
    command = [executable, "--port", "0", "--tls-port", "1", "--save", ""]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    return "No tls-cert-file configured" in said


@contextmanager
def _decrypting(certificates: Certificates, to: int) -> Iterator[int]:
    """Accept TLS on a port and pass on what comes to another one, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own_reader, own_writer = await asyncio.open_connection(HOST, to)
        await asyncio.gather(_pump(reader, own_writer), _pump(own_reader, writer))

    begun: queue.Queue[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        done = asyncio.Event()
        async with await asyncio.start_server(passed_on, HOST, 0, ssl=context) as server:
            begun.put((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), done))
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    port, loop, done = begun.get()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.transport.abort()
