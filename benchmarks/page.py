"""The live page: from a click on an item to the changed list on the screen, in a real Chromium.

    python -m benchmarks.page [--json OUT] [--rounds N]

A broker, a store, a worker and the service of its own, in a temporary directory with default settings; the worker has
learned a simulation's clicks before. Each round shows another visitor and clicks on one of his first ten items. What is
measured is what the browser says: from the time stamp of the click to the first frame after the list's rows have
changed, by an observer of its own, not by the page's code. Beside it stand two controls: the same two requests (the
event, then the list that shows it) without a browser, and a click that changes a text without asking anybody.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import click
import numpy as np
import orjson
from playwright.sync_api import Page as BrowserPage

from benchmarks.parts.browser import chromium
from benchmarks.parts.machine import load, machine, versions
from benchmarks.parts.place import ROOT, Place, environment, temporary_place
from benchmarks.parts.worker import running_worker
from infra.errors import HeadraceError
from streams.publishing.simulator import Page, Simulation

_LEARNED = 20_000
_SHOWN = 10
_WARM_UP = 5
# Notes when a click came and when the frame after the next change of an element has been drawn.
_OBSERVER = """
window.rounds = [];
const drawn = () => new Promise((done) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now());
  channel.port2.postMessage(null);
}));
let clicked = 0;
// Enter in a field clicks on its form's button too: that is none of ours.
addEventListener("click", (event) => {
  if (event.target.closest(".pick, #frame")) clicked = event.timeStamp;
}, true);
window.observe = (element) => new MutationObserver(async () => {
  if (!clicked) return;
  const from = clicked;
  clicked = 0;
  window.rounds.push(await drawn() - from);
}).observe(element, { childList: true, characterData: true, subtree: true });
"""


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--rounds", type=click.IntRange(min=10), default=100, show_default=True)
def main(out: Path | None, rounds: int) -> None:
    try:
        results = _measure(rounds)
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    for name, figures in results["figures"].items():
        click.echo(f"{name:<28} p50 {figures['p50_ms']:7.1f} ms   p99 {figures['p99_ms']:7.1f} ms")
    click.echo(f"load {results['load'][0]} before, {results['load'][1]} after, on {results['machine']['cores']} cores")
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _measure(rounds: int) -> dict[str, Any]:
    random = np.random.default_rng(0)
    with temporary_place() as place, running_worker(place.settings) as worker:
        simulation = Simulation(lambda _: Page(None, ()))
        place.publish(simulation.items())
        place.publish(islice(simulation.events(), _LEARNED))
        worker.wait_until_done(_LEARNED)
        visitors = [f"visitor{number}" for number in random.permutation(1000)[: 2 * rounds + 2 * _WARM_UP] + 1]
        before = load()
        with _service(place) as url:
            alone = [_without_browser(url, user) for user in visitors[: rounds + _WARM_UP]][_WARM_UP:]
            with chromium() as browser:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.add_init_script(_OBSERVER)
                page.goto(url)
                nothing = _frames(page, rounds)
                clicks = _clicks(page, visitors[rounds + _WARM_UP :], random)
        results = {"machine": machine(), "versions": versions(place.url), "load": [before, load()], "rounds": rounds}
    series = {"a click, the changed list": clicks, "control: without a browser": alone, "control: a frame": nothing}
    return {**results, "figures": {name: _figures(ms) for name, ms in series.items()}, "ms": series}


@contextmanager
def _service(place: Place) -> Iterator[str]:
    command = [sys.executable, "-m", "commands", "serve", "--home", place.settings.home, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield re.findall(r"http://[0-9.:]+", process.stdout.readline())[0]
        finally:
            process.terminate()


def _without_browser(url: str, user: str) -> float:
    """Return the ms from an event sent to the list that shows it, by two requests."""
    shown = _get(f"{url}/recommend/{user}?n={_SHOWN}")["items"]
    body = json.dumps({"user": user, "item": shown[0]["item"]}).encode()
    began = time.perf_counter()
    with urlopen(Request(f"{url}/events", body, {"Content-Type": "application/json"})) as answer:
        token = json.load(answer)["token"]
    _get(f"{url}/recommend/{user}?n={_SHOWN}&titles=true&explain=true&after={token}&wait=3000")
    return (time.perf_counter() - began) * 1000


def _get(url: str) -> Any:
    with urlopen(url) as answer:
        return json.load(answer)


def _frames(page: BrowserPage, rounds: int) -> list[float]:
    """Return the ms from a click to the drawn change of a text, which asks nobody."""
    page.evaluate(
        "() => { const text = document.createElement('button'); text.id = 'frame'; text.textContent = '0';"
        " text.onclick = () => { text.textContent = Number(text.textContent) + 1; };"
        " document.body.prepend(text); observe(text); }"
    )
    for _ in range(rounds):
        page.click("#frame")
    found = _rounds(page, rounds)
    page.evaluate("document.getElementById('frame').remove()")
    return found


def _clicks(page: BrowserPage, visitors: list[str], random: np.random.Generator) -> list[float]:
    for number, user in enumerate(visitors):
        page.fill("#visitor-input", user)
        page.press("#visitor-input", "Enter")
        page.wait_for_function(
            "user => document.getElementById('list-title').textContent === user && "
            "document.querySelectorAll('#list li').length === 10", arg=user
        )  # fmt: skip
        if not number:
            page.evaluate("observe(document.getElementById('list'))")
        page.click(f"#list li:nth-child({random.integers(_SHOWN) + 1}) .pick")
        page.wait_for_function("n => window.rounds.length === n", arg=number + 1)
        page.wait_for_function("() => !document.getElementById('list').hasAttribute('aria-busy')")
    return _rounds(page, len(visitors))[_WARM_UP:]


def _rounds(page: BrowserPage, wanted: int) -> list[float]:
    page.wait_for_function("n => window.rounds.length === n", arg=wanted)
    found: list[float] = page.evaluate("window.rounds.splice(0)")
    return found


def _figures(ms: list[float]) -> dict[str, float]:
    return {f"p{share}_ms": round(float(np.percentile(ms, share)), 2) for share in (50, 90, 99)}


if __name__ == "__main__":
    main()
