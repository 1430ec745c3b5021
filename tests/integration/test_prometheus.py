"""What worker and HTTP service tell Prometheus, and that dashboard and alerts ask for nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from contracts.events import Click, Rating
from contracts.topics import CLICKS, topic_name
from infra.settings import Settings
from serving.api import create_app
from serving.edge.edge import Limits
from serving.edge.metrics import ServingMetrics
from serving.reading.reader import Reader
from tests.own import own_settings, unused_name
from tests.worker import publish, raw_producer, working

INFRA = Path("infra")
HTTP = "headrace_http_request_seconds"
OF_TARGET = {"job", "instance"}
"""Labels that Prometheus gives to everything that it reads."""
Samples = dict[str, dict[frozenset[tuple[str, str]], float]]
"""Name of a series → its labels → its value."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def labelled(found: Samples, name: str, label: str) -> dict[str, float]:
    """Return the values of a series by one of its labels."""
    return {dict(labels)[label]: value for labels, value in found[name].items()}


def alone(found: Samples, name: str) -> float:
    return found[name][frozenset()]


@pytest.fixture(scope="module")
def of_worker(kafka: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Samples, Any]:
    """A worker's settings, and what it has exposed and reported after some events."""
    settings = own_settings(kafka, redis_url, unused_name(), tmp_path_factory.mktemp("exposed"))
    port = free_port()
    with working(settings, f"[metrics]\nport = {port}\n") as worker:
        publish(settings, *(Click(f"u{n % 7}", f"i{n % 5}", time=1_000_000 + n) for n in range(20)))
        publish(settings, *(Rating(f"u{n}", "i9", 4.0, time=2_000_000 + n) for n in range(7)))
        raw = raw_producer(settings)
        raw.produce(topic_name(CLICKS, settings.kafka.prefix, settings.namespace), b"no event", key=b"u1")
        assert raw.flush(30) == 0
        worker.wait_until_applied()
        # Of items known by now, which these users have not had.
        publish(settings, *(Click(f"u{n % 7}", f"i{n % 5}", time=3_000_000 + n) for n in range(20, 35)))
        worker.wait_until_applied()

        def scraped() -> Samples:
            return samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)

        def told() -> dict[str, Any]:
            return labelled(scraped(), "headrace_dead_letters_total", "reason")

        worker.wait(lambda: told()["malformed"] == 1)
        worker.wait(lambda: alone(scraped(), "headrace_lists_written_total") > 0)
        return settings, scraped(), worker.status()


@pytest.fixture(scope="module")
def of_service(redis_url: str) -> Samples:
    """What the HTTP service has exposed after some requests."""

    async def asked() -> Samples:
        reader = Reader(redis_url, unused_name())
        transport = httpx.ASGITransport(create_app(reader))
        async with reader, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            for path in ("/recommend/ann", "/recommend/bob", "/popular", "/popular?n=0", "/nowhere"):
                await client.get(path)
            await client.request("BREW", "/popular")
            return samples((await client.get("/metrics")).text)

    return asyncio.run(asked())


@pytest.fixture
def exposed(of_worker: tuple[Settings, Samples, Any], of_service: Samples) -> Samples:
    return of_worker[1] | of_service


def test_what_a_worker_exposes_is_what_it_reports(of_worker: tuple[Settings, Samples, Any]) -> None:
    settings, found, status = of_worker
    prefix = settings.kafka.prefix
    assert labelled(found, "headrace_events_total", "topic") == status["events_by_topic"]
    assert set(status["events_by_topic"]) == {f"{prefix}.clicks", f"{prefix}.ratings"}
    assert sum(status["events_by_topic"].values()) == status["events_applied"]
    for name in ("freshness", "write"):
        by_partition = labelled(found, f"headrace_{name}_seconds_count", "partition")
        assert set(by_partition) <= {str(number) for number in range(settings.kafka.partitions)}
    assert sum(labelled(found, "headrace_freshness_seconds_count", "partition").values()) == status["events_applied"]
    assert alone(found, "headrace_log_position") == status["log_position"]
    assert alone(found, "headrace_items") == 6
    assert alone(found, "headrace_cached_users") == 7
    assert alone(found, "headrace_ready") == 1
    assert labelled(found, "headrace_hits_at_10_total", "ranking") == status["hits_at_10"]
    assert alone(found, "headrace_scored_events_total") == status["scored"] > 0
    assert labelled(found, "headrace_drift_alarms_total", "scorer").keys() == status["scorers"].keys()
    assert alone(found, "headrace_barrier_age_seconds") < 60
    assert found["process_resident_memory_bytes"][frozenset()] > 1e7


