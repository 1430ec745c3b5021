"""The HTTP service of ``headrace run``: a child process that serves lists and the live page."""

from __future__ import annotations

import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

from commands.running.child import Child
from infra.errors import HeadraceError
from infra.ports import free_port
from infra.settings import Settings

_LOOK_S = 0.05
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}


class ServiceChild(Child):
    """Runs ``headrace serve`` with the given options, and ends it after the block.

    Where another program has the port of the settings, it takes a free one.

    Parameters
    ----------
    settings : Settings
        Those that the options amount to.
    options : list of str
        Of ``headrace serve``.

    Attributes
    ----------
    url : str
        Where it serves.
    """

    def __init__(self, settings: Settings, options: list[str]) -> None:
        host = settings.serving.host
        port = free_port(host, settings.serving.port)
        reached = _ANYWHERE.get(host, host)
        self.url = f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
        super().__init__([sys.executable, "-P", "-m", "commands", "serve", *options, "--port", str(port)])

    def wait(self) -> None:
        """Return when it answers.

        Raises
        ------
        HeadraceError
            When it ends instead.
        """
        while not self._answers():
            self.check()
            time.sleep(_LOOK_S)

    def check(self) -> None:
        """Raise when it has ended by itself.

        Raises
        ------
        HeadraceError
            With its last words.
        """
        status = self._child.poll()
        if status is not None:
            raise HeadraceError(
                f"the HTTP service has ended with status {status}; its last words: {self._last_words()}"
            )

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False
