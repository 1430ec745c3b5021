"""Typed settings: read once at start, unknown keys refused, every key documented in ``settings.example.toml``."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from infra.errors import SettingsError

Positive = Annotated[int, Meta(gt=0)]
EventType = Literal["click", "view", "play", "like", "cart", "purchase", "share", "rating", "dislike", "skip", "hide"]
Level = Literal["debug", "info", "warning", "error"]
Weight = Annotated[float, Meta(ge=0, le=100)]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]


_SESSION_MS = 10_000
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_DAY_S = 24 * 3600


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Kafka(_Section, frozen=True):
    """The broker and the topics."""

    bootstrap: str = ""  # empty = the embedded broker of `headrace local`
    prefix: Name = "headrace"
    partitions: Positive = 8  # of every user-keyed topic
    replication: Positive = 1
    rekey: bool = False  # forward events that lie on another partition than their user's to it
    client: dict[str, str] = {}  # further librdkafka properties, e.g. for SASL and TLS


class Redis(_Section, frozen=True):
    """The store."""

    url: str = ""  # empty = the embedded store of `headrace local`
    prefix: Name = "headrace"


class Worker(_Section, frozen=True):
    """The event path."""

    batch: Annotated[int, Meta(gt=0, le=4096)] = 512  # events applied at once, at most; one learning record
    window: Positive = 8  # batches between consumer and agents, at most
    linger_ms: Annotated[int, Meta(ge=0)] = 5  # wait for a fuller batch
    barrier_ms: Positive = 1000  # how much may be read again after a crash
    session_ms: Positive = _SESSION_MS  # until a crashed worker's partitions move
    stalled_s: Annotated[int, Meta(ge=0)] = (
        300  # without any progress though there is input: the process ends; 0 = never
    )
    instance: str = ""  # static identity where a supervisor restarts the same worker
    group_protocol: Literal["classic", "consumer"] = "classic"  # "consumer" = KIP-848, brokers 4.0 and later
    freshened_per_s: Annotated[int, Meta(ge=0)] = 200  # older lists made anew while there is time
    measured_share: Annotated[float, Meta(ge=0, le=1)] = 0.03  # of the time, at most, for measuring the live hit rate
    lists_together: Positive = 4  # batches that share their lists while more are waiting, at most; 1 = each its own
    resident_users: Positive = 100_000  # user states kept in memory
    search_terms: Annotated[int, Meta(ge=0, le=128)] = 32  # of an item's content by which free words find it
    list_days: Annotated[float, Meta(gt=0, le=36_500)] = 90.0  # after his last event a user's list leaves Redis
    state_days: Annotated[float, Meta(ge=0, le=36_500)] = 365.0  # and his state: he is a new user then; 0 = never

    @property
    def list_s(self) -> int:
        """How long a user's list lives after his last event, in seconds."""
        return max(1, round(self.list_days * _DAY_S))

    @property
    def state_s(self) -> int:
        """How long his state does; 0 = for ever."""
        return max(1, round(self.state_days * _DAY_S)) if self.state_days else 0

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if 0 < self.state_days < self.list_days:
            raise SettingsError(
                f"worker.state_days {self.state_days:g} is less than worker.list_days {self.list_days:g}: users would "
                "be forgotten while their lists are still shown; raise the first, or lower the second"
            )
        if self.group_protocol == "consumer" and self.instance:
            raise SettingsError(
                f'worker.instance {self.instance!r} does not go with worker.group_protocol "consumer": a killed '
                "worker's restart under a static identity is refused for ever there; leave one of them out"
            )
        if self.group_protocol == "consumer" and self.session_ms != _SESSION_MS:
            raise SettingsError(
                f'worker.session_ms {self.session_ms} does not go with worker.group_protocol "consumer": there the '
                "broker says it (group.consumer.session.timeout.ms); leave one of them out"
            )


