"""``headrace worker``: consume events, keep lists fresh."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from infra.settings import Settings


@click.command()
@click.option("--config", type=click.Path(dir_okay=False), help="Settings file (TOML).")
@click.option("--home", type=click.Path(file_okay=False), help="Data directory of the local services.")
@click.option("--namespace", help="Deployment to work for; each has its own group, log and keys.")
@click.option("--instance", help="A static identity: a restarted worker of the same one goes on at once.")
@click.option("--respawn", is_flag=True, help="Stay behind the worker and start it again at once when it crashes.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Port of /metrics for Prometheus; 0 = none.")
@click.option("--verbose", is_flag=True, help="Log what happens, not only what goes wrong.")
def command(
    config: str | None,
    home: str | None,
    namespace: str | None,
    instance: str | None,
    respawn: bool,
    metrics_port: int | None,
    verbose: bool,
) -> None:
    """Consume events, keep every affected user's list fresh.

    Runs until SIGTERM or Ctrl-C, and then leaves with everything durable. A killed worker goes on where it was: let a
    supervisor (systemd, Kubernetes, `restart: always`) start it again whenever it ends with another status than 0.

    With --respawn a process stays behind, with everything loaded, and starts it again at once, under the same identity;
    it gives up after six crashes in turn, each within a minute.

    For tests, the environment variable HEADRACE_FAIL makes it fail on purpose, see docs/failure-modes.md.

    \b
    Example:
      headrace local &
      headrace worker --metrics-port 9464
    """
    # One thread for matrix products: more only wait for each other beside Kafka's and Redis' threads.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    import gc

    gc.disable()  # until the kernels are loaded: a fifth of what imports take is a search for garbage that is not there
    from concurrent.futures import ThreadPoolExecutor

    from infra import failpoints, logs
    from infra.local import find_services
    from infra.settings import load_settings
    from streams.kafka.admin import prepare_topics
    from streams.watching.startup import StartUp

    failpoints.arm(os.environ.get(failpoints.VARIABLE))
    settings = load_settings(config, home=home, namespace=namespace).with_metrics_port(metrics_port)
    settings = settings.with_instance(instance)
    if respawn:
        if not settings.worker.instance and settings.worker.group_protocol == "classic":
            settings = settings.with_instance(f"{socket.gethostname()}-{os.getpid()}")
        _stay_behind(settings, verbose)
    start_up = StartUp()
    settings = find_services(settings)
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(prepare_topics, settings)
        from streams.running.worker import run  # a second of imports, while Kafka answers

        start_up.done("imports")
        reports, topics = asked.result()
    for report in reports:
        click.secho(report, fg="yellow", err=True)
    start_up.done("topics")
    failure = run(settings, topics, start_up, verbose=verbose)
    if failure is not None:
        logs.last_words("headrace worker", failure)
        sys.exit(1)


def _stay_behind(settings: Settings, verbose: bool) -> None:
    """Return in the process that is to work."""
    import logging

    from infra import logs
    from infra.respawn import stay_behind
    from streams.running import prepared

    logs.configure(settings, settings.worker.instance, verbose=verbose)
    prepared.load()
    stay_behind(lambda words: logging.getLogger("headrace").warning("headrace worker: %s", words))
