"""Examines how broker and store are reached: can somebody in between read passwords, or pose as one of them?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from infra.findings import Finding, ok, problem, warning
from infra.settings import Settings

_HERE = ("localhost", "127.", "::1")
_NO = ("false", "none", "no", "0")


def examine_secrecy(settings: Settings) -> Iterator[Finding]:
    """Yield what the settings say of TLS and passwords; nothing is connected to.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis filled in.
    """
    yield _kafka(settings)
    yield _redis(settings)


def _kafka(settings: Settings) -> Finding:
    client = settings.kafka.client
    protocol = client.get("security.protocol", "plaintext").upper()
    if not protocol.endswith("SSL"):
        if protocol == "SASL_PLAINTEXT" and not all(map(_is_here, settings.kafka.bootstrap.split(","))):
            return warning("Kafka's TLS", "the password goes over the network in clear", "use SASL_SSL in kafka.client")
        return ok("Kafka's TLS", f"not used ({protocol})")
    for name in ("enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm"):
        if client.get(name, "").lower() in _NO:
            return problem("Kafka's TLS", f"{name} is {client[name]}: anybody may pose as the broker", f"remove {name}")
    return ok("Kafka's TLS", protocol)


def _redis(settings: Settings) -> Finding:
    url = urlsplit(settings.redis.url)
    if url.scheme != "rediss":
        if url.scheme == "redis" and url.password and not _is_here(url.hostname or ""):
            return warning("Redis' TLS", "the password goes over the network in clear", "use rediss:// in redis.url")
        return ok("Redis' TLS", f"not used ({url.scheme})")
    words = parse_qs(url.query)
    for name in ("ssl_cert_reqs", "ssl_check_hostname"):
        if words.get(name, [""])[-1].lower() in _NO:
            return problem(
                "Redis' TLS", f"{name} is {words[name][-1]}: anybody may pose as the store", f"remove {name}"
            )
    return ok("Redis' TLS", "rediss")


def _is_here(address: str) -> bool:
    return address.strip().strip("[").startswith(_HERE)