class Model(_Section, frozen=True):
    """The recommendation engine."""

    list_length: Annotated[int, Meta(ge=1, le=1000)] = 100
    reasons: Annotated[int, Meta(ge=0, le=100)] = 20
    category_lists: Annotated[int, Meta(ge=0, le=1000)] = 100  # categories with lists of their own, the largest
    seed: int = 0
    rating_users: Positive = 200_000  # rows of the rating model, the least recently used leave first
    weights: dict[
        EventType, Annotated[float, Meta(ge=0, le=100)]
    ] = {}  # event type → how much it counts; 0 = not a wish
    taught_per_hour: Annotated[int, Meta(ge=0)] = 600  # events of one user that teach within an hour; 0 = no limit
    taught_per_item: Annotated[int, Meta(ge=0)] = 3  # of these, about one item
    repeats: bool = False  # whether items that a user has had may be recommended to him again
    rating_slope: Annotated[float, Meta(ge=0, le=2)] = 0.25  # how much more a high rating teaches than a mean one
    checkpoint_s: Positive = 120
    checkpoints: str = ""  # directory or fsspec URL, a folder in it for each namespace; empty = in the data directory


class Catalogue(_Section, frozen=True):
    """When items are admitted and when they leave the model."""

    admit_after: Annotated[int, Meta(ge=1, le=1_000_000)] = 1  # events; an item that was published is listed at once
    idle_days: Annotated[float, Meta(ge=0)] = 0.0  # without an event, by event time; 0 = items stay
    max_items: Annotated[int, Meta(ge=10_000)] = 1_000_000  # beyond it the longest idle leave


class Policy(_Section, frozen=True):
    """What stands between the best-scored items and a user's list."""

    page: Annotated[int, Meta(ge=1, le=1000)] = 10  # items that a reader shows at once
    per_category: Annotated[int, Meta(ge=0, le=1000)] = 0  # on a page, at most; 0 = any number
    per_brand: Annotated[int, Meta(ge=0, le=1000)] = 0
    diversity: Annotated[float, Meta(ge=0, le=1)] = 0.0  # of neighbours on a list; 0 = in the order of scores
    explore_share: Annotated[float, Meta(ge=0, le=0.2)] = 0.02  # of the places, for items with few events
    explore_below: Annotated[int, Meta(ge=0, le=1_000_000)] = 10  # events that are few
    similar_in_category: bool = False  # an item's neighbours are of its own category only


class ApiKey(_Section, frozen=True):
    """A key of the HTTP service; `headrace key` makes one."""

    name: Name  # for logs and limits
    sha256: Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]  # of the key, which stands nowhere
    roles: Annotated[tuple[Literal["read", "write", "admin"], ...], Meta(min_length=1)] = ("read",)  # admin = all


class Serving(_Section, frozen=True):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    events_at_once: Annotated[int, Meta(ge=1, le=10_000)] = 1000  # of one request, at most
    publish_queue: Annotated[int, Meta(ge=1, le=5_000_000)] = 20_000  # events that may wait for Kafka
    publish_timeout_ms: Annotated[int, Meta(ge=100, le=300_000)] = 5000  # until Kafka must have acknowledged
    waiting: Annotated[int, Meta(ge=0)] = 2000  # requests that may wait for their own writes at the same time
    streams: Annotated[int, Meta(ge=0)] = 500  # server-sent streams open at the same time
    lexicon: str = ""  # file (TOML) of further words for free-text wishes
    leave_s: Annotated[float, Meta(ge=0, le=600)] = 1.0  # from SIGTERM, when /ready becomes 503, to the last request
    fallbacks: Annotated[list[Literal["popular", "trending", "latest"]], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["popular", "trending", "latest"]
    )  # what users without a list are shown, in this order
    gorse: bool = False  # also offer the interface that Gorse's clients speak
    gorse_types: dict[str, EventType] = msgspec.field(
        default_factory=lambda: {"read": "view", "star": "like"}
    )  # type of feedback → type of event
    keys: list[ApiKey] = []  # none = everybody may do everything, on a loopback address only
    requests_per_s: Annotated[float, Meta(ge=0)] = 0.0  # of one key, or of an address without one; 0 = no limit
    burst: Positive = 100  # requests of it at once
    max_body_kb: Positive = 1024
    max_target_kb: Positive = 16  # path and query
    proxies: list[str] = []  # addresses whose X-Forwarded-For is believed
    pseudonym_secret: Annotated[str, Meta(pattern="^$|^.{32,}$")] = ""  # users are stored under keyed hashes

    def __post_init__(self) -> None:
        """Refuse two keys of one name, which limits and logs could not tell apart."""
        names = [key.name for key in self.keys]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SettingsError(f"serving.keys: {twice!r} is the name of two keys; give each its own")

    def __repr__(self) -> str:
        """Return what may be logged."""
        return f"Serving(host={self.host!r}, port={self.port}, keys={[key.name for key in self.keys]})"


