"""The live page in a real Chromium, over a real broker, store, worker and service."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.parts.browser import chromium
from contracts.events import Click, Item
from infra.redis import LocalRedis
from infra.settings import Kafka, Redis, Settings
from models.combine import SCORERS
from serving.routes.page import FOLDER
from tests.worker import TIMEOUT_S, Worker, configured, publish, working

ITEMS, USERS = 48, 24
HOSTILE = '<img src=x onerror="document.title=1">'
PHONE, DESKTOP, NARROW = (390, 844), (1280, 900), (320, 640)
expect.set_options(timeout=TIMEOUT_S * 1000)


@dataclass
class Stack:
    """Everything behind the page."""

    url: str
    redis: LocalRedis
    worker: Worker
    browser: Browser
    said: list[str] = field(default_factory=list)  # errors of pages since they were last looked at
    asked: set[str] = field(default_factory=set)

    @contextmanager
    def page(self, size: tuple[int, int] = DESKTOP, at: str = "", **more: str) -> Iterator[Page]:
        """Open the page; what it complains of, and whom it asks, must be nothing and nobody else."""
        self.said.clear()
        context: BrowserContext = self.browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
        try:
            page = context.new_page()
            page.on("console", lambda said: self.said.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: self.said.append(str(error)))
            page.on("request", lambda request: self.asked.add(request.url.split("/")[2]))
            page.goto(f"{self.url}/{at}")
            yield page
        finally:
            context.close()
        assert self.asked == {self.url.split("/")[2]}

    def complaints(self) -> list[str]:
        return [said for said in self.said if "favicon" not in said]


def groups_clicks() -> list[Click]:
    """Users of four groups, each of which has the items of its own quarter, in turn."""
    now = time.time_ns() // 1_000_000
    return [
        Click(f"u{user}", f"i{(user % 4) * 12 + (user // 4 + step) % 12}", now - 600_000 + step * 1000)
        for step in range(6)
        for user in range(USERS)
    ]


@pytest.fixture(scope="module")
def stack(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("page")
    with LocalRedis(home / "redis") as redis, chromium() as browser:
        settings = Settings(
            namespace="page",
            home=str(home),
            kafka=Kafka(bootstrap=kafka, prefix="page", partitions=4),
            redis=Redis(url=redis.url, prefix="page"),
        )
        with working(settings) as worker:
            titles = {0: HOSTILE}
            items = [Item(f"i{n}", title=titles.get(n, f"Film {n}"), categories=[f"g{n // 12}"]) for n in range(ITEMS)]
            publish(settings, *items, *groups_clicks())
            worker.wait_until_fresh("u0", "u1")
            with service(configured(settings, 'instance = "test"\n')) as url:
                yield Stack(url, redis, worker, browser)


@contextmanager
def service(config: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "commands", "serve", "--config", str(config), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield re.findall(r"http://[0-9.:]+", next(process.stdout))[0]
        finally:
            process.terminate()


def shown(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#list li", "rows => rows.map(row => row.dataset.item)")
    return found


def wait_for(page: Page, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not reached():
        assert time.monotonic() < deadline, page.inner_text("body")
        page.wait_for_timeout(50)


def click_on(page: Page, place: int) -> str:
    """Click on an item of the list and wait for the changed one; return which item it was."""
    item = shown(page)[place]
    page.evaluate("delete document.getElementById('list').dataset.ms")
    page.click(f"#list li:nth-child({place + 1}) .pick")
    page.wait_for_selector("#list[data-ms]")
    return item


def test_a_click_changes_the_list_and_the_page_says_how_soon_and_why(stack: Stack) -> None:
    with stack.page(at="#user=u0") as page:
        page.wait_for_selector("#list li")
        clicked = click_on(page, 2)
        assert clicked not in shown(page)
        expect(page.locator("#visitor-change")).to_have_text(re.compile(r"^[\d.]+ m?s after your click on .*: .*gone"))
        because = page.locator("#list li.because").first
        expect(because.locator("small")).to_contain_text("because of")
        expect(page.locator("#events li").first).to_have_attribute("data-item", clicked)
        expect(page.locator("#list .badge").first).to_be_visible()
        # The next time round, from the state that the worker has made durable.
        page.reload()
        expect(page.locator("#events li").first).to_have_attribute("data-item", clicked)
        assert clicked not in shown(page)
    assert stack.complaints() == []


def test_what_is_undone_leaves_the_history(stack: Stack) -> None:
    with stack.page(at="#user=u5") as page:
        page.wait_for_selector("#list li")
        clicked = click_on(page, 0)
        row = page.locator(f'#events li[data-item="{clicked}"]')
        row.get_by_role("button").first.click()
        expect(page.locator("#visitor-change")).to_contain_text("you undid")
        expect(row).to_have_count(0)


def test_a_new_visitor_is_shown_what_is_popular_and_one_click_gives_him_a_list_of_his_own(stack: Stack) -> None:
    with stack.page() as page:
        page.get_by_role("button", name="Be a new visitor").click()
        expect(page.locator("#list-age")).to_contain_text("what is popular")
        page.wait_for_selector("#list li")
        click_on(page, 1)
        expect(page.locator("#list-age")).to_contain_text("own list")


def test_texts_from_outside_are_shown_as_texts(stack: Stack) -> None:
    with stack.page(at="#item=i0&user=%3Cb%3Enobody%3C%2Fb%3E") as page:
        expect(page.locator("#item-shown h3")).to_have_text(HOSTILE)
        expect(page.locator("#list-title")).to_have_text("<b>nobody</b>")
        assert page.title() == "Headrace"


def test_an_item_is_shown_with_its_neighbours_and_their_evidence(stack: Stack) -> None:
    with stack.page() as page:
        page.fill("#item-input", "i13")
        page.press("#item-input", "Enter")
        expect(page.locator("#item-shown h3")).to_have_text("Film 13")
        first = page.locator(".neighbours tbody tr").first
        expect(first.locator("td").nth(0)).to_have_text(re.compile(r"^\d+\.\d$"))
        expect(first.locator("td").nth(2)).to_have_text(re.compile(r"^−?[01]\.\d\d$"))
        near = first.get_by_role("button").inner_text()
        first.get_by_role("button").click()
        expect(page.locator("#item-shown h3")).to_have_text(near)


def test_the_page_shows_the_last_minutes_the_scorers_and_the_workers_at_once(stack: Stack) -> None:
    with stack.page() as page:
        expect(page.locator("#state")).to_have_text("Live, one worker")
        expect(page.locator("#workers tbody tr")).to_contain_text("0–3")
        expect(page.locator("#scorers tbody tr")).to_have_count(len(SCORERS) + 1)
        figure = page.locator("#chart-rates .canvas")
        expect(figure).to_have_attribute("aria-label", re.compile(r"now events \d"))
        expect(page.locator("#tiles .figure").nth(4)).to_have_text(re.compile(r"%$"))
    assert stack.complaints() == []


def test_all_of_it_can_be_done_by_keyboard(stack: Stack) -> None:
    with stack.page(at="#user=u1") as page:
        page.wait_for_selector("#list li")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "visitor-input"
        page.keyboard.press("Control+a")
        page.keyboard.type("u2")
        page.keyboard.press("Enter")
        expect(page.locator("#list-title")).to_have_text("u2")
        page.wait_for_selector("#list li")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.className") == "pick":
                break
        first = shown(page)[0]
        page.keyboard.press("Enter")
        page.wait_for_selector("#list[data-ms]")
        assert first not in shown(page)
        assert page.evaluate("document.activeElement.className") == "pick", "the focus stays in the list"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_nothing(stack: Stack, scheme: str, size: tuple[int, int]) -> None:
    with stack.page(size, "#user=u3", color_scheme=scheme, reduced_motion="reduce") as page:
        page.wait_for_selector("#list li")
        page.wait_for_selector(".neighbours")
        click_on(page, 0)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found] == []


@pytest.mark.parametrize("size", [PHONE, NARROW])
def test_on_a_phone_nothing_scrolls_sideways(stack: Stack, size: tuple[int, int]) -> None:
    with stack.page(size, "#user=u3") as page:
        page.wait_for_selector(".neighbours")
        click_on(page, 0)
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]


def test_who_wants_less_motion_sees_none(stack: Stack) -> None:
    with stack.page(at="#user=u4", reduced_motion="reduce") as page:
        page.wait_for_selector("#list li")
        page.evaluate("window.moved = 0; Element.prototype.animate = () => { window.moved += 1; }; 0")
        click_on(page, 0)
        assert page.evaluate("window.moved") == 0


def test_without_worker_or_store_the_page_says_so_and_recovers_by_itself(stack: Stack) -> None:
    with stack.page(at="#user=u0") as page:
        page.wait_for_selector("#list li")
        stack.worker.kill()
        expect(page.locator("#state")).to_have_text(re.compile(r"^No worker for \d+ s: lists are served as they were"))
        page.reload()
        page.wait_for_selector("#list li")
        stack.redis.stop()
        expect(page.locator("#state")).to_have_text(re.compile(r"^Redis is away for \d+ s"))
        assert shown(page), "what was read stays"
        stack.redis.start()
        expect(page.locator("#state")).to_have_text(re.compile(r"^No worker for"))
        stack.worker.start()
        expect(page.locator("#state")).to_have_text("Live, one worker")
        wait_for(page, lambda: not page.evaluate("document.body.hasAttribute('data-stale')"))
        click_on(page, 0)


def test_the_page_may_load_nothing_from_elsewhere_and_holds_nothing_inline(stack: Stack) -> None:
    with stack.page() as page:
        answer = page.goto(stack.url)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    html = (FOLDER / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>|javascript:", html)


def test_what_others_wrote_stands_apart_with_its_licence_and_is_what_it_says() -> None:
    for folder in (FOLDER / "vendor").iterdir():
        told = tomllib.loads((folder / "vendor.toml").read_text("utf-8"))
        assert told.keys() >= {"name", "version", "licence", "source", "sha256"}
        assert (folder / "LICENSE").exists()
        files = {path.name for path in folder.iterdir()} - {"vendor.toml"}
        assert told["sha256"].keys() == files
        for name, digest in told["sha256"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
