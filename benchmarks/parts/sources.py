"""Which code a measurement rests on: what its module imports, and in which state that is."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

import xxhash

from benchmarks.parts.place import ROOT


def digest(modules: Collection[str], packages: Collection[str]) -> str:
    """Return a hash of the code that modules reach by imports within some packages; comments and docstrings are not.

    Parameters
    ----------
    modules : collection of str
        Full names, e.g. ``commands.evaluate``; they themselves count if they lie in one of the packages.
    packages : collection of str
        Top-level packages.
    """
    trees: dict[str, ast.Module] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = ROOT / f"{name.replace('.', '/')}.py"
        file = file if file.exists() else ROOT / name.replace(".", "/") / "__init__.py"
        if name not in trees and file.exists():
            trees[name] = ast.parse(file.read_text("utf-8"))
            waiting += [found for found in _imported(trees[name]) if found.partition(".")[0] in packages]
    found = xxhash.xxh3_64()
    for name in sorted(name for name in trees if name.partition(".")[0] in packages):
        found.update(name.encode() + ast.dump(_bare(trees[name])).encode())
    return found.hexdigest()


def of_evaluations() -> str:
    """Return the hash of the code that an evaluation rests on."""
    return digest(["commands.evaluate"], ("contracts", "models", "evaluation"))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _bare(tree: ast.Module) -> ast.Module:
    """Take out docstrings, and strings that stand alone."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
