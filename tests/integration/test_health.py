"""``headrace doctor`` and ``headrace status``: what they find in a real deployment, well and ill."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from commands.main import cli
from contracts.events import Click
from infra.findings import Finding, State
from infra.settings import Settings
from streams.kafka.admin import ensure_topics
from streams.watching.health import examine_deployment
from tests.worker import publish, working


def found(settings: Settings) -> dict[str, Finding]:
    """The worst finding on each subject."""
    worst: dict[str, Finding] = {}
    for finding in examine_deployment(settings):
        before = worst.get(finding.subject)
        if before is None or list(State).index(finding.state) > list(State).index(before.state):
            worst[finding.subject] = finding
    return worst


def test_a_deployment_at_work_has_no_problem_and_one_emptied_under_its_worker_has(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *(Click(f"u{n}", f"i{n % 5}") for n in range(20)))
        worker.wait_until_applied()
        config = str(settings.home_dir / "worker.toml")
        diagnosis = json.loads(headrace("doctor", "--config", config, "--json"))["findings"]
        assert {finding["state"] for finding in diagnosis} == {"ok"}
        (report,) = json.loads(headrace("status", "--config", config, "--json"))["workers"].values()
        assert (report["worker"], report["ready"], report["events_applied"]) == ("test", True, 20)
        assert " MB" in headrace("status", "--config", config)
        worker.stop()
        assert "not ready" in headrace("status", "--config", config)
        for partition in range(settings.kafka.partitions):
            worker.store.delete(worker.keys.applied(partition))
    ill = found(settings)
    assert ill["positions"].state is State.PROBLEM
    assert "headrace replay" in ill["positions"].remedy


def test_missing_topics_and_a_broker_that_is_away_are_named_with_the_remedy(settings: Settings) -> None:
    assert "headrace topics" in found(settings)["topics"].remedy
    away: Any = settings.kafka.__class__(bootstrap="127.0.0.1:1", prefix=settings.kafka.prefix)
    ill = found(Settings(namespace=settings.namespace, kafka=away, redis=settings.redis))
    assert "127.0.0.1:1" in ill["Kafka"].text
    assert ill["Redis memory"].state is State.OK


def test_a_lost_stretch_of_the_learning_log_and_a_splitting_assignor_are_problems(settings: Settings) -> None:
    ensure_topics(settings)
    folder = settings.home_dir / "checkpoints" / settings.namespace
    folder.mkdir(parents=True)
    (folder / f"{7:020d}.model").write_bytes(b"")
    kafka = settings.kafka.__class__(
        bootstrap=settings.kafka.bootstrap,
        prefix=settings.kafka.prefix,
        partitions=settings.kafka.partitions,
        client={"partition.assignment.strategy": "cooperative-sticky"},
    )
    ill = found(Settings(settings.namespace, settings.home, kafka, settings.redis))
    assert "newest checkpoint at 7" in ill["learning log"].text
    assert ill["learning log"].state is ill["kafka.client"].state is State.PROBLEM


def headrace(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