class Logging(_Section, frozen=True):
    """What worker and HTTP service say on standard error."""

    format: Literal["text", "json"] = "text"
    level: Level = "warning"
    levels: dict[str, Level] = {}  # logger → level of it and of those below it


class Metrics(_Section, frozen=True):
    """What Prometheus reads, on a port of its own."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0  # of a process; 0 = none


class Settings(_Section, frozen=True):
    """All settings of one deployment."""

    namespace: Name = "main"
    home: str = ".headrace"  # broker, store and checkpoints of one machine
    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    worker: Worker = Worker()
    model: Model = Model()
    catalogue: Catalogue = Catalogue()
    policy: Policy = Policy()
    serving: Serving = Serving()
    metrics: Metrics = Metrics()
    logging: Logging = Logging()

    @property
    def home_dir(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.home).expanduser().absolute()

    @property
    def checkpoints(self) -> str:
        """Where checkpoints of this namespace are kept: a path or an fsspec URL."""
        place = self.model.checkpoints or str(self.home_dir / "checkpoints")
        return f"{place.rstrip('/')}/{self.namespace}"

    def with_metrics_port(self, port: int | None) -> Settings:
        """Return the same with another port for metrics; None = as it is."""
        if port is None:
            return self
        return msgspec.structs.replace(self, metrics=msgspec.structs.replace(self.metrics, port=port))

    def with_instance(self, name: str | None) -> Settings:
        """Return the same for a worker with another static identity; None = as it is."""
        if not name:
            return self
        return msgspec.structs.replace(self, worker=msgspec.structs.replace(self.worker, instance=name))


def load_settings(path: str | Path | None = None, **overrides: Any) -> Settings:
    """Read settings from a TOML file, or from the one that ``HEADRACE_CONFIG`` names, or take the defaults.

    Parameters
    ----------
    path : str or Path, optional
        The file.
    **overrides
        Top-level keys that take precedence, e.g. ``namespace="b"``; ``None`` means not given.

    Raises
    ------
    SettingsError
        When the file is missing, is not TOML, or holds an unknown key or a value of the wrong type.
    """
    source = path or os.environ.get("HEADRACE_CONFIG")
    raw: dict[str, Any] = {}
    if source:
        try:
            raw = tomllib.loads(Path(source).read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"cannot read settings {source}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{source} is not TOML: {error}") from error
        _expand(raw, str(source))
    raw |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        place = source or "settings"
        raise SettingsError(f"{place}: {error}; infra/settings.example.toml lists every key") from error


def _expand(raw: dict[str, Any], source: str) -> None:
    """Put variables of the environment in the place of ``${NAME}``, where secrets stand."""
    for section in (raw.get("redis"), raw.get("kafka", {}).get("client"), raw.get("serving")):
        if isinstance(section, dict):
            for key, value in section.items():
                if isinstance(value, str):
                    section[key] = _VARIABLE.sub(lambda found: _variable(found[1], source), value)


def _variable(name: str, source: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise SettingsError(f"{source} names ${{{name}}}, which is not in the environment: set it") from None
