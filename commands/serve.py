"""``headrace serve``: serve lists over HTTP."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.writing.writing import Writing


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="8000 by default; 0 takes a free one.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Port of /metrics for Prometheus; 0 = none.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local store; .headrace by default.")
def command(host: str | None, port: int | None, metrics_port: int | None, config: str | None, home: str | None) -> None:
    """Serve lists over HTTP until Ctrl-C.

    The live page is at /. Routes: /recommend/USER, /similar/ITEM, /popular, /explain/USER/ITEM and more; /openapi.json
    describes them. On an address that other machines reach it needs API keys: `headrace key` makes one.

    \b
    Example:
      headrace serve --port 8080
      curl "http://127.0.0.1:8080/recommend/alice?n=5"
    """
    from infra.local import reading_store

    settings = load_settings(config, home=home).with_metrics_port(metrics_port)
    # uvicorn ends in order on SIGTERM and then raises it again: that must not keep the local store from being ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _refuse_open_door(settings, host or settings.serving.host)
        with reading_store(settings) as url, _listening(settings, host, port) as listener:
            _serve(settings, url, listener)
    except KeyboardInterrupt:
        pass
    click.echo("Stopped.")  # by a signal, which the server may have taken itself


def _refuse_open_door(settings: Settings, host: str) -> None:
    from infra.errors import SettingsError
    from serving.edge.access import listens_to_others

    if not settings.serving.keys and listens_to_others(host):
        raise SettingsError(
            f"{host} can be reached from other machines, and the settings have no API keys: everybody there could read "
            "and change everything; put what `headrace key NAME` prints into [[serving.keys]], or listen on 127.0.0.1"
        )


def _listening(settings: Settings, host: str | None, port: int | None) -> socket.socket:
    from infra.errors import HeadraceError

    address = (host or settings.serving.host, settings.serving.port if port is None else port)
    try:
        family, *_ = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # the rest is the address again
        raise HeadraceError(
            f"cannot listen on {address[0]}:{address[1]}: {reason}; choose another with --host and --port"
        ) from error


def _serve(settings: Settings, url: str, listener: socket.socket) -> None:
    from infra import logs
    from serving.server import Server, config

    logs.configure(settings, f"serve-{socket.gethostname()}-{os.getpid()}")
    app = application(settings, url, leaving=lambda: server.leaving)
    server = Server(config(app, settings.serving.proxies), settings.serving.leave_s)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Serving on http://{shown}:{port}   (Ctrl-C ends it)")
    server.run(sockets=[listener])


def application(settings: Settings, url: str, leaving: Callable[[], bool] = lambda: False) -> FastAPI:
    """Return the service as the settings say, on a store; its metrics are exposed where they say so."""
    from commands.histories import history_of
    from commands.reading import open_reader
    from infra.exposition import expose
    from serving.api import create_app
    from serving.edge.access import ApiKey, Keyring
    from serving.edge.edge import Limits
    from serving.edge.metrics import ServingMetrics
    from serving.writing.people import as_given, pseudonyms

    serving = settings.serving
    keys = [ApiKey(key.name, frozenset(key.roles), key.sha256) for key in serving.keys]
    limits = Limits(serving.max_body_kb * 1024, serving.max_target_kb * 1024, serving.requests_per_s, serving.burst)
    naming = pseudonyms(serving.pseudonym_secret) if serving.pseudonym_secret else as_given
    reader = open_reader(settings, url)
    metrics = ServingMetrics(reader)
    expose(metrics.registry, settings.metrics)
    return create_app(
        reader,
        serving.fallbacks,
        naming,
        Keyring(keys),
        limits,
        writing(settings, url),
        leaving,
        metrics,
        history_of,
        serving.gorse_types if serving.gorse else None,
    )


def writing(settings: Settings, url: str) -> Writing:
    """Return what the writing half of the service needs; without a broker it refuses, and lists are served."""
    from pathlib import Path

    import msgspec

    from commands.people import PeopleOf
    from infra.errors import BrokerError, SettingsError
    from infra.local import find_broker
    from serving.search.lexicon import InvalidLexicon, load_lexicon
    from serving.writing.writing import Writing, topics
    from streams.publishing.live import LivePublisher

    serving = settings.serving
    limits: dict[str, Any] = {
        "topics": topics(settings.kafka.prefix),
        "events_at_once": serving.events_at_once,
        "waiting": serving.waiting,
        "streams": serving.streams,
    }
    try:
        limits["lexicon"] = load_lexicon(Path(serving.lexicon) if serving.lexicon else None)
    except InvalidLexicon as error:
        raise SettingsError(f"serving.lexicon: {error}") from error
    try:
        found = find_broker(settings)
    except BrokerError as error:
        click.secho(f"Publishing is refused: {error}", fg="yellow", err=True)
        return Writing(**limits)
    found = msgspec.structs.replace(found, redis=msgspec.structs.replace(found.redis, url=url))
    return Writing(LivePublisher(found), PeopleOf(found), **limits)