def test_a_port_that_is_taken_ends_the_worker_with_the_remedy(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with working(settings, f"[metrics]\nport = {port}\n") as worker:
            words = worker.last_words()
    assert f"127.0.0.1:{port}" in words
    assert "--metrics-port" in words


def test_the_service_counts_every_answer_by_route_and_status(of_service: Samples) -> None:
    counts = {
        (labels["method"], labels["route"], labels["status"]): value
        for labels, value in ((dict(pairs), value) for pairs, value in of_service[f"{HTTP}_count"].items())
    }
    assert counts == {
        ("GET", "/recommend/{user}", "200"): 2,
        ("GET", "/popular", "200"): 1,
        ("GET", "/popular", "422"): 1,
        ("GET", "unmatched", "404"): 1,
        ("other", "/popular", "405"): 1,
    }
    assert alone(of_service, "headrace_redis_failures_total") == 0


def test_what_is_refused_before_it_has_a_route_is_counted_too(redis_url: str, namespace: str) -> None:
    async def asked() -> Samples:
        reader = Reader(redis_url, namespace)
        metrics = ServingMetrics(reader)
        app = create_app(reader, limits=Limits(per_s=1e-6, burst=1), metrics=metrics)
        transport = httpx.ASGITransport(app)
        async with reader, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            for _ in range(2):
                await client.get("/popular")
        return samples(bytes(metrics.answer().body).decode())

    assert labelled(asyncio.run(asked()), f"{HTTP}_count", "status") == {"200": 1, "429": 1}


def test_a_store_that_is_away_is_counted() -> None:
    async def asked() -> Samples:
        reader = Reader(f"redis://127.0.0.1:{free_port()}")
        transport = httpx.ASGITransport(create_app(reader))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            assert (await client.get("/popular")).status_code == 503
            return samples((await client.get("/metrics")).text)

    found = asyncio.run(asked())
    assert alone(found, "headrace_redis_failures_total") == 1
    assert labelled(found, f"{HTTP}_count", "status") == {"503": 1}


def expressions() -> Iterator[tuple[str, str]]:
    """Yield (where, PromQL) of dashboard and alerts."""
    for panel in orjson.loads((INFRA / "grafana" / "headrace.json").read_bytes())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")
    for group in yaml.safe_load((INFRA / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def asked_for(expression: Any) -> Iterator[tuple[str, set[str], dict[str, str]]]:
    """Yield (name, labels that it must have, labels with a certain value) of the series that an expression needs."""
    by: list[set[str]] = [set()]
    found: list[tuple[str, set[str], dict[str, str]]] = []

    def visit(node: Any) -> None:
        grouped = getattr(getattr(node, "modifier", None), "labels", None)
        if grouped:
            by.append(by[-1] | set(grouped))
        if isinstance(node, promql.VectorSelector):
            matchers = list(node.matchers.matchers)
            equal = {m.name: m.value for m in matchers if m.op == promql.MatchOp.Equal}
            found.append((node.name, by[-1] | {m.name for m in matchers}, equal))
        for name in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
            child = getattr(node, name, None)
            for each in child if isinstance(child, list) else [child]:
                if each is not None:
                    visit(each)
        if grouped:
            by.pop()

    visit(expression)
    yield from found


def test_dashboard_and_alerts_ask_only_for_what_is_exposed(exposed: Samples) -> None:
    unknown = []
    for where, text in expressions():
        for name, labels, equal in asked_for(promql.parse(text)):
            if name == "up":
                continue
            series = [dict(pairs) for pairs in exposed.get(name, ())]
            known = {label for each in series for label in each} | OF_TARGET
            closed = {label: value for label, value in equal.items() if label not in (*OF_TARGET, "status")}
            is_there = any(closed.items() <= each.items() for each in series)
            if not is_there or not labels <= known:
                unknown.append((where, name, sorted(labels - known), closed))
    assert unknown == []


def test_every_metric_is_shown_or_watched(exposed: Samples) -> None:
    families = {name.removesuffix("_bucket").removesuffix("_count") for name in exposed if name.startswith("headrace_")}
    used = {name for _, text in expressions() for name, _, _ in asked_for(promql.parse(text))}
    shown = {name.removesuffix("_bucket").removesuffix("_count") for name in used}
    left = {name for name in families - shown if not name.endswith(("_sum", "_created"))}
    assert left <= {"headrace_worker_info", "headrace_start_time_seconds"}


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    groups = yaml.safe_load((INFRA / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["remedy"]
