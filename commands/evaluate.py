"""``headrace evaluate``: how good the recommendations are on a stream of events, beside simpler models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.settings import load_settings

if TYPE_CHECKING:
    from evaluation.datasets import Dataset
    from evaluation.options import Options
    from evaluation.stream import Stream

_PROTOCOLS = ("prequential", "temporal", "second-event", "leave-one-out", "cold-items", "kfold", "clicks")


def _listed(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Split what was given with commas, beside what was given with several options."""
    return tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


def _seeds(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...]:
    try:
        seeds = tuple(int(value) for value in _listed(ctx, param, values))
    except ValueError as error:
        raise click.BadParameter("a seed is a whole number") from error
    if any(seed < 0 for seed in seeds):
        raise click.BadParameter("a seed is not negative")
    return seeds


def _shares(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[float, ...]:
    try:
        shares = tuple(float(value) for value in _listed(ctx, param, values))
    except ValueError as error:
        raise click.BadParameter("a cut is a number from 0 to 1") from error
    if any(not 0 <= share <= 1 for share in shares):
        raise click.BadParameter("a cut is a share, from 0 to 1")
    return shares or (0.9,)


def _columns(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, str]:
    pairs = [part.partition("=") for part in _listed(ctx, param, (value or "",))]
    if bad := [field for field, equals, column in pairs if not (equals and column)]:
        raise click.BadParameter(f"{bad[0]!r} names no column: write user=…,item=…,time=…")
    return {field: column for field, _, column in pairs}


@click.command()
@click.option(
    "--events", "sources", multiple=True, required=True, metavar="FILE|FOLDER|-|NAME", help="Several are merged."
)
@click.option("--columns", callback=_columns, metavar="user=…,item=…,time=…", help="It is CSV, with these columns.")
@click.option("--model", "models", multiple=True, callback=_listed, metavar="NAME", help="Several; see above.")
@click.option("--protocol", type=click.Choice(_PROTOCOLS), default="prequential", show_default=True)
@click.option("--k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Depth of the lists.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Rank each n-th event.")
@click.option(
    "--warmup", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share of events before the first."
)
@click.option("--cut", multiple=True, callback=_shares, metavar="SHARE", help="temporal: share learned; several. [0.9]")
@click.option("--live", is_flag=True, help="temporal: beside it, a model that goes on learning after the cut.")
@click.option("--folds", type=click.IntRange(2, 100), default=5, show_default=True, help="kfold: how many.")
@click.option("--repeats", is_flag=True, help="Rank items that the user has had, too.")
@click.option("--newcomers", is_flag=True, help="Rank users' first events, too.")
@click.option("--min-rating", type=float, help="Rank only events rated at least so.")
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first so many events.")
@click.option("--lag", type=click.IntRange(min=0), default=0, show_default=True, help="Learn so many events late.")
@click.option("--replicas", type=click.IntRange(1, 64), default=1, show_default=True, help="Workers that share users.")
@click.option("--shuffle", is_flag=True, help="Also rank with users' histories shuffled.")
@click.option("--content/--no-content", default=True, show_default=True, help="Tell the engine what items are about.")
@click.option("--window", type=click.IntRange(min=1), help="Ranked events in a point of the plots.")
@click.option("--seed", "seeds", multiple=True, callback=_seeds, metavar="S", help="Several: means over all.")
@click.option("--config", type=click.Path(), help="Settings file (TOML): weights of event types and ratings, seed.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write everything here; - prints it.")
@click.option("--html", "html_path", type=click.Path(dir_okay=False), help="Write a report with plots here.")
def command(
    sources: tuple[str, ...],
    columns: dict[str, str],
    config: str | None,
    json_path: str | None,
    html_path: str | None,
    limit: int | None,
    **asked: Any,
) -> None:
    """Measure how good the recommendations are: rank each event's item, then learn the event.

    The engine is the worker's. Every event is ranked against all items seen until then but the user's own. Data: a
    MovieLens folder, the folder of Online Retail or Open Bandit, JSON lines, CSV with --columns, or a simulation:
    simulated:dense, simulated:sessions, simulated:news, with sizes and seed behind it as in
    simulated:news?events=50000&seed=1.

    \b
    Models: blend (the engine's), its scorers embeddings, followed, together;
    popularity (half-life 5,000 events), popularity-100, popularity-7d, recency,
    random. When named also item-cosine, session-knn, repeat-recency,
    river:Baseline, river:BiasedMF, river:FunkMF; and ratings (predicted
    ratings, their error before each is learned).

    \b
    Examples:
      headrace evaluate --events ml-100k --every 2
      headrace evaluate --events ml-1m --every 10 --seed 0,1,2 --html report.html
      headrace evaluate --events shop.csv --columns user=customer,item=sku,time=date
      headrace evaluate --events ml-1m --protocol temporal --cut 0.8,0.9 --live
      headrace evaluate --events ml-100k --protocol kfold
      headrace evaluate --events open-bandit --protocol clicks
      headrace evaluate --events ml-1m --every 100 --protocol cold-items
    """
    # One thread for matrix products: they are small, and more threads would only wait for each other.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from commands.figures import show
    from evaluation.datasets import DatasetError, open_dataset
    from evaluation.errors import EvaluationError
    from infra.errors import HeadraceError

    try:
        options = _options(asked, config)
        for path in (json_path, html_path):
            if path and path != "-":
                _check_writable(path)
        datasets = [open_dataset(source, columns) for source in sources]
        result = _of_clicks(datasets, options, limit) if options.protocol == "clicks" else _of(datasets, options, limit)
        for path, written in ((json_path, _as_json), (html_path, _as_page)):
            if path:
                _write(path, written(result))
    except (DatasetError, EvaluationError) as error:
        raise HeadraceError(str(error)) from error
    if json_path != "-":
        show(result)


def _options(asked: dict[str, Any], config: str | None) -> Options:
    from evaluation.contenders import MODELS, contender
    from evaluation.options import RATINGS, Options

    model = load_settings(config).model
    asked["least_rating"] = asked.pop("min_rating")
    asked["models"] = asked["models"] or MODELS
    asked["seeds"] = asked["seeds"] or (model.seed,)
    for name in asked["models"]:
        if name != RATINGS:
            contender(name, 0)  # says which is unknown, before hours of work
    return Options(**asked, weights=model.weights, rating_users=model.rating_users, rating_slope=model.rating_slope)


def _of(datasets: Sequence[Dataset], options: Options, limit: int | None) -> dict[str, Any]:
    from evaluation.evaluate import evaluate, work
    from evaluation.stream import read_stream
    from infra.errors import HeadraceError

    with _status("reading"):
        stream = read_stream(datasets, limit)
    if not len(stream):
        raise HeadraceError(f"{stream.name} holds no event; {_left_out(stream)}")
    with _progress(stream.name, work(stream, options)) as on_progress:
        return evaluate(stream, options, on_progress)


def _of_clicks(datasets: Sequence[Dataset], options: Options, limit: int | None) -> dict[str, Any]:
    from evaluation.evaluate import evaluate_clicks, read_showings

    with _status("reading"):
        showings = read_showings(datasets, limit)
    name = " + ".join(dataset.name for dataset in datasets)
    with _progress(name, len(showings)) as on_progress:
        return evaluate_clicks(name, showings, options, on_progress)


def _left_out(stream: Stream) -> str:
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in stream.left_out.items())
    return f"left out: {reasons}" if reasons else "it is empty"


def _as_json(result: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(result, option=orjson.OPT_INDENT_2)


def _as_page(result: dict[str, Any]) -> bytes:
    from evaluation.report import page

    return page(result).encode()


def _write(path: str, content: bytes) -> None:
    if path == "-":
        click.echo(content)
    else:
        Path(path).write_bytes(content)


def _check_writable(path: str) -> None:
    """Say so before hours of work when a result could not be written."""
    from infra.errors import HeadraceError

    try:
        Path(path).open("ab").close()
    except OSError as error:
        raise HeadraceError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _status(what: str) -> Iterator[None]:
    from rich.console import Console

    with Console(stderr=True).status(f"{what} …"):
        yield


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with the time left on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    text = TextColumn("{task.description}", markup=False)
    bar = Progress(
        text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(name, total=total)
        yield lambda events: bar.update(task, completed=events)
