"""The containers: nothing is reachable from outside, each is watched and bounded, and what they name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import load_settings

COMPOSE = yaml.safe_load(Path("docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("worker", "serving")
SETTINGS = load_settings("infra/compose/headrace.toml")


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_bound_to_this_machine_watched_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert name in OURS or "healthcheck" in service
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert ":latest" not in service["image"]
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert Path(source).exists() if source.startswith("./") else source in COMPOSE["volumes"]


def test_our_containers_cannot_write_but_to_their_volumes() -> None:
    for name in OURS:
        assert SERVICES[name]["read_only"]
        assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_the_settings_name_the_services_and_prometheus_reads_their_ports() -> None:
    assert SETTINGS.kafka.bootstrap == f"kafka:{_internal_port()}"
    assert SETTINGS.redis.url.startswith("redis://redis:6379")
    jobs = {
        job["job_name"]: job
        for job in yaml.safe_load(Path("infra/prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    }
    for name in OURS:
        (discovered,) = jobs[f"headrace-{name}"]["dns_sd_configs"]
        assert (discovered["names"], discovered["port"]) == ([name], SETTINGS.metrics.port)


def test_the_image_holds_what_it_needs_runs_as_nobody_and_knows_no_secret() -> None:
    text = Path("Dockerfile").read_text("utf-8")
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE))
    packages = {path.parent.name for path in Path().glob("*/__init__.py")} - {"benchmarks", "tests"}
    assert packages <= copied
    named = {word for line in copied for word in line.split()}
    assert named <= {line[1:] for line in Path(".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"}
    assert re.search(r"^USER 10001", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert not re.search(r"(?i)password|secret|token", text)


def _internal_port() -> str:
    listeners = SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"]
    found = re.search(r"INTERNAL://:(\d+)", listeners)
    assert found is not None
    return found[1]


def test_the_image_s_own_program_runs() -> None:
    """The one by which the kernels are compiled into the image, and seen to be there."""
    (program,) = re.findall(r'^RUN python -c "(.*?)"$', Path("Dockerfile").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program.replace("\\\n", "")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
