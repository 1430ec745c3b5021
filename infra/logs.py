"""Log lines for people or for machines, on standard error, and never a secret in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson

from infra.errors import HeadraceError
from infra.settings import Settings

HIDDEN: Final = "***"
_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# What no setting of ours holds: a URL's password, API keys, and what an error of a client's quotes.
_LIKE_SECRETS: Final = (
    (re.compile(r"(://[^\s:/@]*:)[^\s@]+(?=@)"), r"\1"),
    (re.compile(r"(\bbearer\s+)[^\s\"',;}]+", re.I), r"\1"),
    (re.compile(r"()\bhr_[\w-]{16,}"), r"\1"),
    (re.compile(r"((?:password|secret|token)[\"']?\s*[=:]\s*)[^\s,;}]+", re.I), r"\1"),
)
_SECRET_NAMES = re.compile(r"password|secret|token|key\.pem|oauthbearer\.config|jaas", re.I)
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Secrets:
    """Hides secrets in text.

    Parameters
    ----------
    known : iterable of str
        Wherever they stand they are hidden; passwords that look like ones are hidden too.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({secret for secret in known if secret}, key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """Return text without secrets.

        Examples
        --------
        >>> Secrets(["hunter2"]).hidden("hunter2 at redis://ann:pw@host:6379/0")
        '*** at redis://ann:***@host:6379/0'
        """
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        for pattern, kept in _LIKE_SECRETS:
            text = pattern.sub(kept + HIDDEN, text)
        return text


def secrets_of(settings: Settings) -> Iterable[str]:
    """Yield what the settings hold that nobody may read: of Kafka's client, Redis' URL, the service's pseudonyms."""
    yield settings.serving.pseudonym_secret
    for name, value in settings.kafka.client.items():
        if _SECRET_NAMES.search(name):
            yield value
    password = urlsplit(settings.redis.url).password
    if password:
        yield from (password, unquote(password))


class _Text(logging.Formatter):
    def __init__(self, secrets: Secrets) -> None:
        super().__init__(_TEXT)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return self._secrets.hidden(super().format(record))


class _Json(logging.Formatter):
    """One object a line: what was said, when, by whom, and the fields that were given as ``extra``."""

    def __init__(self, secrets: Secrets, worker: str) -> None:
        super().__init__()
        self._secrets, self._worker = secrets, worker

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._secrets.hidden(record.getMessage()),
            "worker": self._worker,
        }
        fields = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD}
        if fields:
            said["fields"] = {key: self._secrets.hidden(str(value)) for key, value in fields.items()}
        if record.exc_info:
            said["error"] = self._secrets.hidden(self.formatException(record.exc_info))
        # Text from outside may hold what is no Unicode.
        text = orjson.dumps({key: _whole(value) for key, value in said.items()})
        return text.decode()


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def configure(settings: Settings, worker: str, *, verbose: bool = False) -> None:
    """Let every logger of this process speak as the settings say.

    Parameters
    ----------
    settings : Settings
    worker : str
        What this process calls itself.
    verbose : bool
        Say at least what happens, not only what goes wrong.
    """
    logs, secrets = settings.logging, Secrets(secrets_of(settings))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(secrets, worker) if logs.format == "json" else _Text(secrets))
    level = logging.getLevelName(logs.level.upper())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(min(level, logging.INFO) if verbose else level)
    logging.captureWarnings(True)
    for name, of in logs.levels.items():
        logging.getLogger(name).setLevel(of.upper())


def last_words(who: str, error: BaseException) -> None:
    """Say why a process ends; with the traceback where it is no mistake that a user can mend."""
    known = isinstance(error, HeadraceError)
    logging.getLogger("headrace").critical("%s: %s", who, error, exc_info=None if known else error)
