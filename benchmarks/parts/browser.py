"""A real Chromium, driven by Playwright: for the page's tests and for measuring it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from infra.errors import HeadraceError

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, because tests run as root in containers; the page is our own and asks nobody.
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


def find_chromium() -> str:
    """Return the path of a Chromium.

    Raises
    ------
    HeadraceError
        When there is none.
    """
    for name in _NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise HeadraceError("no Chromium found, which the live page is tested in: install it, `apt-get install chromium`")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium without a screen for the time of a block."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()
