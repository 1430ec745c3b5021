"""Passwords in clear and certificates that nobody looks at are found."""

from __future__ import annotations

import pytest

from infra.findings import State
from infra.secrecy import examine_secrecy
from infra.settings import Kafka, Redis, Settings

PLAIN = "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    ("bootstrap", "client", "url", "states"),
    [
        ("127.0.0.1:9092", {}, PLAIN, "ok ok"),
        ("kafka:9092", {}, "redis://store:6379/0", "ok ok"),
        ("localhost:9092", {"security.protocol": "SASL_PLAINTEXT"}, "redis://ann:pw@localhost/0", "ok ok"),
        ("127.0.0.1:1,kafka:1", {"security.protocol": "sasl_plaintext"}, "redis://ann:pw@store/0", "warning warning"),
        ("kafka:9092", {"security.protocol": "SASL_SSL"}, "rediss://ann:pw@store/0?ssl_ca_certs=ca", "ok ok"),
        (
            "kafka:9092",
            {"security.protocol": "SSL", "enable.ssl.certificate.verification": "false"},
            "rediss://store/0?ssl_cert_reqs=none",
            "problem problem",
        ),
        (
            "kafka:9092",
            {"security.protocol": "SSL", "ssl.endpoint.identification.algorithm": "none"},
            "rediss://store/0?ssl_check_hostname=False",
            "problem problem",
        ),
    ],
)
def test_what_is_said(bootstrap: str, client: dict[str, str], url: str, states: str) -> None:
    found = list(examine_secrecy(Settings(kafka=Kafka(bootstrap=bootstrap, client=client), redis=Redis(url=url))))
    assert [finding.state for finding in found] == [State(state) for state in states.split()]
    assert not any("pw" in finding.text for finding in found)
    assert all(finding.remedy for finding in found if finding.state != State.OK)
